//! Groups nested in groups.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::guard::unless_guarded;
use crate::authz::{Administer, Granted};
use crate::domain::nesting::{MAX_ANCESTORS, MAX_CHILDREN};
use crate::domain::{Actor, Edge, EdgeId, Error, Group, GroupId, Job, JobKind, Missing, Precondition, Timestamp};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::jobs::insert_job;
use crate::store::keys::{Attribute, Key};
use crate::store::pending::{Pending, Unsettled};
use crate::store::rows::{ChildItem, NestingItem, Snapshot, State, to_row};
use crate::store::table::{Attempt, Condition, ConflictLimit, MAX_ACTIONS, SIDE_BY_SIDE, Update, Write};

/// A group nested in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedGroup {
    /// The child.
    pub child: Group,
    /// The edge.
    pub edge: Edge,
}

/// The parents of a group and of all its ancestors: everything that a new edge below it depends on.
#[derive(Default)]
struct Ancestors {
    /// Of the group itself and of each ancestor, as read.
    nesting: BTreeMap<GroupId, Option<NestingItem>>,
    /// The child through which each ancestor was found.
    found_through: HashMap<GroupId, GroupId>,
}

/// A nesting that was found, or one that may be made.
enum Nesting {
    Existing(Box<NestedGroup>),
    New(Box<PlannedEdge>),
}

/// An edge about to be committed.
struct PlannedEdge {
    nested: NestedGroup,
    ancestors: Ancestors,
    /// Whether the child's row with its parents exists.
    child_has_row: bool,
    /// The state that the parent must be in, where the request names one.
    parent_state: Option<GroupSnapshot>,
    parent_is_guarded: bool,
}

impl Store {
    /// Nests one group in another, or finds it nested there. One `BatchGetItem`, and a `Query` for the child's exact counts
    /// side by side; a `BatchGetItem` for each level above the parent; for a child with children or parents, up to two rounds
    /// for each level of descendants and one for each level of their ancestors; one transaction, which also creates the job that adds the child's members to the parent.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::NestedGroup`], [`Error::Guarded`] for the parent, [`Error::Cycle`], [`Error::TooManyChildren`],
    /// [`Error::TooManyAncestors`]; [`Error::Exists`], [`Error::VersionMismatch`] or [`Error::TooManyConditions`] for the
    /// precondition on the parent.
    pub async fn nest_group(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<NestedGroup, JobKind>, Error> {
        let nest = self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, || {
            self.try_to_nest(granted, parent, child, precondition, now)
        });
        let (mut nested, counts) = futures::future::try_join(nest, self.count_members(child)).await?;
        nested.child = counts.exact(nested.child);
        let job = JobKind::Backfill(nested.edge);
        Ok(Unsettled::new(nested, Pending::Effects(job)))
    }

