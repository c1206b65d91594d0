//! Memberships with a start or an end. The sweep starts and ends them; single reads go by the clock and do not wait for it.
//! `tests/model/expiry.rs` checks the protocol and shows that each of its conditions is needed.
//!
//! A row in a partition of due memberships says only "look at this membership from this time on". The sweep decides by the rows of
//! the membership, and moves the row on to the next time: so repeated, late and stale looks do no harm.

use std::collections::{BTreeSet, HashMap};

use futures::future::try_join_all;

use super::audit::{ChangeContext, ChangeOrigin, require_unchanged};
use super::change::{MAX_CONFLICTS, Plan};
use super::commit::look_from;
use super::plan::{DirectChange, MemberPlan, Reach};
use crate::domain::{AccountId, Actor, Error, ExpiryNotice, GroupId, MemberChange, Membership, Timestamp, Validity};
use crate::store::Store;
use crate::store::keys::{Attribute, DUE_PARTITIONS, Key, Range};
use crate::store::rows::{AuditItem, EndsItem, MemberItem, Snapshot};
use crate::store::table::{Attempt, Condition, ConflictLimit, QuerySpec, Update, Write};

/// A membership to look at, from a time on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueMembership {
    /// The time.
    pub at: Timestamp,
    /// The group.
    pub group: GroupId,
    /// The account.
    pub account: AccountId,
}

impl DueMembership {
    fn key(&self) -> Key {
        Key::due(self.at, &self.group, &self.account)
    }
}

/// The rows of a membership that is due.
struct DueRows {
    rows: Snapshot,
    member: Option<MemberItem>,
    audit_record: AuditItem,
    ends: EndsItem,
}

impl DueRows {
    /// When a schedule starts that is due.
    fn start(&self, now: Timestamp) -> Option<Timestamp> {
        self.audit_record.starts_at.filter(|at| *at <= now)
    }

    /// When the direct membership ends, where there is one.
    fn end(&self) -> Option<Timestamp> {
        self.member.as_ref().filter(|item| item.direct)?.ends_at
    }

    /// The end to announce now.
    fn announcement(&self, notice: ExpiryNotice, now: Timestamp) -> Option<Timestamp> {
        let is_news = |end: &Timestamp| *end > now && self.audit_record.announced_end != Some(*end);
        let end = self.end().filter(is_news)?;
        notice.announced_at(end).filter(|at| *at <= now).map(|_| end)
    }

    /// The next time at which something is to be done.
    fn next(&self, notice: ExpiryNotice, now: Timestamp) -> Option<Timestamp> {
        let end = self.end();
        let announcement = end.and_then(|end| notice.announced_at(end)).filter(|at| *at > now);
        [self.audit_record.starts_at, announcement.or(end)].into_iter().flatten().min()
    }
}

