//! Which group is nested in which.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Store;
use super::cursor::Scope;
use super::expression::Expression;
use super::items::{ChildItem, NestingItem, State, read_edge_id, read_group, read_nesting, to_row};
use super::keys::{Attribute, Attributes, Key, Range};
use super::lists::page;
use super::table::Rows;
use super::transact::{self, Action, Commit};
use crate::authz::{Administer, Granted, Read, Settle};
use crate::aws::retry::Backoff;
use crate::domain::nesting::{MAX_ANCESTORS, MAX_CHILDREN};
use crate::domain::{
    Cursor, Edge, EdgeId, Error, Group, GroupId, Job, JobKind, Limit, Missing, Page, SortKey, Timestamp,
};

/// How often a nesting that others got in the way of is decided anew.
const ROUNDS: usize = 20;

/// A group as it is nested in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    /// The nested group.
    pub child: Group,
    /// The nesting.
    pub edge: Edge,
}

/// Where the groups above a group are nested: all that a nesting in it depends on.
#[derive(Default)]
struct Above {
    /// Of the group itself and of each above it, as it was read.
    nesting: BTreeMap<GroupId, Option<NestingItem>>,
    /// Which of its children each was found through.
    found_through: HashMap<GroupId, GroupId>,
}

/// A nesting about to be committed.
struct Nesting<'a> {
    edge: Edge,
    above: &'a Above,
    /// Where the child is nested so far.
    child: Option<NestingItem>,
    now: Timestamp,
    actor: &'a str,
}

impl Store {
    /// Nests one group in another, or finds it nested there. One `BatchGetItem`, one for each level above
    /// the first, one transaction, in which a job comes about that gives the parent the child's members.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::NestedGroup`], [`Error::Cycle`], [`Error::TooManyChildren`],
    /// [`Error::TooManyAncestors`].
    pub async fn nest_group(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        now: Timestamp,
    ) -> Result<Nested, Error> {
        if parent == child {
            self.find_group(parent).await?.ok_or(Missing::Group)?;
            return Err(Error::Cycle(vec![*parent, *child]));
        }
        let keys = [Key::group(parent), Key::group(child), Key::child(parent, child), Key::nesting(child)];
        let wanted = [keys.as_slice(), &[Key::nesting(parent)]].concat();
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for _ in 0..ROUNDS {
            let mut rows = self.table.batch_get(&wanted).await?;
            let group = read_group(rows.remove(&keys[0]))?.ok_or(Missing::Group)?;
            let nested = read_group(rows.remove(&keys[1]))?.ok_or_else(|| Missing::NestedGroup(child.to_string()))?;
            if let Some(id) = read_edge_id(rows.remove(&keys[2]))? {
                return Ok(Nested { child: nested, edge: Edge { parent: *parent, id } });
            }
            let child_nesting = read_nesting(rows.remove(&keys[3]))?;
            if group.nested_group_count >= MAX_CHILDREN {
                return Err(Error::TooManyChildren);
            }
            if child_nesting.as_ref().is_some_and(|item| item.parents.len() >= MAX_ANCESTORS) {
                return Err(Error::TooManyAncestors);
            }
            match self.groups_above(parent, child, rows, &HashSet::new()).await {
                // What is being deleted stands in nobody's way for long.
                Err(Error::Cycle(path)) => self.is_cycle_of_deleted(parent, child, path).await?,
                Err(error) => return Err(error),
                Ok(above) => {
                    let edge = Edge { parent: *parent, id: EdgeId::new(*child, fastrand::u64(..)) };
                    let child = child_nesting;
                    let nesting = Nesting { edge, above: &above, child, now, actor: granted.actor() };
                    if let Commit::Done = self.table.transact(nesting.actions()?).await? {
                        return Ok(Nested { child: nested, edge });
                    }
                }
            }
            backoff.pause().await?;
        }
        Err(Error::Unavailable { operation: transact::OPERATION })
    }

