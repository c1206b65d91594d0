//! The guard of privileged groups: a caller without the privileged role changes nothing that could alter who is in one.
//!
//! A group is guarded when it is privileged or has a mark. Before a group becomes privileged, or is nested in a guarded one, it and
//! all its descendants get marks. The mark is in the group's row and in its count shards, which every change of a direct member
//! writes: such a change depends on it without a row that all changes share. `tests/model/guard.rs` checks the protocol and shows
//! that each of its conditions is needed.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::domain::nesting::MAX_ANCESTORS;
use crate::domain::{Error, Group, GroupId, Guarded, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, COUNT_SHARDS, Key, Range};
use crate::store::rows::{AnyRow, GroupItem, NestingItem, Snapshot, State, decode_row};
use crate::store::table::{
    Attempt, Condition, ConflictLimit, MAX_ACTIONS, QuerySpec, SIDE_BY_SIDE, Update, Write, random_text, unreadable,
};
use crate::telemetry::{Counter, count};

/// How long a mark may wait for the change that it was written for: longer than the function of any request runs, which has ten
/// seconds. A wrong clock may delay somebody, and nothing else.
const PENDING_SECONDS: i64 = 15;

/// After more conflicts with other transactions than this, the shards of a group are marked one by one.
const MAX_CONFLICTS: usize = 3;

/// A group above one that is guarded, or that one itself.
struct Ancestor {
    item: GroupItem,
    nesting: Option<NestingItem>,
}

impl Store {
    /// Whether a change may go on that read this group. `false` means that a mark was left over and is removed now: the group must be
    /// read again. No request for a caller with the role, and for a group that is not guarded; else a `BatchGetItem` for
    /// each level above.
    ///
    /// # Errors
    /// [`Error::Guarded`] for a caller without the role. [`Error::Unavailable`] while a group above is becoming privileged.
    pub(in crate::store) async fn may_change(
        &self,
        may_change_guarded: bool,
        group: &Group,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if may_change_guarded || !group.is_guarded {
            return Ok(true);
        }
        let attempt = || self.try_to_remove_marks(&group.id, now);
        self.table.retry_on_conflict(ConflictLimit::PENDING_MARK, attempt).await?;
        Ok(false)
    }

    /// Removes the marks of a group and of its ancestors, those of parents before those of their children. One `BatchGetItem` for each
    /// level, one for all, and a transaction for each mark.
    async fn try_to_remove_marks(&self, group: &GroupId, now: Timestamp) -> Result<Attempt<()>, Error> {
        let mut ancestors = self.read_guarded_ancestors(group).await?;
        // A mark may be removed if no parent has one that was read after it. On the way up, a parent may be read before its child.
        let rows = Snapshot::read(&self.table, &ancestors.keys().map(Key::group).collect::<Vec<_>>()).await?;
        for (id, ancestor) in &ancestors {
            let now_found = rows.group_row(id)?.and_then(|item| item.guard.as_ref());
            if now_found != ancestor.item.guard.as_ref() {
                return Ok(Attempt::Conflict);
            }
        }
        ancestors.retain(|_, ancestor| ancestor.item.guard.is_some());
        let is_pending = |ancestor: &Ancestor| {
            let age = ancestor.item.guarded_at.map(|at| now.unix_seconds() - at.unix_seconds());
            age.is_some_and(|age| age < PENDING_SECONDS)
        };
        if ancestors.values().any(is_pending) {
            return Ok(Attempt::Conflict);
        }
        while !ancestors.is_empty() {
            let parents = |ancestor: &Ancestor| {
                ancestor.nesting.iter().flat_map(|item| item.parents.keys()).any(|it| ancestors.contains_key(it))
            };
            let Some(next) = ancestors.iter().find(|(_, it)| !parents(it)).map(|(id, _)| *id) else {
                return Ok(Attempt::Conflict);
            };
            let Some(ancestor) = ancestors.remove(&next) else { break };
            if !self.table.transact(ancestor.remove_mark(&next)).await?.is_done() {
                return Ok(Attempt::Conflict);
            }
        }
        Ok(Attempt::Done(()))
    }

    /// Reads a group and its ancestors, level by level.
    ///
    /// # Errors
    /// [`Error::Guarded`] names the nearest that is privileged.
    async fn read_guarded_ancestors(&self, group: &GroupId) -> Result<BTreeMap<GroupId, Ancestor>, Error> {
        let mut ancestors: BTreeMap<GroupId, Ancestor> = BTreeMap::new();
        let mut level = BTreeSet::from([*group]);
        while !level.is_empty() {
            let keys: Vec<Key> = level.iter().flat_map(|it| [Key::group(it), Key::nesting(it)]).collect();
            let rows = Snapshot::read(&self.table, &keys).await?;
            for id in &level {
                let Some(item) = rows.group_row(id)?.cloned() else { continue };
                if item.is_privileged() {
                    return Err(refuse(if id == group { Guarded::Privileged(*id) } else { Guarded::NestedIn(*id) }));
                }
                ancestors.insert(*id, Ancestor { item, nesting: rows.nesting(id)?.cloned() });
            }
            let parents = level.iter().filter_map(|id| ancestors.get(id)?.nesting.as_ref());
            let parents: BTreeSet<GroupId> = parents.flat_map(|item| item.parents.keys().copied()).collect();
            level = parents.into_iter().filter(|id| !ancestors.contains_key(id)).collect();
        }
        Ok(ancestors)
    }