impl Store {
    /// Lists memberships to look at until now, up to `limit` of each partition. One `Query` for each partition, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn due_memberships(&self, limit: usize, now: Timestamp) -> Result<Vec<DueMembership>, Error> {
        let partitions = (0..DUE_PARTITIONS).map(|partition| async move {
            let range = Range::Due(partition, now);
            self.table.query(QuerySpec { wanted: Some(limit), ..QuerySpec::all(&range) }).await
        });
        let rows = try_join_all(partitions).await?.into_iter().flatten();
        let due = rows.filter_map(|row| Key::from_row(&row)?.as_due());
        Ok(due.map(|(at, group, account)| DueMembership { at, group, account }).collect())
    }

    /// Starts, announces or ends a membership, as its time has come, and notes when to look next. A `BatchGetItem` and a transaction; for
    /// a start or an end also the requests of a change of the member, and another `BatchGetItem`.
    ///
    /// # Errors
    /// The table did not respond. The membership is still due.
    pub async fn apply_due(&self, due: &DueMembership, notice: ExpiryNotice, now: Timestamp) -> Result<(), Error> {
        self.table.retry_on_conflict(ConflictLimit::RECONCILIATION, || self.try_to_apply_due(due, notice, now)).await
    }

    async fn try_to_apply_due(
        &self,
        due: &DueMembership,
        notice: ExpiryNotice,
        now: Timestamp,
    ) -> Result<Attempt<()>, Error> {
        let mut read = self.read_due(due).await?;
        if let Some(starts_at) = read.start(now) {
            if !self.start(due, starts_at, &read, now).await? {
                return Ok(Attempt::Conflict);
            }
            read = self.read_due(due).await?;
        }
        // Also where the member row shows the end already: those of the groups above may not.
        if read.ends.of(&due.group).or(read.end()).is_some_and(|end| end <= now) {
            if !self.end(due, now).await? {
                return Ok(Attempt::Conflict);
            }
            read = self.read_due(due).await?;
        }
        self.look_later(due, &read, notice, now).await
    }

    async fn read_due(&self, DueMembership { group, account, .. }: &DueMembership) -> Result<DueRows, Error> {
        let keys = [
            Key::group(group),
            Key::member(group, account),
            Key::audit_record(group, account),
            Key::ends(account),
            Key::account(account),
        ];
        let rows = Snapshot::read(&self.table, &keys).await?;
        Ok(DueRows {
            member: rows.member(group, account)?.cloned(),
            audit_record: rows.audit_record(group, account)?.cloned().unwrap_or_default(),
            ends: rows.ends(account)?,
            rows,
        })
    }

    /// Starts a scheduled membership, or drops the schedule where it cannot start: without the group or the account, in a group that has
    /// become privileged, after its end. Returns whether the schedule was still as read.
    async fn start(
        &self,
        DueMembership { group, account, .. }: &DueMembership,
        starts_at: Timestamp,
        read: &DueRows,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let record = &read.audit_record;
        let may_change_guarded = record.scheduled_for_guarded;
        let drop_schedule = || async {
            let update = Update::of(Key::audit_record(group, account)).remove(Attribute::StartsAt);
            let unchanged = Condition::equals(Attribute::StartsAt, starts_at);
            self.table.transact(vec![update.when(unchanged).into()]).await.map(|commit| commit.is_done())
        };
        let Some(read_group) = read.rows.group(group)? else { return drop_schedule().await };
        match self.may_change(may_change_guarded, &read_group, now).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(Error::Guarded(_)) => return drop_schedule().await,
            Err(error) => return Err(error),
        }
        let account_row = read.rows.account(account)?;
        let was_deleted = account_row.zip(record.account_version).is_some_and(|(item, at)| item.was_deleted_since(at));
        let is_over = record.scheduled_end.is_some_and(|end| end <= now);
        let is_direct = read.member.as_ref().is_some_and(|item| item.direct && !item.has_expired(now));
        let validity = Validity { starts_at: None, expires_at: Some(record.scheduled_end) };
        let change = MemberChange::Add(account.clone(), validity);
        let direct = match Plan::of(group, &change, &read.rows, now)? {
            Plan::Change(_, direct) if !was_deleted && !is_over && !is_direct => direct,
            _ => return drop_schedule().await,
        };
        let actor = record.scheduled_by.clone().unwrap_or_else(Actor::expiry);
        let origin = ChangeOrigin::Scheduled(starts_at);
        let context = ChangeContext { actor: &actor, now, origin, may_change_guarded };
        self.commit_all_levels(group, &change, &context, |_| Some(direct)).await
    }

    /// Ends a direct membership that has expired, in all groups above. Returns whether all of them show it.
    async fn end(&self, DueMembership { group, account, .. }: &DueMembership, now: Timestamp) -> Result<bool, Error> {
        let actor = Actor::expiry();
        let context = ChangeContext::derived(&actor, now);
        let is_over = |member: Option<&MemberItem>| member.is_none_or(|item| !item.direct || item.has_expired(now));
        let change = MemberChange::Remove(account.clone());
        let end = |member: Option<&MemberItem>| is_over(member).then_some(DirectChange::END);
        self.commit_all_levels(group, &change, &context, end).await
    }

    /// Commits a change of a direct membership through all levels, as `decide` wants it on the member row. Returns whether all of it is
    /// committed. Does nothing in a deleted group, whose members go with it.
    async fn commit_all_levels(
        &self,
        group: &GroupId,
        change: &MemberChange,
        context: &ChangeContext<'_>,
        decide: impl FnOnce(Option<&MemberItem>) -> Option<DirectChange>,
    ) -> Result<bool, Error> {
        let account = change.account();
        let mut plan = MemberPlan::new(Reach::AllLevels, Some(context.actor), context.now);
        let rows = self.read_for_changes(group, &[(0, change)], &mut plan).await?;
        let direct = decide(rows.member(group, account)?);
        let (Some(_), Some(direct)) = (rows.group(group)?, direct) else { return Ok(true) };
        plan.change_direct((*group, account.clone()), direct);
        self.read_ancestors_of(&mut plan).await?;
        let committed = self.commit_plan(&plan, None, context, Some(MAX_CONFLICTS)).await;
        let is_all = committed.not_committed.is_empty() && committed.left_to_stream.is_empty();
        committed.error.map_or(Ok(is_all), Err)
    }

    /// Moves the due row on to the next time, or deletes it. Requires the membership as read: another change may just have written the
    /// same due row.
    async fn look_later(
        &self,
        due: &DueMembership,
        read: &DueRows,
        notice: ExpiryNotice,
        now: Timestamp,
    ) -> Result<Attempt<()>, Error> {
        let DueMembership { group, account, .. } = due;
        let key = Key::audit_record(group, account);
        let same_schedule = Condition::equals_or_absent(Attribute::StartsAt, read.audit_record.starts_at);
        let audit_record = match read.announcement(notice, now) {
            Some(end) => Update::of(key).set(Attribute::AnnouncedEnd, end).when(same_schedule).into(),
            None => Write::Check(key, same_schedule),
        };
        let mut writes = vec![require_unchanged(group, account, read.member.as_ref()), audit_record];
        let noted = read.ends.of(group);
        if let Some(noted) = noted.filter(|_| noted != read.end()) {
            let forget = Update::of(Key::ends(account)).remove(*group);
            writes.push(forget.when(Condition::equals(*group, noted)).into());
        }
        let next = read.next(notice, now);
        writes.extend(next.map(|at| look_from(at, group, account)));
        if next != Some(due.at) {
            writes.push(Write::delete(due.key()));
        }
        Ok(self.table.transact(writes).await?.attempt(()))
    }

    /// Returns the memberships of an account in these groups that are in force now, while rows do not show yet that a direct membership
    /// has ended. One `BatchGetItem` for each level of nested groups that the account is in.
    ///
    /// # Errors
    /// The table did not respond.
    pub(in crate::store) async fn memberships_in_force(
        &self,
        account: &AccountId,
        groups: BTreeSet<GroupId>,
        now: Timestamp,
    ) -> Result<HashMap<GroupId, Membership>, Error> {
        let mut found: HashMap<GroupId, MemberItem> = HashMap::new();
        let (mut seen, mut level) = (groups.clone(), groups);
        while !level.is_empty() {
            let keys: Vec<Key> = level.iter().map(|group| Key::member(group, account)).collect();
            let rows = Snapshot::read(&self.table, &keys).await?;
            let mut below = BTreeSet::new();
            for group in level {
                let Some(item) = rows.member(&group, account)? else { continue };
                below.extend(item.via.iter().map(|edge| edge.child()).filter(|child| seen.insert(*child)));
                found.insert(group, item.clone());
            }
            level = below;
        }
        Ok(in_force(&found, now))
    }
}

/// The memberships that a direct one of now leads to, from below.
fn in_force(found: &HashMap<GroupId, MemberItem>, now: Timestamp) -> HashMap<GroupId, Membership> {
    let mut in_force: HashMap<GroupId, Membership> = HashMap::new();
    loop {
        let mut is_final = true;
        for (group, item) in found {
            let via = item.via.iter().filter(|edge| in_force.contains_key(&edge.child())).copied().collect();
            let membership = Membership { direct: item.direct && !item.has_expired(now), via };
            if membership.is_member() && in_force.get(group) != Some(&membership) {
                in_force.insert(*group, membership);
                is_final = false;
            }
        }
        if is_final {
            return in_force;
        }
    }
}
