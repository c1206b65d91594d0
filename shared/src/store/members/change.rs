//! Adding and removing direct members.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::authz::{Administer, Granted};
use crate::domain::{
    Account, AccountId, AddOutcome, ChangeOutcome, Error, GroupId, Member, MemberChange, Membership, Missing,
    RemoveOutcome, Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Attribute, Key};
use crate::store::members::audit::{ChangeContext, ChangeOrigin, write_audit_record};
use crate::store::pending::{ChangedMembers, Pending, Unsettled};
use crate::store::rows::{AccountItem, MemberItem, MirrorItem, Snapshot, State, set_copies, to_row};
use crate::store::table::{Attempt, Commit, Condition, ConflictLimit, MAX_ACTIONS, Update, Write, busy};

impl Store {
    /// Adds one direct member. One `BatchGetItem`, one transaction.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Unavailable`] when the time budget ends.
    pub async fn add_member(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Unsettled<AddOutcome, ChangedMembers>, Error> {
        let changed = self.change_members(granted, group, &[MemberChange::Add(account)], now).await?;
        let (outcomes, pending) = changed.into_parts();
        match outcomes.into_iter().next() {
            Some(ChangeOutcome::Add(AddOutcome::UnknownAccount)) => {
                Ok(Unsettled::new(AddOutcome::UnknownAccount, Pending::Nothing))
            }
            Some(ChangeOutcome::Add(outcome)) => Ok(Unsettled::new(outcome, pending)),
            _ => Err(busy()),
        }
    }

    /// Removes one direct member. One `BatchGetItem`, one transaction.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Unavailable`] when the time budget ends.
    pub async fn remove_member(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Unsettled<RemoveOutcome, ChangedMembers>, Error> {
        let changed = self.change_members(granted, group, &[MemberChange::Remove(account)], now).await?;
        let (outcomes, pending) = changed.into_parts();
        match outcomes.into_iter().next() {
            Some(ChangeOutcome::Remove(RemoveOutcome::Removed)) => Ok(Unsettled::new(RemoveOutcome::Removed, pending)),
            Some(ChangeOutcome::Remove(outcome)) => Ok(Unsettled::new(outcome, Pending::Nothing)),
            _ => Err(busy()),
        }
    }

    /// Adds and removes direct members; no account may be named twice. Reads side by side, then one transaction for as many
    /// changes as fit. Each change happens or does not, with its counts, independent of the others.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Internal`]. Changes that the time budget left undone are [`ChangeOutcome::Retry`].
    pub async fn change_members(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        changes: &[MemberChange],
        now: Timestamp,
    ) -> Result<Unsettled<Vec<ChangeOutcome>, ChangedMembers>, Error> {
        let context = ChangeContext { actor: granted.actor(), now, origin: ChangeOrigin::AdminRequest };
        let outcomes = Mutex::new(Outcomes::new(changes.len()));
        let all_done = self
            .table
            .retry_on_conflict(ConflictLimit::SINGLE_GROUP, || self.try_to_change(group, changes, &outcomes, &context))
            .await;
        let Outcomes { outcomes, was_read } = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        match all_done {
            Ok(()) => {}
            // Some changes may be committed, so each outcome is returned instead of an error.
            Err(Error::Unavailable { .. }) if was_read => {}
            Err(error) => return Err(error),
        }
        let accounts = changes.iter().map(|change| change.account().clone()).collect();
        let is_known = !outcomes.contains(&ChangeOutcome::Retry);
        let pending = match is_known {
            true => Pending::Effects(ChangedMembers { group: *group, accounts }),
            false => Pending::Unknown,
        };
        Ok(Unsettled::new(outcomes, pending))
    }

    /// Makes the changes that have no outcome yet.
    async fn try_to_change(
        &self,
        group: &GroupId,
        changes: &[MemberChange],
        outcomes: &Mutex<Outcomes>,
        context: &ChangeContext<'_>,
    ) -> Result<Attempt<()>, Error> {
        let open = Outcomes::lock(outcomes).open();
        let plans = self.plan(group, changes, &open, context.now).await?;
        Outcomes::lock(outcomes).was_read = true;
        let mut planned = Vec::new();
        for (index, plan) in plans {
            match plan {
                Plan::Unchanged(outcome) => Outcomes::lock(outcomes).outcomes[index] = outcome,
                Plan::Change(change) => planned.push((index, change)),
            }
        }
        let mut all_done = Attempt::Done(());
        for batch in batches(planned) {
            match self.commit(group, batch.iter().map(|(_, change)| change), context).await? {
                Commit::Done => {
                    for (index, change) in batch {
                        Outcomes::lock(outcomes).outcomes[index] = change.outcome();
                    }
                }
                Commit::ConditionFailed(_) => all_done = Attempt::Conflict,
            }
        }
        Ok(all_done)
    }

    /// Reads the rows that the changes depend on, and plans each change.
    async fn plan(
        &self,
        group: &GroupId,
        changes: &[MemberChange],
        open: &[usize],
        now: Timestamp,
    ) -> Result<Vec<(usize, Plan)>, Error> {
        let mut keys = vec![Key::group(group)];
        for change in open.iter().map(|index| &changes[*index]) {
            keys.push(Key::member(group, change.account()));
            if let MemberChange::Add(account) = change {
                keys.push(Key::account(account));
            }
        }
        let rows = Snapshot::read(&self.table, &keys).await?;
        rows.group(group)?.ok_or(Missing::Group)?;
        open.iter().map(|index| Ok((*index, Plan::of(group, &changes[*index], &rows, now)?))).collect()
    }

    /// Commits planned changes with the group's counts and an audit record for each.
    pub(super) async fn commit(
        &self,
        group: &GroupId,
        changes: impl Iterator<Item = &PlannedChange>,
        context: &ChangeContext<'_>,
    ) -> Result<Commit, Error> {
        let (mut members, mut direct_members) = (0, 0);
        let mut writes = Vec::new();
        for change in changes {
            members += change.members_added();
            direct_members += change.direct_members_added();
            writes.extend(change.writes(group)?);
            writes.push(write_audit_record(group, change.account(), &change.membership_after(), context));
        }
        let counts = Update::of(Key::group(group))
            .add(Attribute::MemberCount, members)
            .add(Attribute::DirectMemberCount, direct_members)
            .when(Condition::equals(Attribute::State, State::Active.as_str()));
        writes.push(counts.into());
        self.table.transact(writes).await
    }
}

/// The outcomes of changes, which outlive each attempt to make them.
struct Outcomes {
    /// In the order of the changes; [`ChangeOutcome::Retry`] for those still to be made.
    outcomes: Vec<ChangeOutcome>,
    /// Whether the rows were read at least once.
    was_read: bool,
}

impl Outcomes {
    fn new(changes: usize) -> Self {
        Self { outcomes: vec![ChangeOutcome::Retry; changes], was_read: false }
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
    Change(PlannedChange),
}

/// A change of a membership that is decided but not committed. Has the member row as read, where there is one.
pub(super) enum PlannedChange {
    /// An account becomes a member, a direct one.
    Add(Member),
    /// A member becomes direct. It is indirect now, or direct since before its account was deleted.
    Promote(Member, MemberItem),
    /// A direct member becomes an indirect one.
    Demote(AccountId, MemberItem),
    /// A direct member ceases to be a member.
    Remove(AccountId, MemberItem),
}

impl Plan {
    /// Plans a change on the rows of its group, account and member.
    pub(super) fn of(group: &GroupId, change: &MemberChange, rows: &Snapshot, now: Timestamp) -> Result<Self, Error> {
        let member = rows.member(group, change.account())?;
        Ok(match change {
            MemberChange::Add(id) => Self::add(id, rows.account(id)?, member, now),
            MemberChange::Remove(id) => Self::remove(id, member),
        })
    }

    fn add(id: &AccountId, account: Option<&AccountItem>, member: Option<&MemberItem>, now: Timestamp) -> Self {
        let known = account.and_then(|item| Some((item, item.active(id)?)));
        let Some((account_item, account)) = known else {
            return Self::Unchanged(ChangeOutcome::Add(AddOutcome::UnknownAccount));
        };
        let Some(item) = member else {
            let membership = Membership { direct: true, ..Membership::default() };
            return Self::Change(PlannedChange::Add(Member { account, membership, added_at: now }));
        };
        // A direct membership from before the account was deleted is about to end, even when the account has returned.
        let is_left_over = account_item.was_deleted_since(item.account_version);
        let read = item.clone().member(id.clone());
        if item.direct && !is_left_over {
            return Self::Unchanged(ChangeOutcome::Add(AddOutcome::AlreadyMember(read)));
        }
        let membership = Membership { direct: true, via: read.membership.via };
        let added_at = if is_left_over { now } else { read.added_at };
        Self::Change(PlannedChange::Promote(Member { account, membership, added_at }, item.clone()))
    }

    fn remove(id: &AccountId, member: Option<&MemberItem>) -> Self {
        let Some(item) = member else {
            return Self::Unchanged(ChangeOutcome::Remove(RemoveOutcome::NotMember));
        };
        if !item.direct {
            let groups = item.membership().via_groups();
            return Self::Unchanged(ChangeOutcome::Remove(RemoveOutcome::OnlyIndirect(groups)));
        }
        Self::Change(PlannedChange::end_direct(id.clone(), item.clone()))
    }
}

/// Planned changes in their order, as many together as fit one transaction beside the group's counts.
fn batches(changes: Vec<(usize, PlannedChange)>) -> Vec<Vec<(usize, PlannedChange)>> {
    let mut batches = Vec::new();
    let mut room = 0;
    for change in changes {
        let size = change.1.write_count();
        if room < size {
            batches.push(Vec::new());
            room = MAX_ACTIONS - 1;
        }
        room -= size;
        if let Some(batch) = batches.last_mut() {
            batch.push(change);
        }
    }
    batches
}

impl PlannedChange {
    /// Ends the direct membership of a member, as read.
    pub(super) fn end_direct(account: AccountId, read: MemberItem) -> Self {
        if read.via.is_empty() { Self::Remove(account, read) } else { Self::Demote(account, read) }
    }

    const fn members_added(&self) -> i64 {
        match self {
            Self::Add(_) => 1,
            Self::Promote(..) | Self::Demote(..) => 0,
            Self::Remove(..) => -1,
        }
    }

    const fn direct_members_added(&self) -> i64 {
        match self {
            Self::Add(_) => 1,
            Self::Promote(_, read) => (!read.direct) as i64,
            Self::Demote(..) | Self::Remove(..) => -1,
        }
    }

    /// The number of writes, with the audit record's.
    const fn write_count(&self) -> usize {
        match self {
            Self::Add(_) | Self::Promote(..) => 4,
            Self::Demote(..) | Self::Remove(..) => 3,
        }
    }

    const fn account(&self) -> &AccountId {
        match self {
            Self::Add(member) | Self::Promote(member, _) => &member.account.id,
            Self::Demote(account, _) | Self::Remove(account, _) => account,
        }
    }

    fn membership_after(&self) -> Membership {
        match self {
            Self::Add(member) | Self::Promote(member, _) => member.membership.clone(),
            Self::Demote(_, read) => Membership { direct: false, via: read.via.clone() },
            Self::Remove(..) => Membership::default(),
        }
    }

    fn outcome(self) -> ChangeOutcome {
        match self {
            Self::Add(member) | Self::Promote(member, _) => ChangeOutcome::Add(AddOutcome::Added(member)),
            Self::Demote(..) | Self::Remove(..) => ChangeOutcome::Remove(RemoveOutcome::Removed),
        }
    }

    /// Writes of the member row and its mirror. An addition also checks the account, whose fields it copies.
    fn writes(&self, group: &GroupId) -> Result<Vec<Write>, Error> {
        Ok(match self {
            Self::Add(member) => {
                let id = &member.account.id;
                vec![
                    require_account(&member.account),
                    Write::insert(to_row(&Key::member(group, id), &MemberItem::new(member))?),
                    Write::insert(to_row(&Key::mirror(id, group), &MirrorItem { direct: true })?),
                ]
            }
            Self::Promote(member, read) => {
                let account = &member.account;
                vec![require_account(account), promote(group, member, read), set_mirror(group, &account.id, true)]
            }
            Self::Demote(account, read) => {
                let demote = Update::of(Key::member(group, account)).set(Attribute::Direct, false);
                vec![demote.when(read.unchanged_since_read()).into(), set_mirror(group, account, false)]
            }
            Self::Remove(account, read) => vec![
                Write::delete_when(Key::member(group, account), read.unchanged_since_read()),
                Write::delete(Key::mirror(account, group)),
            ],
        })
    }
}

/// Requires that the account is as it was read.
fn require_account(account: &Account) -> Write {
    let condition = Condition::equals(Attribute::State, State::Active.as_str())
        .and(Condition::equals(Attribute::Version, account.version));
    Write::Check(Key::account(&account.id), condition)
}

/// Makes a member a direct one, with the account's fields as they are now. The version in a direct member's row shows whether
/// it was added before its account was last deleted.
fn promote(group: &GroupId, member: &Member, read: &MemberItem) -> Write {
    let update = Update::of(Key::member(group, &member.account.id))
        .set(Attribute::Direct, true)
        .set(Attribute::AddedAt, member.added_at)
        .when(read.unchanged_since_read());
    set_copies(update, &member.account).into()
}

fn set_mirror(group: &GroupId, account: &AccountId, direct: bool) -> Write {
    let update = Update::of(Key::mirror(account, group)).set(Attribute::Direct, direct);
    update.when(Condition::row_exists()).into()
}