    /// Marks a group and all its descendants, each before its children are read. Returns the group's own mark, which the commit that
    /// needs the marks must find unchanged. For each group a transaction, a `Query` and, where it has children, a
    /// `TransactGetItems` for each 99.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn mark_with_descendants(&self, group: &GroupId, now: Timestamp) -> Result<String, Error> {
        let mark = self.mark(group, now).await?;
        let mut level: BTreeSet<GroupId> = self.whole_children(group).await?.into_iter().collect();
        // A group that is reached again is marked again: a longer way to it may be the one that stays. A cycle, which only a
        // damaged table has, must not keep this going.
        for _ in 0..=MAX_ANCESTORS {
            if level.is_empty() {
                break;
            }
            let below = level.iter().map(|group| async move {
                self.mark(group, now).await?;
                self.whole_children(group).await
            });
            let below: Vec<Vec<GroupId>> =
                stream::iter(below.collect::<Vec<_>>()).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
            level = below.into_iter().flatten().collect();
        }
        Ok(mark)
    }

    /// Marks a group, if it exists. Returns the mark. One transaction; where others keep changing the group's members, one for its row and
    /// one for each shard, which meets fewer of them.
    async fn mark(&self, group: &GroupId, now: Timestamp) -> Result<String, Error> {
        let attempt = || self.try_to_mark(group, random_text(), now);
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, attempt).await
    }

    async fn try_to_mark(&self, group: &GroupId, mark: String, now: Timestamp) -> Result<Attempt<String>, Error> {
        let row = || {
            let update = Update::of(Key::group(group)).set(Attribute::Guard, &*mark).set(Attribute::GuardedAt, now);
            Write::from(update.when(Condition::row_exists()))
        };
        let mark_shards = || shards(group).map(|update| Write::from(update.set(Attribute::Guard, true)));
        let all = std::iter::once(row()).chain(mark_shards()).collect();
        if self.table.transact_unless_busy(all, MAX_CONFLICTS).await?.is_some() {
            return Ok(Attempt::Done(mark));
        }
        if !self.table.transact(vec![row()]).await?.is_done() {
            return Ok(Attempt::Done(mark));
        }
        for shard in mark_shards() {
            let still_marked = Write::Check(Key::group(group), Condition::equals(Attribute::Guard, &*mark));
            if !self.table.transact(vec![still_marked, shard]).await?.is_done() {
                return Ok(Attempt::Conflict);
            }
        }
        Ok(Attempt::Done(mark))
    }

    /// Returns all groups that were nested directly in a group at one moment. A plain read may see some of several changes and
    /// miss others.
    async fn whole_children(&self, group: &GroupId) -> Result<Vec<GroupId>, Error> {
        let attempt = || self.try_to_read_whole_children(group);
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, attempt).await
    }

    async fn try_to_read_whole_children(&self, group: &GroupId) -> Result<Attempt<Vec<GroupId>>, Error> {
        let (mut children, mut item) = (Vec::new(), None);
        for row in self.table.query(QuerySpec::all(&Range::ChildrenAndGroup(*group))).await? {
            let key = Key::from_row(&row).ok_or_else(|| unreadable("row key"))?;
            match (key.as_child(), decode_row(&key, row)?) {
                (Some((_, child)), _) => children.push(child),
                (_, AnyRow::Group(_, found)) => item = Some(found),
                _ => {}
            }
        }
        let Some(item) = item else { return Ok(Attempt::Done(Vec::new())) };
        let mut is_whole = item.nested_group_count == children.len() as u64;
        for chunk in children.chunks(MAX_ACTIONS - 1) {
            let keys: Vec<Key> = chunk.iter().map(|child| Key::child(group, child)).collect();
            let rows =
                Snapshot::read_serialized(&self.table, &[keys.as_slice(), &[Key::group(group)]].concat()).await?;
            let found = rows.group_row(group)?.map(|found| found.nesting_revision);
            is_whole &= found == Some(item.nesting_revision) && keys.iter().all(|key| rows.exists(key));
        }
        Ok(Attempt::when(is_whole, children))
    }
}

impl Ancestor {
    /// Removes the mark that was read, if the group has the same parents and is not privileged.
    fn remove_mark(self, group: &GroupId) -> Vec<Write> {
        let Self { item, nesting } = self;
        let not_privileged = Condition::equals(Attribute::IsPrivileged, false)
            .or(Condition::equals(Attribute::State, State::Deleting.as_str()));
        let update = Update::of(Key::group(group))
            .remove(Attribute::Guard)
            .remove(Attribute::GuardedAt)
            .when(Condition::equals_or_absent(Attribute::Guard, item.guard))
            .when(not_privileged);
        let same_parents = NestingItem::unchanged_since_read(nesting.as_ref());
        let mut writes = vec![update.into(), Write::Check(Key::nesting(group), same_parents)];
        writes.extend(shards(group).map(|update| update.remove(Attribute::Guard).into()));
        writes
    }
}

/// Updates of a group's count shards that leave their counts. They also create those that are missing.
fn shards(group: &GroupId) -> impl Iterator<Item = Update> {
    (0..COUNT_SHARDS).map(|shard| {
        Update::of(Key::count(group, shard))
            .add(Attribute::Members, 0)
            .add(Attribute::DirectMembers, 0)
            .add(Attribute::Revision, 0)
    })
}

/// Counts a refusal: somebody may be trying doors.
pub(in crate::store) fn refuse(reason: Guarded) -> Error {
    count(Counter::GuardRefusals, 1.0);
    Error::Guarded(reason)
}

/// Requires that a row has no mark, unless the caller may change guarded groups.
pub(in crate::store) fn unless_guarded(update: Update, may_change_guarded: bool) -> Update {
    if may_change_guarded { update } else { update.when(Condition::absent(Attribute::Guard)) }
}
