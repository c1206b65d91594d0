//! The state of a group that a conditional write is for, and the conditions by which the write commits in that state only.

use std::collections::BTreeSet;

use super::Store;
use super::keys::{Attribute, COUNT_SHARDS, Key, Range};
use super::rows::{AnyRow, CountItem, CountShard, GroupItem, State, decode_row};
use super::table::{Condition, QuerySpec, Write, unreadable};
use crate::domain::{Error, Group, GroupId, Missing, Precondition};

/// A group as read, with the revisions of its count shards. Each change of a member raises one of them, each change of a nested
/// group that in the group's row.
#[derive(Debug, Clone)]
pub(in crate::store) struct GroupSnapshot {
    /// The group, with exact counts.
    pub(in crate::store) group: Group,
    nesting_revision: i64,
    /// `None` for a shard without a row.
    shards: [Option<i64>; COUNT_SHARDS],
}

impl Store {
    /// Requires that a group is as the request demands. Returns its state where the write must commit in that state; `None`
    /// where any is right. One `Query`, or no request for the latter.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::VersionMismatch`].
    pub(in crate::store) async fn require_state(
        &self,
        id: &GroupId,
        precondition: &Precondition,
    ) -> Result<Option<GroupSnapshot>, Error> {
        if precondition.only_at.is_none() {
            return Ok(None);
        }
        let state = self.group_snapshot(id).await?;
        precondition.check(state.group.tag())?;
        Ok(Some(state))
    }

    async fn group_snapshot(&self, id: &GroupId) -> Result<GroupSnapshot, Error> {
        let (rows, item) = self.shards_and_group(id).await?;
        let item = item.ok_or(Missing::Group)?;
        let group = item.active(&Key::group(id))?.ok_or(Missing::Group)?;
        let counts: CountItem = rows.iter().map(|(_, item)| *item).sum();
        let revision = |shard| rows.iter().find(|(row, _)| row.number == shard).map(|(_, item)| item.revision);
        let shards = std::array::from_fn(revision);
        Ok(GroupSnapshot { group: counts.exact(group), nesting_revision: item.nesting_revision, shards })
    }

    /// Returns the count shards and the row of a group, in any state of the group. One `Query`.
    pub(in crate::store) async fn shards_and_group(
        &self,
        id: &GroupId,
    ) -> Result<(Vec<(CountShard, CountItem)>, Option<GroupItem>), Error> {
        // Few rows: the decoder of long lists would make the stream consumer larger.
        let (mut shards, mut group) = (Vec::new(), None);
        for row in self.table.query(QuerySpec::all(&Range::CountsAndGroup(*id))).await? {
            let key = Key::from_row(&row).ok_or_else(|| unreadable("row key"))?;
            match decode_row(&key, row)? {
                AnyRow::Count(shard, item) => shards.push((shard, item)),
                AnyRow::Group(_, item) => group = Some(item),
                _ => {}
            }
        }
        Ok((shards, group))
    }
}

impl GroupSnapshot {
    /// The group's row is as read: its own fields and its nested groups.
    pub(in crate::store) fn group_unchanged(&self) -> Condition {
        Condition::equals(Attribute::State, State::Active.as_str())
            .and(Condition::equals(Attribute::Version, self.group.version.0.cast_signed()))
            .and(Condition::counts(Attribute::NestingRevision, self.nesting_revision))
    }

    /// The shard is as read.
    pub(in crate::store) fn shard_unchanged(&self, shard: usize) -> Condition {
        match self.shards[shard] {
            Some(revision) => Condition::equals(Attribute::Revision, revision),
            None => Condition::row_absent(),
        }
    }

    /// Requires that the shards are as read, but those that the transaction writes.
    pub(in crate::store) fn require_shards(&self, written: &BTreeSet<usize>) -> Vec<Write> {
        let others = (0..COUNT_SHARDS).filter(|shard| !written.contains(shard));
        others.map(|shard| Write::Check(Key::count(&self.group.id, shard), self.shard_unchanged(shard))).collect()
    }
}
