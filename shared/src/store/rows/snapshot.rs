//! Rows that were read together, each decoded once.

use std::collections::HashMap;

use super::{
    AccountItem, AnyRow, AuditItem, ChildItem, EndsItem, GroupItem, ManagersItem, MemberItem, NestingItem, decode_row,
};
use crate::domain::{AccountId, Edge, Error, Group, GroupId, Job, JobKind};
use crate::store::keys::{Attributes, Key};
use crate::store::table::Table;

/// Rows that were read together, by key. Those that do not exist are absent. A row that cannot be decoded is an error only
/// for those who need it.
#[derive(Debug, Default)]
pub(in crate::store) struct Snapshot(HashMap<Key, Result<AnyRow, Error>>);

impl Snapshot {
    /// Reads rows by `BatchGetItem`, strongly consistent one by one: a transaction may be seen in part.
    pub(in crate::store) async fn read(table: &Table, keys: &[Key]) -> Result<Self, Error> {
        Ok(Self::decode(table.batch_get(keys).await?))
    }

    /// Reads rows by `TransactGetItems`, a hundred at a time: of each hundred, every transaction is seen whole or not at all.
    pub(in crate::store) async fn read_serialized(table: &Table, keys: &[Key]) -> Result<Self, Error> {
        Ok(Self::decode(table.transact_get(keys).await?))
    }

    fn decode(rows: HashMap<Key, Attributes>) -> Self {
        let decode = |(key, row)| {
            let row = decode_row(&key, row);
            (key, row)
        };
        Self(rows.into_iter().map(decode).collect())
    }

    fn row(&self, key: &Key) -> Result<Option<&AnyRow>, Error> {
        self.0.get(key).map(Result::as_ref).transpose().map_err(Error::clone)
    }

    /// Whether the row exists, even one that cannot be decoded.
    pub(in crate::store) fn exists(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// A group's row, in any state.
    pub(in crate::store) fn group_row(&self, id: &GroupId) -> Result<Option<&GroupItem>, Error> {
        Ok(match self.row(&Key::group(id))? {
            Some(AnyRow::Group(_, item)) => Some(item),
            _ => None,
        })
    }

    /// A group, unless it is being deleted.
    pub(in crate::store) fn group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        self.group_row(id)?.map_or(Ok(None), |item| item.active(&Key::group(id)))
    }

    pub(in crate::store) fn member(&self, group: &GroupId, id: &AccountId) -> Result<Option<&MemberItem>, Error> {
        Ok(match self.row(&Key::member(group, id))? {
            Some(AnyRow::Member(_, _, item)) => Some(item),
            _ => None,
        })
    }

    pub(in crate::store) fn account(&self, id: &AccountId) -> Result<Option<&AccountItem>, Error> {
        Ok(match self.row(&Key::account(id))? {
            Some(AnyRow::Account(_, item)) => Some(item),
            _ => None,
        })
    }

    /// The parents of a group, when its row exists.
    pub(in crate::store) fn nesting(&self, group: &GroupId) -> Result<Option<&NestingItem>, Error> {
        Ok(match self.row(&Key::nesting(group))? {
            Some(AnyRow::Nesting(item)) => Some(item),
            _ => None,
        })
    }

    /// The managers of a group.
    pub(in crate::store) fn managers(&self, group: &GroupId) -> Result<ManagersItem, Error> {
        Ok(match self.row(&Key::managers(group))? {
            Some(AnyRow::Managers(item)) => item.clone(),
            _ => ManagersItem::default(),
        })
    }

    /// The edges to the parents of a group.
    pub(in crate::store) fn parents(&self, group: &GroupId) -> Result<Vec<Edge>, Error> {
        Ok(self.nesting(group)?.map(NestingItem::edges).unwrap_or_default())
    }

    /// The edge by which one group is nested in another.
    pub(in crate::store) fn edge(&self, parent: &GroupId, child: &GroupId) -> Result<Option<Edge>, Error> {
        Ok(self.child(parent, child)?.map(|item| Edge { parent: *parent, id: item.edge_id }))
    }

    /// The row of a group nested directly in another.
    pub(in crate::store) fn child(&self, parent: &GroupId, child: &GroupId) -> Result<Option<&ChildItem>, Error> {
        Ok(match self.row(&Key::child(parent, child))? {
            Some(AnyRow::Child(_, item)) => Some(item),
            _ => None,
        })
    }

    /// Whether this very edge is there, and not a later one between the same groups.
    pub(in crate::store) fn has_edge(&self, edge: &Edge) -> Result<bool, Error> {
        Ok(self.edge(&edge.parent, &edge.child())? == Some(*edge))
    }

    pub(in crate::store) fn audit_record(&self, group: &GroupId, id: &AccountId) -> Result<Option<&AuditItem>, Error> {
        Ok(match self.row(&Key::audit_record(group, id))? {
            Some(AnyRow::Audit(_, _, item)) => Some(item),
            _ => None,
        })
    }

    /// The ends of an account's direct memberships.
    pub(in crate::store) fn ends(&self, account: &AccountId) -> Result<EndsItem, Error> {
        Ok(match self.row(&Key::ends(account))? {
            Some(AnyRow::Ends(item)) => item.clone(),
            _ => EndsItem::default(),
        })
    }

    pub(in crate::store) fn job(&self, kind: &JobKind) -> Result<Option<&Job>, Error> {
        Ok(match self.row(&Key::job(kind))? {
            Some(AnyRow::Job(job)) => Some(job),
            _ => None,
        })
    }
}
