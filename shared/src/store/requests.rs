//! What other systems ask for: that an account be a member of a group, or none. Requests come at least once and in any
//! order; each decides at most once, and none that was made before what was decided last.

use std::collections::HashMap;

use super::Store;
use super::items::{AccountItem, read_group, read_item};
use super::keys::{Attributes, Key};
use super::member_changes::{Decision, decide};
use super::trail::{self, By, Request};
use super::transact::{self, Commit};
use crate::authz::{Granted, Ingest};
use crate::aws::retry::Backoff;
use crate::domain::{Change, Error, GroupId, MembershipRequest, Missing, Outcome, RequestOutcome, Timestamp};

/// How often a request that others got in the way of is decided anew.
const ROUNDS: usize = 20;

impl Store {
    /// Does what a request asks for, in the name of whoever asked, unless it comes too late or was done already. One
    /// `BatchGetItem`; one transaction, also where it is so already: what was asked for before comes too late then.
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
        let keys = [Key::group(group), Key::trail(group, account), Key::member(group, account), Key::account(account)];
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for _ in 0..ROUNDS {
            let rows = self.table.batch_get(&keys).await?;
            if let Some(outcome) = self.try_request(granted, request, rows, now).await? {
                return Ok(outcome);
            }
            backoff.pause().await?;
        }
        Err(Error::Internal { operation: transact::OPERATION, code: "conditions keep failing".into() })
    }

    /// Decides by what was read; `None` when something changed in between.
    async fn try_request(
        &self,
        granted: &Granted<Ingest>,
        request: &MembershipRequest,
        mut rows: HashMap<Key, Attributes>,
        now: Timestamp,
    ) -> Result<Option<RequestOutcome>, Error> {
        let MembershipRequest { group, change, .. } = request;
        let account = change.account();
        let requested = match Request::read(request, rows.remove(&Key::trail(group, account)))? {
            Request::New(requested) => requested,
            Request::Late => return Ok(Some(RequestOutcome::Unchanged)),
            // Whether its refusal was told is not known.
            Request::Refused => return told_again(change, group, rows, now).map(Some),
        };
        if is_before_deletion(request, rows.get(&Key::account(account)))? {
            return Ok(Some(RequestOutcome::Unchanged));
        }
        read_group(rows.remove(&Key::group(group)))?.ok_or(Missing::Group)?;
        let member = rows.get(&Key::member(group, account)).cloned();
        let (requested, outcome) = match decide(group, change, &mut rows, now)? {
            Decision::Write(write) => {
                let decision = trail::Decision::Requested(requested.done());
                let by = By { actor: granted.actor(), now, decision };
                let commit = self.commit(group, &[(0, write)], &by).await?;
                return Ok(matches!(commit, Commit::Done).then_some(RequestOutcome::Changed));
            }
            // Nothing is decided: it may be one day.
            Decision::Settled(Outcome::UnknownAccount) => return Ok(Some(RequestOutcome::UnknownAccount)),
            Decision::Settled(Outcome::OnlyIndirect(groups)) => {
                (requested.refused(), RequestOutcome::OnlyIndirect(groups))
            }
            Decision::Settled(_) => (requested.done(), RequestOutcome::Unchanged),
        };
        let commit = self.note_decision(group, account, member, &requested).await?;
        Ok(matches!(commit, Commit::Done).then_some(outcome))
    }
}

/// What a request that was refused is told when it comes again.
fn told_again(
    change: &Change,
    group: &GroupId,
    mut rows: HashMap<Key, Attributes>,
    now: Timestamp,
) -> Result<RequestOutcome, Error> {
    Ok(match decide(group, change, &mut rows, now)? {
        Decision::Settled(Outcome::OnlyIndirect(groups)) => RequestOutcome::OnlyIndirect(groups),
        _ => RequestOutcome::Unchanged,
    })
}

/// Whether the request was made before the account was deleted: with that, it left every group.
fn is_before_deletion(request: &MembershipRequest, account: Option<&Attributes>) -> Result<bool, Error> {
    let account: Option<AccountItem> = read_item(account.cloned())?;
    let deleted = account.and_then(|account| account.deleted_version);
    Ok(deleted.is_some_and(|version| request.requested_at <= version.moment()))
}
