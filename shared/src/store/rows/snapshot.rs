//! Rows that were read together, each decoded once.

use std::collections::HashMap;

use super::{AccountItem, AnyRow, AuditItem, GroupItem, MemberItem, NestingItem, decode_row};
use crate::domain::{AccountId, Edge, Error, Group, GroupId, Job, JobKind};
use crate::store::keys::{Attributes, Key};
use crate::store::table::Table;

/// Rows that were read together, by key. Those that do not exist are absent.
#[derive(Debug, Default)]
pub(in crate::store) struct Snapshot(HashMap<Key, AnyRow>);

impl Snapshot {
    /// Reads rows by `BatchGetItem`, strongly consistent one by one: a transaction may be seen in part.
    pub(in crate::store) async fn read(table: &Table, keys: &[Key]) -> Result<Self, Error> {
        Self::decode(table.batch_get(keys).await?)
    }

    /// Reads up to a hundred rows by `TransactGetItems`: each transaction is seen whole or not at all.
    pub(in crate::store) async fn read_serialized(table: &Table, keys: &[Key]) -> Result<Self, Error> {
        Self::decode(table.transact_get(keys).await?)
    }

    fn decode(rows: HashMap<Key, Attributes>) -> Result<Self, Error> {
        rows.into_values().map(decode_row).collect::<Result<_, _>>().map(Self)
    }

    /// A group's row, in any state.
    pub(in crate::store) fn group_row(&self, id: &GroupId) -> Option<&GroupItem> {
        match self.0.get(&Key::group(id))? {
            AnyRow::Group(_, item) => Some(item),
            _ => None,
        }
    }

    /// A group, unless it is being deleted.
    pub(in crate::store) fn group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        self.group_row(id).cloned().map_or(Ok(None), |item| item.active(&Key::group(id)))
    }

    /// Whether a group exists and is not being deleted.
    pub(in crate::store) fn is_active(&self, id: &GroupId) -> bool {
        self.group_row(id).is_some_and(GroupItem::is_active)
    }

    pub(in crate::store) fn member(&self, group: &GroupId, account: &AccountId) -> Option<&MemberItem> {
        match self.0.get(&Key::member(group, account))? {
            AnyRow::Member(_, _, item) => Some(item),
            _ => None,
        }
    }

    pub(in crate::store) fn account(&self, id: &AccountId) -> Option<&AccountItem> {
        match self.0.get(&Key::account(id))? {
            AnyRow::Account(_, item) => Some(item),
            _ => None,
        }
    }

    /// The parents of a group, when its row was found.
    pub(in crate::store) fn nesting(&self, group: &GroupId) -> Option<&NestingItem> {
        match self.0.get(&Key::nesting(group))? {
            AnyRow::Nesting(item) => Some(item),
            _ => None,
        }
    }

    /// The edges to the parents of a group.
    pub(in crate::store) fn parents(&self, group: &GroupId) -> Vec<Edge> {
        self.nesting(group).map(NestingItem::edges).unwrap_or_default()
    }

    /// The edge by which one group is nested in another.
    pub(in crate::store) fn edge(&self, parent: &GroupId, child: &GroupId) -> Option<Edge> {
        match self.0.get(&Key::child(parent, child))? {
            AnyRow::Child(edge) => Some(*edge),
            _ => None,
        }
    }

    /// Whether this very edge is there, and not a later one between the same groups.
    pub(in crate::store) fn has_edge(&self, edge: &Edge) -> bool {
        self.edge(&edge.parent, &edge.child()) == Some(*edge)
    }

    pub(in crate::store) fn audit_record(&self, group: &GroupId, account: &AccountId) -> Option<&AuditItem> {
        match self.0.get(&Key::audit_record(group, account))? {
            AnyRow::Audit(_, _, item) => Some(item),
            _ => None,
        }
    }

    pub(in crate::store) fn job(&self, kind: &JobKind) -> Option<&Job> {
        match self.0.get(&Key::job(kind))? {
            AnyRow::Job(job) => Some(job),
            _ => None,
        }
    }
}