    /// Walks up from a group, level by level, but not over those that are left out. The rows are the first level's.
    ///
    /// # Errors
    /// [`Error::Cycle`] when it comes to the child, [`Error::TooManyAncestors`].
    async fn groups_above(
        &self,
        parent: &GroupId,
        child: &GroupId,
        mut rows: HashMap<Key, Attributes>,
        left_out: &HashSet<GroupId>,
    ) -> Result<Above, Error> {
        let mut above = Above::default();
        let mut level = vec![*parent];
        while !level.is_empty() {
            let mut next = Vec::new();
            for group in &level {
                let nesting = read_nesting(rows.remove(&Key::nesting(group)))?;
                let parents: Vec<GroupId> = nesting.iter().flat_map(|item| item.parents.keys().copied()).collect();
                above.nesting.insert(*group, nesting);
                for higher in parents.into_iter().filter(|higher| !left_out.contains(higher)) {
                    if !above.nesting.contains_key(&higher) && !next.contains(&higher) && !level.contains(&higher) {
                        above.found_through.insert(higher, *group);
                        next.push(higher);
                    }
                }
            }
            if next.contains(child) {
                return Err(Error::Cycle(above.path(child, parent)));
            }
            if above.nesting.len() + next.len() > MAX_ANCESTORS {
                return Err(Error::TooManyAncestors);
            }
            rows = self.table.batch_get(&next.iter().map(Key::nesting).collect::<Vec<_>>()).await?;
            level = next;
        }
        Ok(above)
    }

    /// Holds that it is a cycle only by groups that are being deleted, and will soon be none.
    ///
    /// # Errors
    /// [`Error::Cycle`] without any such group.
    async fn is_cycle_of_deleted(
        &self,
        parent: &GroupId,
        child: &GroupId,
        mut path: Vec<GroupId>,
    ) -> Result<(), Error> {
        let mut left_out = HashSet::new();
        loop {
            let known = left_out.len();
            left_out.extend(self.deleted(&path).await?);
            if left_out.len() == known {
                return Err(Error::Cycle(path));
            }
            let rows = self.table.batch_get(&[Key::nesting(parent)]).await?;
            match self.groups_above(parent, child, rows, &left_out).await {
                Err(Error::Cycle(other)) => path = other,
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Which of these groups are not there any more.
    async fn deleted(&self, groups: &[GroupId]) -> Result<Vec<GroupId>, Error> {
        let groups: BTreeSet<GroupId> = groups.iter().copied().collect();
        let keys: Vec<Key> = groups.iter().map(Key::group).collect();
        let mut rows = self.table.batch_get(&keys).await?;
        let mut deleted = Vec::new();
        for (group, key) in groups.into_iter().zip(&keys) {
            if read_group(rows.remove(key))?.is_none() {
                deleted.push(group);
            }
        }
        Ok(deleted)
    }

    /// Takes one group out of another. One `BatchGetItem`, one transaction, in which a job comes about that takes from
    /// the parent the members it has no more.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Nesting`].
    pub async fn unnest_group(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        now: Timestamp,
    ) -> Result<Edge, Error> {
        let keys = [Key::group(parent), Key::child(parent, child)];
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for _ in 0..ROUNDS {
            let mut rows = self.table.batch_get(&keys).await?;
            read_group(rows.remove(&keys[0]))?.ok_or(Missing::Group)?;
            let id = read_edge_id(rows.remove(&keys[1]))?.ok_or(Missing::Nesting)?;
            let edge = Edge { parent: *parent, id };
            if self.cut(&Granted::following(granted), &edge, now).await? {
                return Ok(edge);
            }
            backoff.pause().await?;
        }
        Err(Error::Unavailable { operation: transact::OPERATION })
    }

    /// Ends a nesting, whatever state its groups are in; a sweep follows. Gives whether it was there to end. One
    /// transaction.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn cut(&self, granted: &Granted<Settle>, edge: &Edge, now: Timestamp) -> Result<bool, Error> {
        let mut actions = Vec::from(cut(edge));
        let mut e = Expression::default();
        let condition = e.row();
        let update = format!("ADD {}", e.add(Attribute::NestedGroupCount, -1));
        actions.push(Action::Update { key: Key::group(&edge.parent), e, update, condition });
        actions.push(super::jobs::put(&Job::new(JobKind::Sweep(*edge), now, granted.behalf()))?);
        Ok(matches!(self.table.transact(actions).await?, Commit::Done))
    }

    /// Ends a nesting in a group whose own row is gone: nothing to count there, and nobody to sweep. Gives whether it was
    /// there to end. One transaction.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn cut_orphan(&self, _: &Granted<Settle>, edge: &Edge) -> Result<bool, Error> {
        let mut actions = Vec::from(cut(edge));
        actions.push(Action::check_row(Key::group(&edge.parent), false));
        Ok(matches!(self.table.transact(actions).await?, Commit::Done))
    }

    /// The groups nested directly in a group, by name without case, then id. One `Query`, then one `BatchGetItem`;
    /// strongly consistent.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_nested_groups(
        &self,
        _: &Granted<Read>,
        parent: &GroupId,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = Scope::new("nested groups", &[&parent.to_string()]);
        let after: Option<(SortKey, GroupId)> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let range = Range::ChildrenAndGroup(*parent);
        let mut rows = self.table.query(Rows::all(&range)).await?;
        let group = rows.pop().filter(|row| Key::of_row(row) == Some(Key::group(parent)));
        read_group(group)?.ok_or(Missing::Group)?;
        let children = rows.iter().filter_map(|row| Key::of_row(row)?.as_child());
        let keys: Vec<Key> = children.map(|(_, child)| Key::group(&child)).collect();

        let mut groups = Vec::with_capacity(keys.len());
        for row in self.table.batch_get(&keys).await?.into_values() {
            groups.extend(read_group(row)?);
        }
        groups.retain(|group| after.as_ref().is_none_or(|after| group.list_position() > *after));
        groups.sort_by_cached_key(Group::list_position);
        Ok(page(groups, limit, &scope, Group::list_position))
    }
}

