//! Requests of other systems to add or remove a member. They arrive at least once and in any order. Each decides at most
//! once, and none that was made before the last decision.

use super::audit::{ChangeContext, ChangeOrigin, RequestDecision, RequestState};
use super::change::Plan;
use crate::domain::{
    AccountId, Actor, AddOutcome, ChangeOutcome, Error, MembershipRequest, Missing, RemoveOutcome, RequestOutcome,
    Timestamp,
};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::rows::Snapshot;
use crate::store::table::{Attempt, ConflictLimit};

impl Store {
    /// Applies a request in the name of `actor`, unless it is superseded or was applied before. One `BatchGetItem` and one
    /// transaction, also when it changes nothing: earlier requests are superseded then.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Guarded`], which is also a decision; the table did not respond.
    pub async fn apply_request(
        &self,
        actor: &Actor,
        request: &MembershipRequest,
        may_change_guarded: bool,
        now: Timestamp,
    ) -> Result<RequestOutcome, Error> {
        let MembershipRequest { group, change, .. } = request;
        let account = change.account();
        let keys =
            [Key::group(group), Key::audit_record(group, account), Key::member(group, account), Key::account(account)];
        let apply = || async {
            let rows = Snapshot::read(&self.table, &keys).await?;
            self.try_to_apply(actor, request, &rows, may_change_guarded, now).await
        };
        self.table.retry_on_conflict(ConflictLimit::MEMBERSHIP, apply).await
    }

    async fn try_to_apply(
        &self,
        actor: &Actor,
        request: &MembershipRequest,
        rows: &Snapshot,
        may_change_guarded: bool,
        now: Timestamp,
    ) -> Result<Attempt<RequestOutcome>, Error> {
        let MembershipRequest { group, change, .. } = request;
        let account = change.account();
        let decision = match RequestState::of(request, rows.audit_record(group, account)?) {
            RequestState::New(decision) => decision,
            RequestState::Superseded => return Ok(Attempt::Done(RequestOutcome::Unchanged)),
            RequestState::TooMany => return Ok(Attempt::Done(RequestOutcome::TooMany)),
            RequestState::Refused => return self.refuse_again(request, rows, may_change_guarded, now).await,
        };
        if is_before_deletion(request, account, rows)? {
            return Ok(Attempt::Done(RequestOutcome::Unchanged));
        }
        let read = rows.group(group)?.ok_or(Missing::Group)?;
        match self.may_change(may_change_guarded, &read, now).await {
            Ok(true) => {}
            Ok(false) => return Ok(Attempt::Conflict),
            Err(error) => return self.refuse_for(error, request, rows, &decision.refused()).await,
        }
        let (decision, outcome) = match Plan::of(group, change, rows, now)? {
            Plan::Change(_, change) => {
                let origin = ChangeOrigin::Event(decision.applied());
                let context = ChangeContext { actor, now, origin, may_change_guarded };
                let member = rows.member(group, account)?;
                let is_done = self.commit_direct(group, account, member, change, &context).await?;
                return Ok(Attempt::when(is_done, RequestOutcome::Changed));
            }
            // No decision: the account may be announced later.
            Plan::Unchanged(ChangeOutcome::Add(AddOutcome::UnknownAccount)) => {
                return Ok(Attempt::Done(RequestOutcome::UnknownAccount));
            }
            Plan::Unchanged(ChangeOutcome::Remove(RemoveOutcome::OnlyIndirect(groups))) => {
                (decision.refused(), RequestOutcome::OnlyIndirect(groups))
            }
            Plan::Unchanged(_) | Plan::Schedule(..) => (decision.applied(), RequestOutcome::Unchanged),
        };
        let commit = self.record_decision(group, account, rows.member(group, account)?, &decision).await?;
        Ok(commit.attempt(outcome))
    }

    /// The outcome of a request that was refused before: the reason may still hold, and may not have been reported.
    async fn refuse_again(
        &self,
        MembershipRequest { group, change, .. }: &MembershipRequest,
        rows: &Snapshot,
        may_change_guarded: bool,
        now: Timestamp,
    ) -> Result<Attempt<RequestOutcome>, Error> {
        if let Some(read) = rows.group(group)?
            && !self.may_change(may_change_guarded, &read, now).await?
        {
            return Ok(Attempt::Conflict);
        }
        Ok(Attempt::Done(match Plan::of(group, change, rows, now)? {
            Plan::Unchanged(ChangeOutcome::Remove(RemoveOutcome::OnlyIndirect(groups))) => {
                RequestOutcome::OnlyIndirect(groups)
            }
            Plan::Unchanged(_) | Plan::Change(..) | Plan::Schedule(..) => RequestOutcome::Unchanged,
        }))
    }

    /// Records that a request for a privileged group is refused. Other errors decide nothing.
    async fn refuse_for(
        &self,
        error: Error,
        MembershipRequest { group, change, .. }: &MembershipRequest,
        rows: &Snapshot,
        refused: &RequestDecision,
    ) -> Result<Attempt<RequestOutcome>, Error> {
        if !matches!(error, Error::Guarded(_)) {
            return Err(error);
        }
        let account = change.account();
        let commit = self.record_decision(group, account, rows.member(group, account)?, refused).await?;
        if commit.is_done() { Err(error) } else { Ok(Attempt::Conflict) }
    }
}

/// Whether a request was made before its account was deleted, which ended all of the account's memberships.
fn is_before_deletion(request: &MembershipRequest, account: &AccountId, rows: &Snapshot) -> Result<bool, Error> {
    let deleted = rows.account(account)?.and_then(|item| item.deleted_version);
    Ok(deleted.is_some_and(|version| request.requested_at <= version.moment()))
}
