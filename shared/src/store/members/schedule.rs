//! Memberships that start later. The schedule is in the audit record, where every later decision about the membership removes it.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::{ChangeContext, require_unchanged};
use super::commit::look_from;
use crate::domain::{AccountId, AccountVersion, Error, GroupId, MemberChange, Moment, Timestamp};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::keys::{Attribute, Key};
use crate::store::rows::{MemberItem, Snapshot, State};
use crate::store::table::{Condition, Update, Write};

/// A change of a schedule, with the member row as read: the account is no direct member.
#[derive(Debug, Clone)]
pub(super) enum Schedule {
    /// The membership starts at this time, in place of another one.
    Set { starts_at: Timestamp, ends_at: Option<Timestamp>, version: AccountVersion, member: Option<MemberItem> },
    /// The membership does not start at this time.
    Cancel { starts_at: Timestamp, member: Option<MemberItem> },
}

impl Schedule {
    /// The writes of one transaction. `state` is the state that the group must be in.
    pub(super) fn writes(
        self,
        group: &GroupId,
        account: &AccountId,
        state: Option<&GroupSnapshot>,
        context: &ChangeContext<'_>,
    ) -> Vec<Write> {
        let administered_at = Moment::from(context.now).unix_nanos();
        let audit_record =
            Update::of(Key::audit_record(group, account)).set(Attribute::AdministeredAt, administered_at);
        let (audit_record, member, due) = match self {
            Self::Set { starts_at, ends_at, version, member } => {
                let update = audit_record
                    .set(Attribute::StartsAt, starts_at)
                    .set_or_remove(Attribute::ScheduledEnd, Some(ends_at))
                    .set(Attribute::ScheduledBy, context.actor)
                    .set(Attribute::ScheduledForGuarded, context.may_change_guarded)
                    .set(Attribute::AccountVersion, version);
                (update, member, Some(look_from(starts_at, group, account)))
            }
            Self::Cancel { starts_at, member } => {
                let update = audit_record.remove(Attribute::StartsAt);
                (update.when(Condition::equals(Attribute::StartsAt, starts_at)), member, None)
            }
        };
        let is_active = Condition::equals(Attribute::State, State::Active.as_str());
        let is_as_wanted = state.map_or(is_active, GroupSnapshot::group_unchanged);
        let is_unguarded = (!context.may_change_guarded).then(|| Condition::absent(Attribute::Guard));
        let group_row = Condition::all([is_as_wanted].into_iter().chain(is_unguarded));
        let mut writes = vec![audit_record.into(), require_unchanged(group, account, member.as_ref())];
        writes.extend(group_row.map(|condition| Write::Check(Key::group(group), condition)));
        writes.extend(due);
        writes.extend(state.into_iter().flat_map(|state| state.require_shards(&BTreeSet::new())));
        writes
    }
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
            let member = rows.member(group, account)?.cloned();
            schedules.extend(starts_at.map(|starts_at| (account.clone(), Schedule::Cancel { starts_at, member })));
        }
        Ok(schedules)
    }
}
