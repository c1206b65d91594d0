//! Reconciles inherited members: member rows of parents with the edges and the children's rows.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::audit::ChangeContext;
use super::plan::{Inheritance, MemberPlan, Reach};
use crate::domain::{Actor, Error, Job, JobKind, Timestamp};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::rows::Snapshot;
use crate::store::table::{Attempt, ConflictLimit, MAX_ACTIONS, SIDE_BY_SIDE};

impl Inheritance {
    /// The rows that decide whether the parent has the member through the edge.
    fn deciding_rows(&self) -> [Key; 3] {
        let (parent, child) = (&self.edge.parent, &self.edge.child());
        [Key::member(child, &self.account), Key::member(parent, &self.account), Key::nesting(child)]
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
    fn actor(&self, rows: &Snapshot, has_edge: bool, has_source: bool) -> Result<Option<Actor>, Error> {
        if !has_edge {
            return Ok(rows.job(&JobKind::Sweep(self.edge))?.and_then(|job| job.actor.clone()));
        }
        let audit_record = rows.audit_record(&self.edge.child(), &self.account)?;
        let changed_at = audit_record.and_then(|record| record.changed_at);
        let is_newer = |nested: &&Job| has_source && changed_at <= Some(nested.created_at);
        Ok(match rows.job(&JobKind::Backfill(self.edge))?.filter(is_newer) {
            Some(nested) => nested.actor.clone(),
            None => audit_record.and_then(|record| record.actor.clone()),
        })
    }
}

impl Store {
    /// Reconciles the member rows of parents, then of further ancestors where a row was created or deleted. An account is a
    /// member through an edge exactly when the edge exists and the account is a member of the child. The audit record
    /// names `actor` or, for `None`, the actor of the change that caused this one. A `TransactGetItems` for some fifty
    /// inheritances, side by side. Where a row is propagated, as `reach` says, a `BatchGetItem` for the parents and one for
    /// each further level. Where a row changes, a `TransactGetItems` for unknown actors, then transactions.
    ///
    /// # Errors
    /// The table did not respond. Transactions committed before stay.
    pub(crate) async fn reconcile_inherited(
        &self,
        inheritances: &[Inheritance],
        actor: Option<&Actor>,
        now: Timestamp,
        reach: Reach,
    ) -> Result<(), Error> {
        let open = Mutex::new(inheritances.to_vec());
        let reconcile = || async {
            let inheritances = open.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let left = self.try_to_reconcile(&inheritances, actor, now, reach).await?;
            let is_done = left.is_empty();
            *open.lock().unwrap_or_else(PoisonError::into_inner) = left;
            Ok(Attempt::when(is_done, ()))
        };
        self.table.retry_on_conflict(ConflictLimit::RECONCILIATION, reconcile).await
    }

    /// Returns the inheritances whose rows are not all committed, because some have changed meanwhile.
    async fn try_to_reconcile(
        &self,
        inheritances: &[Inheritance],
        actor: Option<&Actor>,
        now: Timestamp,
        reach: Reach,
    ) -> Result<Vec<Inheritance>, Error> {
        let mut plan = MemberPlan::new(reach, actor, now);
        self.read_for_inheritances(inheritances, &mut plan).await?;
        self.read_ancestors_of(&mut plan).await?;
        self.find_actors(&mut plan).await?;
        let system = Actor::system();
        let context = ChangeContext::derived(actor.unwrap_or(&system), now);
        let committed = self.commit_plan(&plan, None, &context, None).await;
        let is_left = |it: &&Inheritance| {
            committed.not_committed.contains(&it.account) || committed.left_to_stream.contains(&it.account)
        };
        let left = inheritances.iter().filter(is_left).cloned().collect();
        committed.error.map_or(Ok(left), Err)
    }

    /// Reads the rows that decide inheritances, and adds them to the plan. Reads in transactions: a plain read may see a
    /// transaction half applied, and decide wrongly.
    async fn read_for_inheritances(&self, inheritances: &[Inheritance], plan: &mut MemberPlan) -> Result<(), Error> {
        let chunks = chunks(inheritances);
        let keys = |chunk: &[Inheritance]| chunk.iter().flat_map(Inheritance::deciding_rows).collect::<HashSet<Key>>();
        let keys: Vec<Vec<Key>> = chunks.iter().map(|chunk| keys(chunk).into_iter().collect()).collect();
        let reads: Vec<_> = keys.iter().map(|keys| Snapshot::read_serialized(&self.table, keys)).collect();
        let snapshots: Vec<Snapshot> = stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await?;
        for (chunk, rows) in chunks.into_iter().zip(snapshots) {
            for inheritance in chunk {
                let child = inheritance.edge.child();
                plan.add_parents(child, rows.parents(&child)?);
                for (group, account) in [inheritance.source(), inheritance.target()] {
                    let row = rows.member(&group, &account)?.cloned();
                    plan.add_row((group, account), row);
                }
                plan.check_edge(inheritance);
            }
        }
        Ok(())
    }

    /// Finds who made the changes that those of a plan follow from, where it does not know.
    async fn find_actors(&self, plan: &mut MemberPlan) -> Result<(), Error> {
        let without_actor = plan.without_actor();
        if without_actor.is_empty() {
            return Ok(());
        }
        let keys: HashSet<Key> = without_actor.iter().flat_map(Inheritance::actor_rows).collect();
        // In the transactions of the changes that these follow from, which may still be in progress.
        let rows = Snapshot::read_serialized(&self.table, &keys.into_iter().collect::<Vec<_>>()).await?;
        for inheritance in without_actor {
            let has_source = plan.is_member(&inheritance.source());
            if let Some(actor) = inheritance.actor(&rows, plan.has_edge(&inheritance.edge), has_source)? {
                plan.set_actor(inheritance, actor);
            }
        }
        plan.evaluate();
        Ok(())
    }
}

/// Inheritances in their order, as many together as fit one transactional read.
fn chunks(inheritances: &[Inheritance]) -> Vec<&[Inheritance]> {
    let mut chunks = Vec::new();
    let (mut keys, mut start) = (HashSet::new(), 0);
    for (index, inheritance) in inheritances.iter().enumerate() {
        keys.extend(inheritance.deciding_rows());
        if keys.len() > MAX_ACTIONS {
            chunks.push(&inheritances[start..index]);
            start = index;
            keys = HashSet::from(inheritance.deciding_rows());
        }
    }
    chunks.push(&inheritances[start..]);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}