impl Above {
    /// The cycle that nesting the child in the parent would close, from the parent over the child back to it.
    fn path(&self, child: &GroupId, parent: &GroupId) -> Vec<GroupId> {
        let mut path = vec![*parent, *child];
        let mut group = child;
        while let Some(lower) = self.found_through.get(group) {
            path.push(*lower);
            group = lower;
        }
        path
    }
}

impl Nesting<'_> {
    fn actions(self) -> Result<Vec<Action>, Error> {
        let Self { edge, above, child, now, actor } = self;
        let unchanged = |(group, nesting): (&GroupId, &Option<NestingItem>)| {
            let mut e = Expression::default();
            let condition = match nesting {
                Some(item) => e.equal(Attribute::Rev, item.rev.cast_signed()),
                None => e.no_row(),
            };
            Action::Check { key: Key::nesting(group), e, condition }
        };
        let mut actions: Vec<Action> = above.nesting.iter().map(unchanged).collect();

        let mut e = Expression::default();
        let active = e.equal(Attribute::State, State::Active.as_str());
        let condition = format!("{active} AND {}", e.less(Attribute::NestedGroupCount, MAX_CHILDREN.cast_signed()));
        let update = format!("ADD {}", e.add(Attribute::NestedGroupCount, 1));
        actions.push(Action::Update { key: Key::group(&edge.parent), e, update, condition });

        let mut e = Expression::default();
        let condition = e.equal(Attribute::State, State::Active.as_str());
        actions.push(Action::Check { key: Key::group(&edge.child()), e, condition });

        let row = to_row(&Key::child(&edge.parent, &edge.child()), &ChildItem { edge_id: edge.id })?;
        actions.push(Action::put_new(row));
        actions.push(gain(&edge, child.as_ref())?);
        actions.push(super::jobs::put(&Job::new(JobKind::Backfill(edge), now, Some(actor)))?);
        Ok(actions)
    }
}

/// The child's own row gains the parent.
fn gain(edge: &Edge, nesting: Option<&NestingItem>) -> Result<Action, Error> {
    let key = Key::nesting(&edge.child());
    if nesting.is_none() {
        let item = NestingItem { parents: BTreeMap::from([(edge.parent, edge.id)]), rev: 1 };
        return Ok(Action::put_new(to_row(&key, &item)?));
    }
    let mut e = Expression::default();
    let condition = e.row();
    let entry = e.entry(Attribute::Parents, edge.parent.to_string());
    let update = format!("SET {} ADD {}", e.entry_equal(&entry, edge.id), e.add(Attribute::Rev, 1));
    Ok(Action::Update { key, e, update, condition })
}

/// Ends a nesting on both sides.
pub(super) fn cut(edge: &Edge) -> [Action; 2] {
    let (parent, child) = (&edge.parent, &edge.child());
    let mut e = Expression::default();
    let condition = e.equal(Attribute::EdgeId, edge.id);
    let delete = Action::Delete { key: Key::child(parent, child), e, condition };

    let mut e = Expression::default();
    let entry = e.entry(Attribute::Parents, parent.to_string());
    let condition = e.entry_equal(&entry, edge.id);
    let update = format!("REMOVE {entry} ADD {}", e.add(Attribute::Rev, 1));
    [delete, Action::Update { key: Key::nesting(child), e, update, condition }]
}
