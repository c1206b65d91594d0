//! Memberships at a point in time: present ones, with the changes since then taken back.
//!
//! The stream writes history shortly after a change. The audit record of a membership, which is written with the change, shows
//! whether the last change is in history yet: a reading that finds it missing is repeated.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::authz::{Granted, Read};
use crate::domain::{
    Account, AccountId, AccountVersion, Cursor, Error, Group, GroupId, Limit, Member, MembershipType, Missing, Moment,
    Page, PastGroup, PastMembership, Period, Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Attributes, Key, Range};
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::{AccountItem, AuditItem, DeletedGroupItem, GroupItem, HistoryItem, MirrorItem, from_row};
use crate::store::table::{Attempt, ConflictLimit, QuerySpec, Row, TypedRows, unreadable};

/// The stream keeps a record for a day (Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"). A change of
/// before then that is not in history will never be.
const STREAM_SECONDS: i64 = 24 * 60 * 60;

/// A time, and the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointInTime {
    /// The time asked about: after all changes of this second.
    pub at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// A membership at a point in time, as far as it is known.
enum MembershipAt {
    Known(Option<PastMembership>),
    /// It changed at this time, which is later, and history lacks what was before.
    ChangedAt(Timestamp),
}

/// The changes of one membership that history has since a point in time, by revision.
type MembershipChanges = BTreeMap<u64, (Timestamp, HistoryItem)>;

impl PointInTime {
    /// The membership before the first change after this time or, where none follows, the present one. A clock that steps back
    /// between two changes lets the second appear with the first.
    fn membership(
        self,
        changes: Option<&MembershipChanges>,
        present: Option<&AuditItem>,
        is_group_deleted: bool,
    ) -> Result<MembershipAt, Error> {
        let later = changes.into_iter().flat_map(BTreeMap::values).find(|(changed_at, _)| *changed_at > self.at);
        if let Some((_, change)) = later {
            return match change.before_since {
                Some(since) if since > self.at => Ok(MembershipAt::ChangedAt(since)),
                _ => change.membership_before().map(MembershipAt::Known),
            };
        }
        let Some(present) = present else { return Ok(MembershipAt::Known(None)) };
        Ok(match present.changed_at.filter(|changed_at| *changed_at > self.at) {
            None => MembershipAt::Known(present.past_membership()),
            // Its deletion may write the audit record of an account that had left before: history has no such change.
            Some(changed_at) if is_group_deleted && !self.awaits(changed_at) => MembershipAt::Known(None),
            Some(changed_at) => MembershipAt::ChangedAt(changed_at),
        })
    }

    /// Whether history may still get a change of this time.
    fn awaits(self, changed_at: Timestamp) -> bool {
        self.now.unix_seconds() - changed_at.unix_seconds() < STREAM_SECONDS
    }

    /// The period after this time.
    fn since(self) -> Period {
        Period { since: Some(Timestamp::from_unix_seconds(self.at.unix_seconds() + 1)), until: None }
    }

    /// The memberships that there were, or a conflict while history lacks a change.
    fn memberships<K: Ord>(
        self,
        known: impl Iterator<Item = Result<(K, MembershipAt), Error>>,
    ) -> Result<Attempt<BTreeMap<K, PastMembership>>, Error> {
        let (mut memberships, mut missing) = (BTreeMap::new(), None);
        for known in known {
            match known? {
                (key, MembershipAt::Known(Some(membership))) => drop(memberships.insert(key, membership)),
                (_, MembershipAt::Known(None)) => {}
                (_, MembershipAt::ChangedAt(changed_at)) => missing = missing.max(Some(changed_at)),
            }
        }
        match missing {
            None => Ok(Attempt::Done(memberships)),
            Some(changed_at) if self.awaits(changed_at) => Ok(Attempt::Conflict),
            Some(changed_at) => Err(Error::BeforeHistory(changed_at)),
        }
    }
}

