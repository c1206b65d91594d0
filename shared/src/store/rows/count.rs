//! The count shards of a group. Their sum is the number of its members.

use std::iter::Sum;
use std::ops::Add;

use serde::Deserialize;

use crate::domain::{Group, GroupId};

/// A count shard of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountShard {
    /// The group.
    pub group: GroupId,
    /// The number of the shard, from 0.
    pub number: usize,
}

/// The counts in a shard. A row that is missing counts nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ShardCounts {
    /// Members.
    pub members: i64,
    /// Direct members.
    pub direct_members: i64,
}

/// A count shard's row, or the sum of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in crate::store) struct CountItem {
    members: i64,
    direct_members: i64,
    /// Counts the changes. The sum of all shards grows with each change.
    pub(in crate::store) revision: i64,
    /// Whether the group's mark is here too (`groups/guard.rs`).
    #[serde(default)]
    pub(in crate::store) guard: bool,
}

impl Add for CountItem {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            direct_members: self.direct_members + other.direct_members,
            revision: self.revision + other.revision,
            guard: self.guard || other.guard,
        }
    }
}

impl Sum for CountItem {
    fn sum<I: Iterator<Item = Self>>(shards: I) -> Self {
        shards.fold(Self::default(), Add::add)
    }
}

impl CountItem {
    pub(in crate::store) const fn counts(self) -> ShardCounts {
        ShardCounts { members: self.members, direct_members: self.direct_members }
    }

    /// The group with these counts in place of the copies in its row, and with the changes that they count.
    pub(in crate::store) fn exact(self, group: Group) -> Group {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let revision = group.revision + count(self.revision);
        Group { member_count: count(self.members), direct_member_count: count(self.direct_members), revision, ..group }
    }
}