    async fn try_to_nest(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Attempt<NestedGroup>, Error> {
        let nesting = match self.plan_nesting(granted, parent, child, precondition, now).await? {
            Attempt::Done(Nesting::Existing(nested)) => return Ok(Attempt::Done(*nested)),
            Attempt::Done(Nesting::New(nesting)) => *nesting,
            Attempt::Conflict => return Ok(Attempt::Conflict),
        };
        let mark = match nesting.parent_is_guarded {
            true => Some(self.mark_with_descendants(child, now).await?),
            false => None,
        };
        let writes = nesting.writes(mark, granted.actor(), now)?;
        Ok(self.table.transact(writes).await?.attempt(nesting.nested))
    }

    /// Returns the edge by which a group is nested in another, or would be. The reads of [`Store::nest_group`].
    ///
    /// # Errors
    /// Those of that change.
    pub async fn plan_edge(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Edge, Error> {
        let plan = || async {
            Ok(match self.plan_nesting(granted, parent, child, precondition, now).await? {
                Attempt::Done(Nesting::Existing(nested)) => Attempt::Done(nested.edge),
                Attempt::Done(Nesting::New(nesting)) => Attempt::Done(nesting.nested.edge),
                Attempt::Conflict => Attempt::Conflict,
            })
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, plan).await
    }

    /// Reads all that an edge depends on, and decides whether it may be added.
    async fn plan_nesting(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Attempt<Nesting>, Error> {
        if parent == child {
            return self.refuse_nesting_in_itself(granted, parent, now).await;
        }
        let parent_state = self.require_state(parent, precondition).await?;
        let rows = Snapshot::read(&self.table, &rows_of_edge(parent, child)).await?;
        let parent_group = rows.group(parent)?.ok_or(Missing::Group)?;
        if !self.may_change(granted.may_change_guarded(), &parent_group, now).await? {
            return Ok(Attempt::Conflict);
        }
        let child_group = rows.group(child)?.ok_or_else(|| Missing::NestedGroup(child.to_string()))?;
        if let Some(edge) = rows.edge(parent, child)? {
            precondition.check_new(true)?;
            return Ok(Attempt::Done(Nesting::Existing(Box::new(NestedGroup { child: child_group, edge }))));
        }
        if parent_group.nested_group_count >= MAX_CHILDREN {
            let children = self.children(parent).await?.iter().map(Edge::child).collect();
            return self.conflict_unless_all_active(children, Error::TooManyChildren).await;
        }
        let child_nesting = rows.nesting(child)?;
        let child_has_row = child_nesting.is_some();
        let child_is_nested = child_nesting.is_some_and(|item| !item.parents.is_empty());
        let ancestors = match self.read_ancestors(parent, child, rows, &HashSet::new()).await {
            Ok(ancestors) => ancestors,
            Err(Error::Cycle(path)) => {
                // A cycle through a group that is being deleted goes away soon.
                self.require_deleted_group_in(parent, child, path).await?;
                return Ok(Attempt::Conflict);
            }
            Err(error) => return Err(error),
        };
        let is_alone = !child_is_nested && child_group.nested_group_count == 0;
        let most = self.most_ancestors_below(child, is_alone, &ancestors).await?;
        if most.len() > MAX_ANCESTORS {
            return self.conflict_unless_all_active(most, Error::TooManyAncestors).await;
        }
        let edge = Edge { parent: *parent, id: EdgeId::new(*child, fastrand::u64(..)) };
        let (nested, parent_is_guarded) = (NestedGroup { child: child_group, edge }, parent_group.is_guarded);
        let planned = PlannedEdge { nested, ancestors, child_has_row, parent_state, parent_is_guarded };
        Ok(Attempt::Done(Nesting::New(Box::new(planned))))
    }

    async fn refuse_nesting_in_itself<T>(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        now: Timestamp,
    ) -> Result<T, Error> {
        let read = self.find_group(group).await?.ok_or(Missing::Group)?;
        self.may_change(granted.may_change_guarded(), &read, now).await?;
        Err(Error::Cycle(vec![*group, *group]))
    }

    /// Returns the ancestors that `child` or one of its descendants would have with these more: those of the group that would
    /// have most. Unless the child is alone, reads for each level below the groups and their children, for each level above
    /// their parents.
    async fn most_ancestors_below(
        &self,
        child: &GroupId,
        is_alone: bool,
        more: &Ancestors,
    ) -> Result<BTreeSet<GroupId>, Error> {
        let more: BTreeSet<GroupId> = more.nesting.keys().copied().collect();
        if is_alone {
            return Ok(more);
        }
        let mut descendants = BTreeSet::from([*child]);
        let mut level = vec![*child];
        while !level.is_empty() {
            let groups = self.find_groups(level).await?.into_values();
            let with_children = groups.filter(|group| group.nested_group_count > 0);
            let queries: Vec<_> = with_children.map(|group| async move { self.children(&group.id).await }).collect();
            let children: Vec<Vec<Edge>> = stream::iter(queries).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
            level = children.iter().flatten().map(Edge::child).filter(|it| descendants.insert(*it)).collect();
        }
        let mut parents: HashMap<GroupId, Vec<GroupId>> = HashMap::new();
        let mut level: BTreeSet<GroupId> = descendants.clone();
        while !level.is_empty() {
            let rows = Snapshot::read(&self.table, &level.iter().map(Key::nesting).collect::<Vec<_>>()).await?;
            for group in &level {
                parents.insert(*group, rows.parents(group)?.iter().map(|edge| edge.parent).collect());
            }
            let above = parents.values().flatten().filter(|group| !parents.contains_key(*group));
            level = above.copied().collect();
        }
        let ancestors_of = |group: &GroupId| {
            let mut found = more.clone();
            let mut open = vec![*group];
            while let Some(group) = open.pop() {
                let above = parents.get(&group).into_iter().flatten();
                open.extend(above.filter(|parent| found.insert(**parent)).copied());
            }
            found
        };
        Ok(descendants.iter().map(ancestors_of).max_by_key(BTreeSet::len).unwrap_or_default())
    }

    /// A limit that these groups exceed. Where one of them is being deleted, its edges go away soon: a conflict.
    async fn conflict_unless_all_active<T>(
        &self,
        groups: BTreeSet<GroupId>,
        error: Error,
    ) -> Result<Attempt<T>, Error> {
        let active = self.find_groups(groups.iter().copied()).await?;
        if active.len() == groups.len() { Err(error) } else { Ok(Attempt::Conflict) }
    }

    /// Reads the ancestors of `parent`, level by level, but not through the groups in `left_out`. `rows` has the first
    /// level.
    ///
    /// # Errors
    /// [`Error::Cycle`] when `child` is among them.
    async fn read_ancestors(
        &self,
        parent: &GroupId,
        child: &GroupId,
        mut rows: Snapshot,
        left_out: &HashSet<GroupId>,
    ) -> Result<Ancestors, Error> {
        let mut ancestors = Ancestors::default();
        let mut level = vec![*parent];
        while !level.is_empty() {
            let mut next = Vec::new();
            for group in &level {
                let nesting = rows.nesting(group)?.cloned();
                let parents: Vec<GroupId> = nesting.iter().flat_map(|item| item.parents.keys().copied()).collect();
                ancestors.nesting.insert(*group, nesting);
                for higher in parents.into_iter().filter(|higher| !left_out.contains(higher)) {
                    if !ancestors.nesting.contains_key(&higher) && !next.contains(&higher) && !level.contains(&higher) {
                        ancestors.found_through.insert(higher, *group);
                        next.push(higher);
                    }
                }
            }
            if next.contains(child) {
                return Err(Error::Cycle(ancestors.cycle(child, parent)));
            }
            rows = Snapshot::read(&self.table, &next.iter().map(Key::nesting).collect::<Vec<_>>()).await?;
            level = next;
        }
        Ok(ancestors)
    }

    /// Requires that every cycle which the edge would close goes through a group that is being deleted.
    ///
    /// # Errors
    /// [`Error::Cycle`] for a cycle without one.
    async fn require_deleted_group_in(
        &self,
        parent: &GroupId,
        child: &GroupId,
        mut cycle: Vec<GroupId>,
    ) -> Result<(), Error> {
        let mut deleted = HashSet::new();
        loop {
            let known = deleted.len();
            let in_cycle: HashSet<GroupId> = cycle.iter().copied().collect();
            let active = self.find_groups(in_cycle.iter().copied()).await?;
            deleted.extend(in_cycle.into_iter().filter(|group| !active.contains_key(group)));
            if deleted.len() == known {
                return Err(Error::Cycle(cycle));
            }
            let rows = Snapshot::read(&self.table, &[Key::nesting(parent)]).await?;
            match self.read_ancestors(parent, child, rows, &deleted).await {
                Err(Error::Cycle(other)) => cycle = other,
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Removes one group from another. One `BatchGetItem`, after a `Query` where the parent must be in a certain state, and one
    /// transaction, which also creates the job that removes the members inherited through the edge.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Nesting`], [`Error::Guarded`] for the parent; [`Error::Exists`] or [`Error::VersionMismatch`] for the precondition on the
    /// parent.
    pub async fn unnest_group(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<(), JobKind>, Error> {
        let edge = self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, || async {
            let state = self.require_state(parent, precondition).await?;
            let Some(edge) = self.try_to_find_edge(granted, parent, child, precondition, now).await? else {
                return Ok(Attempt::Conflict);
            };
            let (actor, may_change_guarded) = (Some(granted.actor()), granted.may_change_guarded());
            let writes = delete_edge_and_sweep(&edge, state.as_ref(), may_change_guarded, actor, now)?;
            Ok(self.table.transact(writes).await?.attempt(edge))
        });
        Ok(Unsettled::new((), Pending::Effects(JobKind::Sweep(edge.await?))))
    }

    /// Returns the edge that [`Store::unnest_group`] would remove.
    ///
    /// # Errors
    /// Those of that change.
    pub(in crate::store) async fn edge_to_remove(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Edge, Error> {
        let find = || async {
            self.require_state(parent, precondition).await?;
            let edge = self.try_to_find_edge(granted, parent, child, precondition, now).await?;
            Ok(edge.map_or(Attempt::Conflict, Attempt::Done))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, find).await
    }

    /// Returns the edge to remove; `None` where the parent must be read again.
    async fn try_to_find_edge(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Edge>, Error> {
        let rows = Snapshot::read(&self.table, &[Key::group(parent), Key::child(parent, child)]).await?;
        let group = rows.group(parent)?.ok_or(Missing::Group)?;
        if !self.may_change(granted.may_change_guarded(), &group, now).await? {
            return Ok(None);
        }
        let edge = rows.edge(parent, child)?.ok_or(Missing::Nesting)?;
        precondition.check_new(true)?;
        Ok(Some(edge))
    }

    /// Deletes an edge in any state of its groups, and creates the job that sweeps it. Returns whether the edge was
    /// there. One transaction.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn delete_edge(&self, edge: &Edge, actor: Option<&Actor>, now: Timestamp) -> Result<bool, Error> {
        let writes = delete_edge_and_sweep(edge, None, true, actor, now)?;
        Ok(self.table.transact(writes).await?.is_done())
    }

    /// Deletes an edge whose parent's row is gone: there is no count to change and nothing to sweep. Returns whether the
    /// edge was there. One transaction.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn delete_orphaned_edge(
        &self,
        edge: &Edge,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut writes = Vec::from(delete_edge_rows(edge, actor, now));
        writes.push(Write::require_no_row(Key::group(&edge.parent)));
        Ok(self.table.transact(writes).await?.is_done())
    }
}

impl Ancestors {
    /// The cycle that an edge from the parent to the child would close: from the parent through the child back to it.
    fn cycle(&self, child: &GroupId, parent: &GroupId) -> Vec<GroupId> {
        let mut cycle = vec![*parent, *child];
        let mut group = child;
        while let Some(lower) = self.found_through.get(group) {
            cycle.push(*lower);
            group = lower;
        }
        cycle
    }
}

impl PlannedEdge {
    /// The writes. `mark` is the child's, where the parent is guarded.
    fn writes(&self, mark: Option<String>, actor: &Actor, now: Timestamp) -> Result<Vec<Write>, Error> {
        let (edge, parent_state) = (self.nested.edge, self.parent_state.as_ref());
        let Self { ancestors, child_has_row, .. } = self;
        let unchanged = |(group, nesting): (&GroupId, &Option<NestingItem>)| {
            Write::Check(Key::nesting(group), NestingItem::unchanged_since_read(nesting.as_ref()))
        };
        let mut writes: Vec<Write> = ancestors.nesting.iter().map(unchanged).collect();
        let is_active = || Condition::equals(Attribute::State, State::Active.as_str());
        let parent = count_nesting(&edge, 1, parent_state.map_or_else(is_active, GroupSnapshot::group_unchanged))
            .when(Condition::less_than(Attribute::NestedGroupCount, MAX_CHILDREN.cast_signed()));
        // A guarded parent needs a marked child.
        writes.push(unless_guarded(parent, mark.is_some()).into());
        let is_marked = mark.map(|mark| Condition::equals(Attribute::Guard, mark));
        let child_condition = is_marked.into_iter().fold(is_active(), Condition::and);
        writes.push(Write::Check(Key::group(&edge.child()), child_condition));
        let child = ChildItem { edge_id: edge.id, nested_at: Some(now), nested_by: Some(actor.clone()) };
        writes.push(Write::insert(to_row(&Key::child(&edge.parent, &edge.child()), &child)?));
        writes.push(add_parent(&edge, *child_has_row, actor, now)?);
        writes.push(insert_job(&Job::new(JobKind::Backfill(edge), now, Some(actor)))?);
        writes.extend(parent_state.into_iter().flat_map(|state| state.require_shards(&BTreeSet::new())));
        if writes.len() > MAX_ACTIONS {
            return Err(Error::TooManyConditions(ancestors.nesting.len()));
        }
        Ok(writes)
    }
}

/// The rows that a new edge depends on, but those of the ancestors.
fn rows_of_edge(parent: &GroupId, child: &GroupId) -> [Key; 5] {
    [Key::group(parent), Key::group(child), Key::child(parent, child), Key::nesting(child), Key::nesting(parent)]
}

/// Changes the number of a parent's nested groups.
fn count_nesting(edge: &Edge, change: i64, condition: Condition) -> Update {
    Update::of(Key::group(&edge.parent))
        .add(Attribute::NestedGroupCount, change)
        .add(Attribute::NestingRevision, 1)
        .when(condition)
}

/// Deletes an edge, from a parent in this state where one is given, and creates the job that sweeps it.
fn delete_edge_and_sweep(
    edge: &Edge,
    parent_state: Option<&GroupSnapshot>,
    may_change_guarded: bool,
    actor: Option<&Actor>,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let parent_condition = parent_state.map_or_else(Condition::row_exists, GroupSnapshot::group_unchanged);
    let mut writes = Vec::from(delete_edge_rows(edge, actor, now));
    writes.push(unless_guarded(count_nesting(edge, -1, parent_condition), may_change_guarded).into());
    writes.push(insert_job(&Job::new(JobKind::Sweep(*edge), now, actor))?);
    writes.extend(parent_state.into_iter().flat_map(|state| state.require_shards(&BTreeSet::new())));
    Ok(writes)
}

/// Adds the parent to the child's row.
fn add_parent(edge: &Edge, child_has_row: bool, actor: &Actor, now: Timestamp) -> Result<Write, Error> {
    if !child_has_row {
        let key = Key::nesting(&edge.child());
        let parents = BTreeMap::from([(edge.parent, edge.id)]);
        let (changed_parent, actor) = (Some(edge.parent), Some(actor.clone()));
        let item = NestingItem { parents, rev: 1, changed_parent, actor, changed_at: Some(now) };
        return Ok(Write::insert(to_row(&key, &item)?));
    }
    let update = change_parents(edge, actor, now)
        .set((Attribute::Parents, edge.parent.to_string()), edge.id)
        .when(Condition::row_exists());
    Ok(update.into())
}

/// Records who changes the parents of an edge's child, and when. The stream record of that write is the source of the nesting's history.
fn change_parents(edge: &Edge, actor: &Actor, now: Timestamp) -> Update {
    Update::of(Key::nesting(&edge.child()))
        .set(Attribute::ChangedParent, edge.parent.to_string().as_str())
        .set(Attribute::Actor, actor)
        .set(Attribute::ChangedAt, now)
        .add(Attribute::Rev, 1)
}

/// Deletes both rows of an edge: the child's in the parent's partition, the parent's entry in the child's.
pub(in crate::store) fn delete_edge_rows(edge: &Edge, actor: Option<&Actor>, now: Timestamp) -> [Write; 2] {
    let (parent, child) = (&edge.parent, &edge.child());
    let delete_child = Write::delete_when(Key::child(parent, child), Condition::equals(Attribute::EdgeId, edge.id));
    let entry = || (Attribute::Parents, parent.to_string());
    let actor = actor.cloned().unwrap_or_else(Actor::system);
    let remove_parent = change_parents(edge, &actor, now).remove(entry()).when(Condition::equals(entry(), edge.id));
    [delete_child, remove_parent.into()]
}