impl Store {
    /// Lists the accounts that were members of a group, by id, with how many there were; with the present fields of each account. Also
    /// for a group that was deleted since. Each page reads, side by side, the audit records of the group and the history since then:
    /// one `Query` for each megabyte of either, and a `BatchGetItem` of the group; then a `BatchGetItem` for each hundred accounts of the page.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`], [`Error::BeforeHistory`].
    pub async fn list_members_at(
        &self,
        _: &Granted<Read>,
        id: &GroupId,
        time: PointInTime,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<(Page<Member>, u64), Error> {
        let scope = scope("members of group at", &id.to_string(), time, only);
        let after: Option<AccountId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let mut members = self.table.retry_on_conflict(ConflictLimit::HISTORY, || self.members_at(id, time)).await?;
        members.retain(|_, it| only.is_none_or(|only| it.membership.membership_type() == only));
        let count = members.len() as u64;
        let members = members.into_iter().filter(|(account, _)| after.as_ref().is_none_or(|after| account > after));
        let members: Vec<_> = members.take(limit.items() + 1).collect();
        let keys: Vec<Key> = members.iter().map(|(account, _)| Key::account(account)).collect();
        let mut accounts = self.table.batch_get(&keys).await?;
        let member = |(id, PastMembership { membership, added_at }): (AccountId, PastMembership)| {
            let account = accounts.remove(&Key::account(&id)).map(from_row::<AccountItem>).transpose()?;
            let account = account.and_then(|(_, item)| item.active(&id));
            let account = account.unwrap_or_else(|| deleted_account(id));
            // History does not have when a membership is to end.
            Ok(Member { account, membership, added_at, expires_at: None })
        };
        let members = members.into_iter().map(member).collect::<Result<_, Error>>()?;
        Ok((cut_page(members, limit, &scope, |member: &Member| member.account.id.clone()), count))
    }

    async fn members_at(
        &self,
        id: &GroupId,
        time: PointInTime,
    ) -> Result<Attempt<BTreeMap<AccountId, PastMembership>>, Error> {
        let (audit_records, history) = (Range::AuditRecords(*id), Range::GroupHistory(*id, time.since()));
        let keys = [Key::group(id), Key::deleted_group(id)];
        let (rows, audit_records, history) = futures::future::try_join3(
            self.table.batch_get(&keys),
            self.table.query_typed::<AuditItem>(QuerySpec::all(&audit_records)),
            self.table.query_typed::<HistoryItem>(QuerySpec::all(&history)),
        )
        .await?;
        let (_, deleted_at) = past_group(&rows, id)?.ok_or(Missing::Group)?;
        if deleted_at.is_some_and(|it| it <= time.at) {
            return Err(Missing::Group.into());
        }
        let changes = changes_by(history, |item| item.account_id.clone())?;
        let mut present: BTreeMap<AccountId, AuditItem> = BTreeMap::new();
        for Row { key, item } in audit_records.all()? {
            let (_, account) = key.as_audit_record().ok_or_else(|| unreadable("audit record"))?;
            present.insert(account, item);
        }
        let accounts: BTreeSet<&AccountId> = changes.keys().chain(present.keys()).collect();
        let known =
            |id: &AccountId| Ok((id.clone(), time.membership(changes.get(id), present.get(id), deleted_at.is_some())?));
        time.memberships(accounts.into_iter().map(known))
    }

    /// Lists the groups that an account was in, by name without case, then id; also those that were deleted since, and for an account
    /// that was deleted since. One `Query` of the account and one of its history, side by side; then `BatchGetItem`s of the groups, and of
    /// the audit records in them.
    ///
    /// # Errors
    /// [`Missing::Account`], [`Error::ForeignCursor`], [`Error::BeforeHistory`].
    pub async fn list_memberships_at(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        time: PointInTime,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<PastGroup>, Error> {
        let scope = scope("groups of account at", account.as_str(), time, only);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let mut groups = self.memberships_at(account, time, only).await?;
        groups.retain(|it| after.as_ref().is_none_or(|after| it.group.list_position() > *after));
        groups.sort_by_cached_key(|it| it.group.list_position());
        Ok(cut_page(groups, limit, &scope, |it| it.group.list_position()))
    }

    /// Lists the ids of the groups that an account was in, by id. The requests of [`Store::list_memberships_at`].
    ///
    /// # Errors
    /// As there.
    pub async fn list_group_ids_at(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        time: PointInTime,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<GroupId>, Error> {
        let scope = scope("group ids of account at", account.as_str(), time, only);
        let after: Option<GroupId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let groups = self.memberships_at(account, time, only).await?.into_iter().map(|it| it.group.id);
        let mut ids: Vec<GroupId> = groups.filter(|id| after.is_none_or(|after| *id > after)).collect();
        ids.sort_unstable();
        Ok(cut_page(ids, limit, &scope, |id| *id))
    }

    async fn memberships_at(
        &self,
        account: &AccountId,
        time: PointInTime,
        only: Option<MembershipType>,
    ) -> Result<Vec<PastGroup>, Error> {
        let groups = || self.try_memberships_at(account, time);
        let mut groups = self.table.retry_on_conflict(ConflictLimit::HISTORY, groups).await?;
        groups.retain(|it| only.is_none_or(|only| it.membership.membership_type() == only));
        Ok(groups)
    }

    async fn try_memberships_at(
        &self,
        account: &AccountId,
        time: PointInTime,
    ) -> Result<Attempt<Vec<PastGroup>>, Error> {
        // The whole history: it has the groups that the account was in, of which the last change may not be there yet.
        let (mirrors, history) =
            (Range::AccountAndMirrors(account.clone()), Range::AccountHistory(account.clone(), Period::default()));
        let (mut mirrors, history): (TypedRows<MirrorItem>, TypedRows<HistoryItem>) = futures::future::try_join(
            self.table.query_typed(QuerySpec::all(&mirrors)),
            self.table.query_typed(QuerySpec::all(&history)),
        )
        .await?;
        let head = mirrors.take_head::<AccountItem>(&Key::account(account))?;
        head.ok_or_else(|| Missing::Account(account.to_string()))?;
        let changes = changes_by(history, |item| Some(item.group_id))?;
        let mirrored = mirrors.all()?.into_iter().filter_map(|Row { key, .. }| key.as_mirror());
        let groups: BTreeSet<GroupId> = mirrored.map(|(_, group)| group).chain(changes.keys().copied()).collect();
        let keys = |id: &GroupId| [Key::group(id), Key::deleted_group(id), Key::audit_record(id, account)];
        let rows = self.table.batch_get(&groups.iter().flat_map(keys).collect::<Vec<_>>()).await?;
        let past_groups = groups.iter().map(|id| Ok((*id, past_group(&rows, id)?)));
        let mut past_groups: HashMap<GroupId, _> = past_groups.collect::<Result<_, Error>>()?;
        let known = |id: GroupId| {
            let present = rows.get(&Key::audit_record(&id, account)).cloned().map(from_row).transpose()?;
            let (present, group) = (present.map(|(_, item)| item), &past_groups[&id]);
            let is_deleted = group.as_ref().is_none_or(|(_, deleted_at)| deleted_at.is_some());
            Ok((id, time.membership(changes.get(&id), present.as_ref(), is_deleted)?))
        };
        let Attempt::Done(memberships) = time.memberships(groups.into_iter().map(known))? else {
            return Ok(Attempt::Conflict);
        };
        let mut found = Vec::new();
        for (id, PastMembership { membership, .. }) in memberships {
            let newest = changes.get(&id).and_then(|changes| changes.values().next_back());
            match past_groups.remove(&id).flatten() {
                Some((_, Some(deleted_at))) if deleted_at <= time.at => {}
                Some((group, deleted_at)) => found.push(PastGroup { group, membership, deleted_at }),
                // The group's rows are gone, and history lacks the deletion so far.
                None if newest.is_some_and(|(changed_at, _)| time.awaits(*changed_at)) => return Ok(Attempt::Conflict),
                // It was deleted before history was kept.
                None => {}
            }
        }
        Ok(Attempt::Done(found))
    }
}

/// The changes of memberships in a history, by the account or the group.
fn changes_by<K: Ord>(
    history: TypedRows<HistoryItem>,
    key: impl Fn(&HistoryItem) -> Option<K>,
) -> Result<BTreeMap<K, MembershipChanges>, Error> {
    let mut changes: BTreeMap<K, MembershipChanges> = BTreeMap::new();
    for Row { key: row, item } in history.all()? {
        let changed_at = row.as_history().ok_or_else(|| unreadable("history row"))?;
        if let Some(key) = key(&item) {
            changes.entry(key).or_default().insert(item.revision, (changed_at, item));
        }
    }
    Ok(changes)
}

fn scope(list: &str, id: &str, time: PointInTime, only: Option<MembershipType>) -> Scope {
    Scope::new(list, &[id, &time.at.to_string(), only.map_or("", MembershipType::as_str)])
}

/// A group, or its last state with the time when it was deleted; `None` where no row of it was read.
fn past_group(rows: &HashMap<Key, Attributes>, id: &GroupId) -> Result<Option<(Group, Option<Timestamp>)>, Error> {
    let without_members =
        |group: Group| Group { member_count: 0, direct_member_count: 0, nested_group_count: 0, ..group };
    if let Some(row) = rows.get(&Key::group(id)) {
        let (key, item): (_, GroupItem) = from_row(row.clone())?;
        let (group, deleted_at) = (item.group(&key)?, item.updated_at);
        let is_active = item.is_active();
        return Ok(Some(if is_active { (group, None) } else { (without_members(group), Some(deleted_at)) }));
    }
    let Some(row) = rows.get(&Key::deleted_group(id)) else { return Ok(None) };
    let (_, item): (_, DeletedGroupItem) = from_row(row.clone())?;
    Ok(Some((without_members(item.group(id)?), Some(item.deleted_at))))
}

/// An account that was deleted since. Its name and address were forgotten.
fn deleted_account(id: AccountId) -> Account {
    let version = AccountVersion::at(Moment::EARLIEST);
    Account { id, name: String::new(), email: String::new(), status: "deleted".into(), version }
}
