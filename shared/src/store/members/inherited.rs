//! Members inherited from nested groups: rules 3, 4 and 6 of docs/propagation.md. One method reads the rows of an edge
//! and corrects the parent's member rows.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::domain::{AccountId, Actor, Edge, EdgeId, Error, GroupId, Job, JobKind, Member, Membership, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, Key};
use crate::store::members::audit::{ChangeContext, write_audit_record};
use crate::store::rows::{MemberItem, MirrorItem, Snapshot, State, to_row};
use crate::store::table::{Attempt, Condition, ConflictLimit, MAX_ACTIONS, Update, Write};

/// An account that may inherit a membership through an edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inheritance {
    /// The edge.
    pub edge: Edge,
    /// The account.
    pub account: AccountId,
}

/// Whether the groups above the edge's parent depend on a reconciled inheritance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AncestorEffect {
    /// They may: the account is a member of the parent only by inheritances reconciled with this one, or no member.
    Possible,
    /// They do not: the account is a member of the parent for other reasons, too.
    None,
}

/// The result of reconciling inheritances.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    /// For each inheritance, in their order.
    pub effects: Vec<AncestorEffect>,
    /// The edges from the parents to their own parents.
    pub parents: HashMap<GroupId, Vec<Edge>>,
}

impl Inheritance {
    /// The member row of the child.
    fn source(&self) -> Key {
        Key::member(&self.edge.child(), &self.account)
    }

    /// The member row of the parent.
    fn target(&self) -> Key {
        Key::member(&self.edge.parent, &self.account)
    }

    fn edge_row(&self) -> Key {
        Key::child(&self.edge.parent, &self.edge.child())
    }

    /// Rows that name the actor: the child's audit record, and the backfill and sweep jobs of the edge.
    fn actor_rows(&self) -> [Key; 3] {
        [
            Key::audit_record(&self.edge.child(), &self.account),
            Key::job(&JobKind::Backfill(self.edge)),
            Key::job(&JobKind::Sweep(self.edge)),
        ]
    }

    /// Returns the actor of the later change: of the edge, or of the child's member row.
    fn actor(&self, rows: &Snapshot) -> Result<Option<Actor>, Error> {
        if !rows.has_edge(&self.edge)? {
            return Ok(rows.job(&JobKind::Sweep(self.edge))?.and_then(|job| job.actor.clone()));
        }
        let audit_record = rows.audit_record(&self.edge.child(), &self.account)?;
        let changed_at = audit_record.and_then(|record| record.changed_at);
        let is_newer = |nested: &&Job| rows.exists(&self.source()) && changed_at <= Some(nested.created_at);
        Ok(match rows.job(&JobKind::Backfill(self.edge))?.filter(is_newer) {
            Some(nested) => nested.actor.clone(),
            None => audit_record.and_then(|record| record.actor.clone()),
        })
    }
}

