//! Reads the groups and edges of changed members, to decide the effects of the change.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::{AccountId, Actor, Edge, EdgeId, Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Key, Range};
use crate::store::rows::{ChildItem, MemberItem, NestingItem, Snapshot, from_row};
use crate::store::table::QuerySpec;

/// The state of an edge, as serialized reads see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EdgeState {
    /// It is there, and so are both groups.
    Present,
    /// It is there, but one of its groups is being deleted.
    GroupDeleted,
    /// It is there, but the parent's row is gone.
    ParentGone,
    /// It was deleted, and never returns.
    Deleted,
}

/// The state of the groups and edges of changed member rows.
#[derive(Debug, Default)]
pub(crate) struct GroupsAndEdges {
    /// The edges from each group to its parents.
    pub parents: HashMap<GroupId, Vec<Edge>>,
    /// Groups that are deleted or being deleted, each with who deleted it, where that is still known.
    pub deleted_groups: HashMap<GroupId, Option<Actor>>,
    /// Edges that were deleted.
    pub deleted_edges: HashSet<Edge>,
}

impl Store {
    /// Returns the edges from a group to its parents. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn parents(&self, group: &GroupId) -> Result<Vec<Edge>, Error> {
        let Some(row) = self.table.get(&Key::nesting(group)).await? else { return Ok(Vec::new()) };
        let (_, item): (_, NestingItem) = from_row(row)?;
        Ok(item.edges())
    }

    /// Returns the edges to the groups nested directly in a group, in any state. One `Query`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn children(&self, group: &GroupId) -> Result<Vec<Edge>, Error> {
        let rows = self.table.query(QuerySpec::all(&Range::Children(*group))).await?;
        let edge = |row| from_row(row).map(|(_, item): (_, ChildItem)| Edge { parent: *group, id: item.edge_id });
        rows.into_iter().map(edge).collect()
    }

    /// Returns the state of an edge. Every later read sees the same or a later state. One `TransactGetItems`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn edge_state(&self, edge: &Edge) -> Result<EdgeState, Error> {
        let (parent, child) = (edge.parent, edge.child());
        let keys = [Key::child(&parent, &child), Key::nesting(&child), Key::group(&parent), Key::group(&child)];
        let rows = Snapshot::read_serialized(&self.table, &keys).await?;
        if !rows.has_edge(edge)? {
            return Ok(EdgeState::Deleted);
        }
        if !rows.exists(&Key::group(&parent)) {
            return Ok(EdgeState::ParentGone);
        }
        let is_active = rows.group(&parent)?.is_some() && rows.group(&child)?.is_some();
        Ok(if is_active { EdgeState::Present } else { EdgeState::GroupDeleted })
    }

    /// Returns the state of the groups and edges of member rows. One `BatchGetItem` for each hundred rows.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn groups_and_edges(
        &self,
        groups: &BTreeSet<GroupId>,
        edges: &BTreeSet<Edge>,
    ) -> Result<GroupsAndEdges, Error> {
        let keys: BTreeSet<Key> = groups
            .iter()
            .flat_map(|group| [Key::group(group), Key::nesting(group)])
            .chain(edges.iter().map(|edge| Key::nesting(&edge.child())))
            .collect();
        let rows = Snapshot::read(&self.table, &keys.into_iter().collect::<Vec<_>>()).await?;
        let mut context = GroupsAndEdges::default();
        for group in groups {
            context.parents.insert(*group, rows.parents(group)?);
            if rows.group(group)?.is_none() {
                let deleted_by = rows.group_row(group)?.and_then(|item| item.actor.clone());
                context.deleted_groups.insert(*group, deleted_by);
            }
        }
        for edge in edges {
            if !rows.parents(&edge.child())?.contains(edge) {
                context.deleted_edges.insert(*edge);
            }
        }
        Ok(context)
    }

    /// Returns the edges that a member is inherited through; none where there is no such member. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn edges_of_member(&self, group: &GroupId, account: &AccountId) -> Result<Vec<EdgeId>, Error> {
        let Some(row) = self.table.get(&Key::member(group, account)).await? else { return Ok(Vec::new()) };
        let (_, member): (_, MemberItem) = from_row(row)?;
        Ok(member.via.into_iter().collect())
    }
}
