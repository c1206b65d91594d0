//! What other systems ask for: that an account be a member of a group, or none. Requests come at least once and in any
//! order; each decides at most once, and none that was made before what was decided last.

use super::Store;
use super::items::read_group;
use super::keys::Key;
use super::member_changes::{Decision, decide};
use super::trail::{self, By, Requested};
use super::transact::{self, Commit};
use crate::authz::{Granted, Ingest};
use crate::aws::attempt::Backoff;
use crate::domain::{Change, Error, MembershipRequest, Missing, Outcome, RequestOutcome, Timestamp};

/// How often a request that others got in the way of is decided anew.
const ROUNDS: usize = 20;

impl Store {
    /// Does what a request asks for, in the name of whoever asked, unless it comes too late or was done already. One
    /// `BatchGetItem`; one transaction or, where it is so already, one `UpdateItem`, so that what was asked for before
    /// comes too late.
    ///
    /// # Errors
    /// [`Missing::Group`]; the table did not answer.
    pub async fn apply_request(
        &self,
        granted: &Granted<Ingest>,
        request: &MembershipRequest,
        now: Timestamp,
    ) -> Result<RequestOutcome, Error> {
        let MembershipRequest { group, change, .. } = request;
        let account = change.account();
        let (group_key, trail_key) = (Key::group(group), Key::trail(group, account));
        let mut keys = vec![group_key.clone(), trail_key.clone(), Key::member(group, account)];
        keys.extend(matches!(change, Change::Add(_)).then(|| Key::account(account)));
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for _ in 0..ROUNDS {
            let mut rows = self.table.batch_get(&keys).await?;
            let Some(requested) = Requested::of(request, rows.remove(&trail_key))? else {
                return Ok(RequestOutcome::Unchanged);
            };
            read_group(rows.remove(&group_key))?.ok_or(Missing::Group)?;
            let outcome = match decide(group, change, &mut rows, now)? {
                Decision::Write(write) => {
                    let decision = trail::Decision::Requested(requested);
                    let by = By { actor: granted.actor(), now, decision };
                    let commit = self.commit(group, &[(0, write)], &by).await?;
                    matches!(commit, Commit::Done).then_some(RequestOutcome::Changed)
                }
                // Nothing is decided: it may be one day.
                Decision::Settled(Outcome::UnknownAccount) => return Ok(RequestOutcome::UnknownAccount),
                Decision::Settled(outcome) => {
                    self.note_decision(group, account, &requested).await?.then_some(match outcome {
                        Outcome::OnlyIndirect(groups) => RequestOutcome::OnlyIndirect(groups),
                        _ => RequestOutcome::Unchanged,
                    })
                }
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            backoff.pause().await?;
        }
        Err(Error::Internal { operation: transact::OPERATION, code: "conditions keep failing".into() })
    }
}