impl Store {
    /// Reconciles member rows of parents. An account is a member through an edge exactly when the edge exists and the
    /// account is a member of the child. The audit record names `actor` or, for `None`, the actor of the change that
    /// caused this one. Up to 24 accounts of one edge, or 19 edges of one account, take one `TransactGetItems` and,
    /// when something changes, one transaction.
    ///
    /// # Errors
    /// The table did not respond. Transactions committed before stay.
    pub(crate) async fn reconcile_inherited(
        &self,
        inheritances: &[Inheritance],
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Reconciled, Error> {
        let mut reconciled = Reconciled::default();
        for chunk in chunks(inheritances) {
            let Reconciled { effects, parents } = self.reconcile_chunk(chunk, actor, now).await?;
            reconciled.effects.extend(effects);
            reconciled.parents.extend(parents);
        }
        Ok(reconciled)
    }

    async fn reconcile_chunk(
        &self,
        inheritances: &[Inheritance],
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Reconciled, Error> {
        let rows_around = |it: &Inheritance| [it.source(), it.target(), it.edge_row(), Key::nesting(&it.edge.parent)];
        let mut keys: HashSet<Key> = inheritances.iter().flat_map(rows_around).collect();
        if actor.is_none() {
            keys.extend(inheritances.iter().flat_map(Inheritance::actor_rows));
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        // Deleted parents matter only after a conflict: their counts take no more members.
        let deleted = Mutex::new(HashSet::new());
        self.table
            .retry_on_conflict(ConflictLimit::RECONCILIATION, || async {
                // A plain read could miss a transaction in progress and find nothing to do.
                let rows = Snapshot::read_serialized(&self.table, &keys).await?;
                let known = deleted.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let plan = ReconcilePlan::make(inheritances, &rows, &known, actor, now)?;
                let reconciled = Reconciled { effects: plan.effects, parents: parents(inheritances, &rows)? };
                if plan.writes.is_empty() {
                    return Ok(Attempt::Done(reconciled));
                }
                let commit = self.table.transact(plan.writes).await?;
                if !commit.is_done() {
                    let found = self.deleted_parents(inheritances).await?;
                    *deleted.lock().unwrap_or_else(PoisonError::into_inner) = found;
                }
                Ok(commit.attempt(reconciled))
            })
            .await
    }

    /// The parents that are deleted. They gain no member any more, and a job removes those they have.
    async fn deleted_parents(&self, inheritances: &[Inheritance]) -> Result<HashSet<GroupId>, Error> {
        let mut groups: HashSet<GroupId> = inheritances.iter().map(|it| it.edge.parent).collect();
        let active = self.find_groups(groups.iter().copied()).await?;
        groups.retain(|group| !active.contains_key(group));
        Ok(groups)
    }
}

/// The edges from the parents to their own parents.
fn parents(inheritances: &[Inheritance], rows: &Snapshot) -> Result<HashMap<GroupId, Vec<Edge>>, Error> {
    let groups: BTreeSet<GroupId> = inheritances.iter().map(|it| it.edge.parent).collect();
    groups.into_iter().map(|group| Ok((group, rows.parents(&group)?))).collect()
}

/// Inheritances in their order, as many together as fit one transaction. No row of a chunk is both read for one and changed
/// for another.
fn chunks(inheritances: &[Inheritance]) -> Vec<&[Inheritance]> {
    let mut chunks = Vec::new();
    let (mut sources, mut targets) = (HashSet::new(), HashSet::new());
    let (mut edges, mut parents) = (HashSet::new(), HashSet::new());
    let mut start = 0;
    for (index, inheritance) in inheritances.iter().enumerate() {
        let (source, target) = (inheritance.source(), inheritance.target());
        let fits = |size: usize| size <= MAX_ACTIONS && !sources.contains(&target) && !targets.contains(&source);
        let grown = |set: &HashSet<Key>, key: &Key| set.len() + usize::from(!set.contains(key));
        let edge_count = edges.len() + usize::from(!edges.contains(&inheritance.edge));
        let parent_count = parents.len() + usize::from(!parents.contains(&inheritance.edge.parent));
        let (source_count, target_count) = (grown(&sources, &source), grown(&targets, &target));
        let reads = 2 * source_count + target_count + 3 * edge_count + parent_count;
        let writes = source_count + 3 * target_count + edge_count + parent_count;
        if !fits(reads.max(writes)) {
            chunks.push(&inheritances[start..index]);
            start = index;
            sources.clear();
            targets.clear();
            edges.clear();
            parents.clear();
        }
        sources.insert(source);
        targets.insert(target);
        edges.insert(inheritance.edge);
        parents.insert(inheritance.edge.parent);
    }
    chunks.push(&inheritances[start..]);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

/// The writes that reconcile inheritances on the rows that were read.
struct ReconcilePlan {
    writes: Vec<Write>,
    effects: Vec<AncestorEffect>,
}

/// A member row of a parent: as read, and the edges it should have.
#[derive(Default)]
struct Target {
    before: Option<MemberItem>,
    via: BTreeSet<EdgeId>,
    /// The edges that are reconciled now.
    reconciled: BTreeSet<EdgeId>,
    /// The member of a child, whose account fields a new row copies.
    source: Option<Member>,
    /// Who changes the row.
    actor: Option<Actor>,
}

impl ReconcilePlan {
    fn make(
        inheritances: &[Inheritance],
        rows: &Snapshot,
        deleted: &HashSet<GroupId>,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut targets: BTreeMap<(GroupId, AccountId), Target> = BTreeMap::new();
        let mut conditions = Conditions::default();
        for inheritance in inheritances {
            let Inheritance { edge, account } = inheritance;
            let target = match targets.entry((edge.parent, account.clone())) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Target::new(rows.member(&edge.parent, account)?)),
            };
            target.reconciled.insert(edge.id);
            if !deleted.contains(&edge.parent) && conditions.apply(inheritance, target, rows)? {
                target.actor = match actor {
                    Some(actor) => Some(actor.clone()),
                    None => inheritance.actor(rows)?,
                };
            }
        }
        let effect = |it: &Inheritance| targets[&(it.edge.parent, it.account.clone())].effect();
        let effects = inheritances.iter().map(effect).collect();
        let mut writes = Vec::new();
        let mut growth: BTreeMap<GroupId, i64> = BTreeMap::new();
        for ((group, account), target) in targets {
            *growth.entry(group).or_default() += target.growth();
            writes.extend(target.writes(&group, &account, now)?);
        }
        writes.extend(conditions.into_checks());
        let growth = growth.into_iter().filter(|(_, by)| *by != 0);
        writes.extend(growth.map(|(group, by)| add_to_member_count(&group, by)));
        Ok(Self { writes, effects })
    }
}

/// The rows that the changes depend on.
#[derive(Default)]
struct Conditions {
    /// Edges that must be there.
    edges: BTreeSet<Edge>,
    /// Member rows of children, and whether they must exist.
    sources: BTreeMap<Key, bool>,
}

impl Conditions {
    /// Applies one inheritance to the parent's member row. Returns whether it changes the row.
    fn apply(&mut self, inheritance: &Inheritance, target: &mut Target, rows: &Snapshot) -> Result<bool, Error> {
        let Inheritance { edge, account } = inheritance;
        let has_edge = rows.has_edge(edge)?;
        if !has_edge || !rows.exists(&inheritance.source()) {
            let is_lost = target.via.remove(&edge.id);
            // A deleted edge needs no condition: it never returns.
            if is_lost && has_edge {
                self.sources.insert(inheritance.source(), false);
            }
            return Ok(is_lost);
        }
        let is_gained = target.via.insert(edge.id);
        if is_gained {
            let source = rows.member(&edge.child(), account)?;
            target.source = source.map(|item| item.clone().member(account.clone()));
            self.edges.insert(*edge);
            self.sources.insert(inheritance.source(), true);
        }
        Ok(is_gained)
    }

    fn into_checks(self) -> impl Iterator<Item = Write> {
        let edges = self.edges.into_iter().map(|edge| {
            let condition = Condition::equals(Attribute::EdgeId, edge.id);
            Write::Check(Key::child(&edge.parent, &edge.child()), condition)
        });
        let sources = self.sources.into_iter();
        edges.chain(sources.map(|(key, there)| match there {
            true => Write::require_row(key),
            false => Write::require_no_row(key),
        }))
    }
}

/// Adds to the number of a group's members. A deleted group gains none.
pub(in crate::store) fn add_to_member_count(group: &GroupId, by: i64) -> Write {
    let condition = match by > 0 {
        true => Condition::equals(Attribute::State, State::Active.as_str()),
        false => Condition::row_exists(),
    };
    Update::of(Key::group(group)).add(Attribute::MemberCount, by).when(condition).into()
}

impl Target {
    fn new(before: Option<&MemberItem>) -> Self {
        let via = before.map(|item| item.via.clone()).unwrap_or_default();
        Self { before: before.cloned(), via, ..Self::default() }
    }

    fn is_direct(&self) -> bool {
        self.before.as_ref().is_some_and(|item| item.direct)
    }

    fn membership(&self) -> Membership {
        Membership { direct: self.is_direct(), via: self.via.clone() }
    }

    fn growth(&self) -> i64 {
        let is_member = self.is_direct() || !self.via.is_empty();
        i64::from(is_member) - i64::from(self.before.is_some())
    }

    fn effect(&self) -> AncestorEffect {
        let has_other_reasons = self.is_direct() || !self.via.is_subset(&self.reconciled);
        if has_other_reasons { AncestorEffect::None } else { AncestorEffect::Possible }
    }

    fn writes(self, group: &GroupId, account: &AccountId, now: Timestamp) -> Result<Vec<Write>, Error> {
        let (key, mirror) = (Key::member(group, account), Key::mirror(account, group));
        let membership = self.membership();
        let Self { before, source, actor, .. } = self;
        let actor = actor.unwrap_or_else(Actor::system);
        let audit_record = write_audit_record(group, account, &membership, &ChangeContext::derived(&actor, now));
        let Some(before) = before else {
            let Some(source) = source else { return Ok(Vec::new()) };
            let member = Member { account: source.account, membership, added_at: now };
            let member = to_row(&key, &MemberItem::new(&member))?;
            let mirror = to_row(&mirror, &MirrorItem { direct: false })?;
            return Ok(vec![Write::insert(member), Write::insert(mirror), audit_record]);
        };
        if before.via == membership.via {
            return Ok(Vec::new());
        }
        let unchanged = before.unchanged_since_read();
        if !membership.is_member() {
            return Ok(vec![Write::delete_when(key, unchanged), Write::delete(mirror), audit_record]);
        }
        let update = match membership.via.is_empty() {
            true => Update::of(key).remove(Attribute::Via),
            false => Update::of(key).set(Attribute::Via, &membership.via),
        };
        Ok(vec![update.when(unchanged).into(), audit_record])
    }
}
