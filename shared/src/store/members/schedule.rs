//! Memberships that start later. The schedule is in the audit record, where every later decision about the membership removes it.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::ChangeContext;
use super::commit::look_from;
use crate::domain::{AccountId, AccountVersion, Error, GroupId, MemberChange, Moment, Timestamp};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::keys::{Attribute, Key};
use crate::store::rows::{Snapshot, State};
use crate::store::table::{Condition, Update, Write};

/// Schedules that are changed in one transaction: two rows each, with the group's row and its count shards.
pub(super) const SCHEDULES_TOGETHER: usize = 40;

/// A change of a schedule. The account may have become a direct member meanwhile: the schedule starts nothing while it is one, and the
/// next decision ends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Schedule {
    /// The membership starts at this time, in place of another one.
    Set { starts_at: Timestamp, ends_at: Option<Timestamp>, version: AccountVersion },
    /// The membership does not start at this time.
    Cancel { starts_at: Timestamp },
}

impl Schedule {
    fn writes(self, group: &GroupId, account: &AccountId, context: &ChangeContext<'_>) -> Vec<Write> {
        let administered_at = Moment::from(context.now).unix_nanos();
        let audit_record =
            Update::of(Key::audit_record(group, account)).set(Attribute::AdministeredAt, administered_at);
        match self {
            Self::Set { starts_at, ends_at, version } => {
                let audit_record = audit_record
                    .set(Attribute::StartsAt, starts_at)
                    .set_or_remove(Attribute::ScheduledEnd, Some(ends_at))
                    .set(Attribute::ScheduledBy, context.actor)
                    .set(Attribute::ScheduledForGuarded, context.may_change_guarded)
                    .set(Attribute::AccountVersion, version);
                vec![audit_record.into(), look_from(starts_at, group, account)]
            }
            Self::Cancel { starts_at } => {
                let audit_record = audit_record.remove(Attribute::StartsAt);
                vec![audit_record.when(Condition::equals(Attribute::StartsAt, starts_at)).into()]
            }
        }
    }
}

/// The writes of one transaction that changes schedules. `state` is the state that the group must be in.
pub(super) fn schedule_writes<'a>(
    group: &GroupId,
    schedules: impl Iterator<Item = (&'a AccountId, Schedule)>,
    state: Option<&GroupSnapshot>,
    context: &ChangeContext<'_>,
) -> Vec<Write> {
    let is_active = Condition::equals(Attribute::State, State::Active.as_str());
    let mut is_as_wanted = state.map_or(is_active, GroupSnapshot::group_unchanged);
    if !context.may_change_guarded {
        is_as_wanted = is_as_wanted.and(Condition::absent(Attribute::Guard));
    }
    let mut writes = vec![Write::Check(Key::group(group), is_as_wanted)];
    writes.extend(schedules.flat_map(|(account, schedule)| schedule.writes(group, account, context)));
    writes.extend(state.into_iter().flat_map(|state| state.require_shards(&BTreeSet::new())));
    writes
}

impl Store {
    /// Cancels the schedules of accounts that are to be removed and are no direct members. One `BatchGetItem` where there are such accounts.
    pub(super) async fn schedules_to_cancel(
        &self,
        group: &GroupId,
        changes: &[(usize, &MemberChange)],
        rows: &Snapshot,
    ) -> Result<BTreeMap<AccountId, Schedule>, Error> {
        let mut accounts = Vec::new();
        for (_, change) in changes {
            if let MemberChange::Remove(account) = change
                && rows.member(group, account)?.is_none_or(|item| !item.direct)
            {
                accounts.push(account);
            }
        }
        let keys: Vec<Key> = accounts.iter().map(|account| Key::audit_record(group, account)).collect();
        let audit_records = Snapshot::read(&self.table, &keys).await?;
        let mut schedules = BTreeMap::new();
        for account in accounts {
            let starts_at = audit_records.audit_record(group, account)?.and_then(|record| record.starts_at);
            schedules.extend(starts_at.map(|starts_at| (account.clone(), Schedule::Cancel { starts_at })));
        }
        Ok(schedules)
    }
}
