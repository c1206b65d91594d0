//! Adding and removing direct members.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::audit::{ChangeContext, ChangeOrigin};
use super::plan::{DirectChange, MemberPlan, Reach};
use super::schedule::{SCHEDULES_TOGETHER, Schedule, schedule_writes};
use crate::authz::{Granted, ManageMembers};
use crate::domain::{
    AccountId, AddOutcome, ChangeOutcome, Error, GroupId, Member, MemberChange, Membership, Missing, Precondition,
    RemoveOutcome, Timestamp, Validity,
};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::keys::Key;
use crate::store::pending::{ChangedMembers, Pending, Unsettled};
use crate::store::rows::{AccountItem, MemberItem, Snapshot};
use crate::store::table::{Attempt, ConflictLimit, busy};

/// Changes that are planned together. Each has a row in every group above, of which there may be ninety.
pub(super) const CHANGES_TOGETHER: usize = 100;

/// After more conflicts with other transactions than this, a change is committed in its own group alone.
pub(super) const MAX_CONFLICTS: usize = 12;

impl Store {
    /// Adds one direct member. One `BatchGetItem` for the group and one for each level of ancestors not yet known; one
    /// transaction for up to 25 groups. After repeated conflicts, one more for the group alone. One `Query` before all where the
    /// group must be in a certain state.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Guarded`]; [`Error::HasStarted`] for a direct member that should become one later; [`Error::Exists`] for a
    /// member where the precondition is for new ones only; [`Error::VersionMismatch`]
    /// when the group, its members or its nested groups have changed; [`Error::Unavailable`] when the time budget ends.
    pub async fn add_member(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        account: AccountId,
        validity: Validity,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<AddOutcome, ChangedMembers>, Error> {
        let change = MemberChange::Add(account, validity);
        let changed = self.change(granted, group, &[change], precondition, now).await?;
        let (outcomes, pending) = changed.into_parts();
        match outcomes.into_iter().next() {
            Some(ChangeOutcome::Add(AddOutcome::UnknownAccount)) => {
                Ok(Unsettled::new(AddOutcome::UnknownAccount, Pending::Nothing))
            }
            Some(ChangeOutcome::Add(AddOutcome::AlreadyMember(_))) if validity.starts_at.is_some() => {
                Err(Error::HasStarted)
            }
            Some(ChangeOutcome::Add(outcome)) => Ok(Unsettled::new(outcome, pending)),
            _ => Err(busy()),
        }
    }

    /// Removes one direct member. The same requests and errors as [`Store::add_member`].
    ///
    /// # Errors
    /// As above.
    pub async fn remove_member(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        account: AccountId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<RemoveOutcome, ChangedMembers>, Error> {
        let changed = self.change(granted, group, &[MemberChange::Remove(account)], precondition, now).await?;
        let (outcomes, pending) = changed.into_parts();
        match outcomes.into_iter().next() {
            Some(ChangeOutcome::Remove(RemoveOutcome::Removed)) => Ok(Unsettled::new(RemoveOutcome::Removed, pending)),
            Some(ChangeOutcome::Remove(outcome)) => Ok(Unsettled::new(outcome, Pending::Nothing)),
            _ => Err(busy()),
        }
    }

    /// Adds and removes direct members; no account may be named twice. A round of `BatchGetItem`s for the group and one for
    /// each level of ancestors not yet known; then transactions of up to 100 actions, side by side. Each account's change in
    /// the group itself is atomic, with its counts. The first transaction requires that the group is still in the precondition's
    /// state.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Guarded`]; [`Error::Exists`], [`Error::VersionMismatch`]; [`Error::Internal`]. Changes that the time budget left
    /// undone are [`ChangeOutcome::Retry`].
    pub async fn change_members(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        changes: &[MemberChange],
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<Vec<ChangeOutcome>, ChangedMembers>, Error> {
        self.require_new_only(group, precondition).await?;
        self.change(granted, group, changes, precondition, now).await
    }

    async fn change(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        changes: &[MemberChange],
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<Vec<ChangeOutcome>, ChangedMembers>, Error> {
        let (actor, may_change_guarded) = (granted.actor(), granted.may_change_guarded());
        let context = ChangeContext { actor, now, origin: ChangeOrigin::AdminRequest, may_change_guarded };
        let outcomes = Mutex::new(Outcomes::new(changes.len()));
        let all_done = self
            .table
            .retry_on_conflict(ConflictLimit::MEMBERSHIP, || {
                self.try_to_change(group, changes, precondition, &outcomes, &context)
            })
            .await;
        let Outcomes { outcomes, was_read, left_to_stream, .. } =
            outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        match all_done {
            Ok(()) => {}
            // Nothing is committed yet.
            Err(error @ (Error::VersionMismatch | Error::Exists)) => return Err(error),
            // Some changes may be committed, so each outcome is returned instead of an error.
            Err(Error::Unavailable { .. }) if was_read => {}
            Err(error) if outcomes.iter().any(|outcome| *outcome != ChangeOutcome::Retry) => {
                tracing::error!(reason = %error, "changes of members are left undone");
            }
            Err(error) => return Err(error),
        }
        let pending = if outcomes.contains(&ChangeOutcome::Retry) {
            Pending::Unknown
        } else if left_to_stream.is_empty() {
            Pending::Nothing
        } else {
            Pending::Effects(ChangedMembers { group: *group, accounts: left_to_stream.into_iter().collect() })
        };
        Ok(Unsettled::new(outcomes, pending))
    }

    /// Makes the changes that have no outcome yet.
    async fn try_to_change(
        &self,
        group: &GroupId,
        changes: &[MemberChange],
        precondition: &Precondition,
        outcomes: &Mutex<Outcomes>,
        context: &ChangeContext<'_>,
    ) -> Result<Attempt<()>, Error> {
        let (open, has_begun) = {
            let outcomes = Outcomes::lock(outcomes);
            (outcomes.open(), outcomes.has_begun)
        };
        let state = if has_begun { None } else { self.require_state(group, precondition).await? };
        // No change at all finds out whether the group exists.
        for some in open.chunks(CHANGES_TOGETHER).chain(open.is_empty().then_some([].as_slice())) {
            let some: Vec<(usize, &MemberChange)> = some.iter().map(|index| (*index, &changes[*index])).collect();
            let has_begun = Outcomes::lock(outcomes).has_begun;
            let state = state.as_ref().filter(|_| !has_begun);
            if !self.try_to_change_some(group, some, precondition, state, outcomes, context).await? {
                return Ok(Attempt::Conflict);
            }
        }
        let is_done = Outcomes::lock(outcomes).open().is_empty();
        Ok(Attempt::when(is_done, ()))
    }

    /// Makes some changes. Those whose rows have changed meanwhile stay without an outcome. Returns whether the group was still
    /// in the state, where one is given, and had no mark left over; otherwise nothing is changed.
    async fn try_to_change_some(
        &self,
        group: &GroupId,
        open: Vec<(usize, &MemberChange)>,
        precondition: &Precondition,
        state: Option<&GroupSnapshot>,
        outcomes: &Mutex<Outcomes>,
        context: &ChangeContext<'_>,
    ) -> Result<bool, Error> {
        let planned = self.plan_changes(group, open, precondition, context).await?;
        let Some(PlannedChanges { plan, mut planned, unchanged, schedules }) = planned else { return Ok(false) };
        for some in schedules.chunks(SCHEDULES_TOGETHER) {
            let changed = some.iter().map(|(_, account, _, schedule)| (*account, *schedule));
            let writes = schedule_writes(group, changed, state, context);
            if !self.table.transact(writes).await?.is_done() {
                return Ok(false);
            }
            let mut outcomes = Outcomes::lock(outcomes);
            some.iter().for_each(|(index, _, outcome, _)| outcomes.outcomes[*index] = outcome.clone());
        }
        {
            let mut outcomes = Outcomes::lock(outcomes);
            outcomes.was_read = true;
            unchanged.into_iter().for_each(|(index, _, outcome)| outcomes.outcomes[index] = outcome);
        }
        self.remember_ancestors(group, &plan);
        let committed = self.commit_plan(&plan, state, context, Some(MAX_CONFLICTS)).await;
        let mut outcomes = Outcomes::lock(outcomes);
        planned.retain(|(_, account, _)| !committed.not_committed.contains(*account));
        outcomes.has_begun |= !committed.is_in_other_state && !plan.changes().is_empty();
        planned.into_iter().for_each(|(index, _, outcome)| outcomes.outcomes[index] = outcome);
        outcomes.left_to_stream.extend(committed.left_to_stream);
        committed.error.map_or(Ok(!committed.is_in_other_state), Err)
    }

    /// Decides changes, which have an index each, with all rows in the groups above. Returns `None` where the group must be read again.
    pub(super) async fn plan_changes<'a>(
        &self,
        group: &GroupId,
        changes: Vec<(usize, &'a MemberChange)>,
        precondition: &Precondition,
        context: &ChangeContext<'_>,
    ) -> Result<Option<PlannedChanges<'a>>, Error> {
        let mut plan = MemberPlan::new(Reach::AllLevels, Some(context.actor), context.now);
        let rows = self.read_for_changes(group, &changes, &mut plan).await?;
        let read = rows.group(group)?.ok_or(Missing::Group)?;
        if !self.may_change(context.may_change_guarded, &read, context.now).await? {
            return Ok(None);
        }
        let (mut planned, mut unchanged, mut schedules) = (Vec::new(), Vec::new(), Vec::new());
        let mut cancelled = self.schedules_to_cancel(group, &changes, &rows).await?;
        for (index, change) in changes {
            let account = change.account();
            let member = rows.member(group, account)?;
            precondition.check_new(member.is_some_and(|item| item.is_in_force(context.now)))?;
            let plan_of_change = match cancelled.remove(account) {
                Some(schedule) => Plan::Schedule(ChangeOutcome::Remove(RemoveOutcome::Removed), schedule),
                None => Plan::of(group, change, &rows, context.now)?,
            };
            let (outcome, direct) = match plan_of_change {
                Plan::Change(outcome, direct) => (outcome, direct),
                Plan::Schedule(outcome, schedule) => {
                    schedules.push((index, account, outcome, schedule));
                    continue;
                }
                // An earlier change may not have reached the groups above yet.
                Plan::Unchanged(outcome @ ChangeOutcome::Add(AddOutcome::AlreadyMember(_))) => {
                    (outcome, DirectChange::stay(member))
                }
                Plan::Unchanged(outcome @ ChangeOutcome::Remove(RemoveOutcome::NotMember)) => {
                    (outcome, DirectChange::END)
                }
                Plan::Unchanged(outcome) => {
                    unchanged.push((index, account, outcome));
                    continue;
                }
            };
            plan.change_direct((*group, account.clone()), direct);
            planned.push((index, account, outcome));
        }
        self.read_ancestors_of(&mut plan).await?;
        Ok(Some(PlannedChanges { plan, planned, unchanged, schedules }))
    }

    /// Reads the rows that changes of direct members depend on, and those of the ancestors as far as they are known. Adds the
    /// member rows and the groups' parents to the plan.
    pub(super) async fn read_for_changes(
        &self,
        group: &GroupId,
        changes: &[(usize, &MemberChange)],
        plan: &mut MemberPlan,
    ) -> Result<Snapshot, Error> {
        let accounts: Vec<&AccountId> = changes.iter().map(|(_, change)| change.account()).collect();
        let groups = [vec![*group], self.hinted_ancestors(group, accounts.len())].concat();
        let added = changes.iter().filter(|(_, change)| matches!(change, MemberChange::Add(..)));
        let mut keys = vec![Key::group(group)];
        keys.extend(groups.iter().map(Key::nesting));
        keys.extend(groups.iter().flat_map(|group| accounts.iter().map(|account| Key::member(group, account))));
        keys.extend(added.map(|(_, change)| Key::account(change.account())));
        let rows = Snapshot::read(&self.table, &keys).await?;
        for group in &groups {
            plan.add_parents(*group, rows.parents(group)?);
            for account in &accounts {
                plan.add_row((*group, (*account).clone()), rows.member(group, account)?.cloned());
            }
        }
        Ok(rows)
    }

    /// Commits one change of a direct membership in its own group. The stream propagates it. Returns whether the member row
    /// was still as read.
    pub(super) async fn commit_direct(
        &self,
        group: &GroupId,
        account: &AccountId,
        read: Option<&MemberItem>,
        change: DirectChange,
        context: &ChangeContext<'_>,
    ) -> Result<bool, Error> {
        let mut plan = MemberPlan::new(Reach::OneGroup, Some(context.actor), context.now);
        plan.add_row((*group, account.clone()), read.cloned());
        plan.change_direct((*group, account.clone()), change);
        plan.evaluate();
        let committed = self.commit_plan(&plan, None, context, None).await;
        committed.error.map_or(Ok(committed.not_committed.is_empty()), Err)
    }
}

/// Changes that are decided and not committed.
pub(super) struct PlannedChanges<'a> {
    pub(super) plan: MemberPlan,
    /// Those in the plan, each with its outcome once it is committed.
    planned: Vec<(usize, &'a AccountId, ChangeOutcome)>,
    /// Those that change nothing.
    unchanged: Vec<(usize, &'a AccountId, ChangeOutcome)>,
    /// Memberships that are scheduled, or not any more.
    schedules: Vec<(usize, &'a AccountId, ChangeOutcome, Schedule)>,
}

impl PlannedChanges<'_> {
    /// All accounts, each with its outcome once the plan is committed, in no order.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&AccountId, &ChangeOutcome)> {
        let schedules = self.schedules.iter().map(|(_, account, outcome, _)| (*account, outcome));
        self.planned.iter().chain(&self.unchanged).map(|(_, account, outcome)| (*account, outcome)).chain(schedules)
    }
}

/// The outcomes of changes, which outlive each attempt to make them.
struct Outcomes {
    /// In the order of the changes; [`ChangeOutcome::Retry`] for those still to be made.
    outcomes: Vec<ChangeOutcome>,
    /// Whether the rows were read at least once.
    was_read: bool,
    /// Whether a transaction was committed: from then on the group's state is not that of the precondition.
    has_begun: bool,
    /// Accounts whose ancestors are left to the stream.
    left_to_stream: BTreeSet<AccountId>,
}

impl Outcomes {
    fn new(changes: usize) -> Self {
        let outcomes = vec![ChangeOutcome::Retry; changes];
        Self { outcomes, was_read: false, has_begun: false, left_to_stream: BTreeSet::new() }
    }

    fn lock(this: &Mutex<Self>) -> MutexGuard<'_, Self> {
        this.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Vec<usize> {
        let open = self.outcomes.iter().enumerate().filter(|(_, outcome)| **outcome == ChangeOutcome::Retry);
        open.map(|(index, _)| index).collect()
    }
}

/// The effect that a change has on the rows that were read.
pub(super) enum Plan {
    Unchanged(ChangeOutcome),
    /// A change of the direct membership, with its outcome once it is committed.
    Change(ChangeOutcome, DirectChange),
    /// A membership that starts later.
    Schedule(ChangeOutcome, Schedule),
}

impl Plan {
    /// Plans a change on the rows of its group, account and member.
    pub(super) fn of(group: &GroupId, change: &MemberChange, rows: &Snapshot, now: Timestamp) -> Result<Self, Error> {
        let member = rows.member(group, change.account())?;
        Ok(match change {
            MemberChange::Add(id, validity) => Self::add(id, *validity, rows.account(id)?, member, now),
            MemberChange::Remove(_) => Self::remove(member),
        })
    }

    fn add(
        id: &AccountId,
        validity: Validity,
        account: Option<&AccountItem>,
        member: Option<&MemberItem>,
        now: Timestamp,
    ) -> Self {
        let known = account.and_then(|item| Some((item, item.active(id)?)));
        let Some((account_item, account)) = known else {
            return Self::Unchanged(ChangeOutcome::Add(AddOutcome::UnknownAccount));
        };
        // A direct membership from before the account was deleted is about to end, even when the account has returned. So is one that
        // has expired.
        let is_ending =
            |item: &MemberItem| account_item.was_deleted_since(item.account_version) || item.has_expired(now);
        if let Some(item) = member.filter(|item| item.direct && !is_ending(item)) {
            return Self::add_again(id, validity, item);
        }
        let via = member.map(|item| item.via.clone()).unwrap_or_default();
        let membership = Membership { direct: true, via };
        let added_at = member.filter(|item| !is_ending(item)).map_or(now, |item| item.added_at);
        let (version, expires_at) = (account.version, validity.expires_at.flatten());
        let joined = |added_at| Member { account: account.clone(), membership, added_at, expires_at };
        if let Some(starts_at) = validity.starts_at.filter(|at| *at > now) {
            let outcome = AddOutcome::Scheduled(joined(starts_at), starts_at);
            let schedule = Schedule::Set { starts_at, ends_at: expires_at, version };
            return Self::Schedule(ChangeOutcome::Add(outcome), schedule);
        }
        // The version in a direct member's row shows whether it was added before its account was last deleted.
        let direct = DirectChange { direct: true, copies: Some((account.clone(), added_at)), ends_at: expires_at };
        Self::Change(ChangeOutcome::Add(AddOutcome::Added(joined(added_at))), direct)
    }

    /// The account is a direct member, whose expiry may change.
    fn add_again(id: &AccountId, validity: Validity, item: &MemberItem) -> Self {
        let mut member = item.clone().member(id.clone());
        let ends_at = if validity.starts_at.is_some() { None } else { validity.expires_at };
        let ends_at = ends_at.unwrap_or(item.ends_at);
        member.expires_at = ends_at;
        let outcome = ChangeOutcome::Add(AddOutcome::AlreadyMember(member));
        match ends_at == item.ends_at {
            true => Self::Unchanged(outcome),
            false => Self::Change(outcome, DirectChange { direct: true, copies: None, ends_at }),
        }
    }

    fn remove(member: Option<&MemberItem>) -> Self {
        let Some(item) = member else {
            return Self::Unchanged(ChangeOutcome::Remove(RemoveOutcome::NotMember));
        };
        if !item.direct {
            let groups = item.membership().via_groups();
            return Self::Unchanged(ChangeOutcome::Remove(RemoveOutcome::OnlyIndirect(groups)));
        }
        Self::Change(ChangeOutcome::Remove(RemoveOutcome::Removed), DirectChange::END)
    }
}
