//! The two rows of a nesting: the child in the parent's partition, the parents in the child's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Actor, Edge, EdgeId, GroupId, Timestamp};
use crate::store::keys::Attribute;
use crate::store::table::Condition;

/// A group nested directly in another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct ChildItem {
    pub(in crate::store) edge_id: EdgeId,
    /// When it was nested; absent in rows of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) nested_at: Option<Timestamp>,
    /// Who nested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) nested_by: Option<Actor>,
}

/// The parents of a group. The row stays when the last parent goes, so that no value of `rev` is used twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct NestingItem {
    pub(in crate::store) parents: BTreeMap<GroupId, EdgeId>,
    pub(in crate::store) rev: u64,
    /// The parent that was added or removed last; absent in rows of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) changed_parent: Option<GroupId>,
    /// Who last changed the parents; absent in rows of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) actor: Option<Actor>,
    /// When they were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) changed_at: Option<Timestamp>,
}

impl NestingItem {
    /// The row is as it was read, or there is still none.
    pub(in crate::store) fn unchanged_since_read(read: Option<&Self>) -> Condition {
        read.map_or_else(Condition::row_absent, |item| Condition::equals(Attribute::Rev, item.rev.cast_signed()))
    }

    /// The edges to the parents.
    pub(in crate::store) fn edges(&self) -> Vec<Edge> {
        self.parents.iter().map(|(parent, id)| Edge { parent: *parent, id: *id }).collect()
    }
}
