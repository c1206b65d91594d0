//! Checks the table against its invariants (docs/propagation.md), and repairs violations.

mod contents;
mod violation;

use std::collections::{BTreeSet, HashMap, HashSet};

use self::contents::TableContents;
pub use self::violation::InvariantViolation;
use crate::domain::{AccountId, Error, GroupId, JobKind};
use crate::propagation::Propagation;
use crate::store::{Inheritance, Reach};

/// The most rounds of repairs. A repair may reveal further violations, which the next round repairs.
const REPAIR_ROUNDS: usize = 100;

/// Checks the table, at rest. A table in use is read twice, and only violations seen both times count.
///
/// # Errors
/// The table did not respond.
pub async fn find_violations(propagation: Propagation<'_>) -> Result<Vec<InvariantViolation>, Error> {
    let mut violations = check(propagation).await?;
    if !violations.is_empty() {
        let second: HashSet<InvariantViolation> = check(propagation).await?.into_iter().collect();
        violations.retain(|violation| second.contains(violation));
    }
    Ok(violations)
}

async fn check(propagation: Propagation<'_>) -> Result<Vec<InvariantViolation>, Error> {
    Ok(TableContents::of(propagation.store.scan().await?).violations(propagation.now))
}

/// Resumes all jobs, and repairs violations, level by level, until there are none or no repair helps. Returns those left. Each
/// repair has the condition that the violation is still there: a table in use stays right.
///
/// # Errors
/// The table did not respond.
pub async fn repair(propagation: Propagation<'_>) -> Result<Vec<InvariantViolation>, Error> {
    // The stream record that continues a job may be lost, as in a restored table. A job at work does its step twice.
    for job in TableContents::of(propagation.store.scan().await?).jobs() {
        propagation.store.resume_job(job).await?;
    }
    let mut violations = find_violations(propagation).await?;
    for _ in 0..REPAIR_ROUNDS {
        if violations.is_empty() {
            break;
        }
        repair_all(propagation, &violations).await?;
        let mut left = find_violations(propagation).await?;
        // The stream continues them.
        left.retain(|violation| !matches!(violation, InvariantViolation::Stalled(_)));
        if left == violations {
            break;
        }
        violations = left;
    }
    Ok(violations)
}

/// Edges of one member row that a repair reconciles together: its transaction has a condition for each.
const EDGES_OF_A_ROW: usize = 60;

async fn repair_all(propagation: Propagation<'_>, violations: &[InvariantViolation]) -> Result<(), Error> {
    let mut inheritances = HashSet::new();
    let mut members = BTreeSet::new();
    let (mut names, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    for violation in violations {
        match violation {
            InvariantViolation::Via { edge, account, .. } => {
                inheritances.insert(Inheritance { edge: *edge, account: account.clone() });
            }
            InvariantViolation::OfDeletedAccount(group, account) => {
                members.insert((*group, account.clone()));
            }
            InvariantViolation::Name(group) => drop(names.insert(*group)),
            InvariantViolation::AccountTexts(account) => drop(accounts.insert(account.clone())),
            violation => repair_one(propagation, violation).await?,
        }
    }
    let Propagation { store, actor, now } = propagation;
    store.repair_names(&names).await?;
    store.repair_account_texts(&accounts).await?;
    let mut by_row: HashMap<(GroupId, AccountId), Vec<Inheritance>> = HashMap::new();
    for inheritance in inheritances {
        by_row.entry((inheritance.edge.parent, inheritance.account.clone())).or_default().push(inheritance);
    }
    while !by_row.is_empty() {
        let some = by_row.values_mut().flat_map(|edges| edges.split_off(edges.len().saturating_sub(EDGES_OF_A_ROW)));
        store.reconcile_inherited(&some.collect::<Vec<_>>(), actor, now, Reach::ChangedRows).await?;
        by_row.retain(|_, edges| !edges.is_empty());
    }
    store.update_members(&members, now).await
}

async fn repair_one(propagation: Propagation<'_>, violation: &InvariantViolation) -> Result<(), Error> {
    let Propagation { store, actor, now } = propagation;
    match violation {
        InvariantViolation::Shard { shard, has_group: false, .. } => store.delete_orphaned_shard(shard).await,
        InvariantViolation::Shard { shard, revision, right, .. } => store.repair_shard(shard, *revision, *right).await,
        InvariantViolation::Counts { group, stored, right } => store.repair_counts(group, *stored, *right).await,
        InvariantViolation::StaleCounts(group) => store.repair_copied_counts(group).await,
        InvariantViolation::Mirror(group, account) => store.repair_mirror(group, account).await,
        InvariantViolation::Copies(group, account) => store.repair_copies(group, account).await,
        InvariantViolation::Unfounded(group, account) => store.repair_unfounded(group, account, now).await,
        InvariantViolation::Orphan(group, account) => store.repair_orphan(group, account, now).await,
        InvariantViolation::AuditRecord(group, account) => store.repair_audit_record(group, account, now).await,
        InvariantViolation::FirstDesignGroup(group) => store.repair_first_design_group(group).await,
        InvariantViolation::FirstDesignJob(kind) => store.repair_first_design_job(kind).await,
        InvariantViolation::OrphanedEdge(edge) => propagation.delete_edge(edge).await,
        InvariantViolation::Unguarded(group) => store.mark_with_descendants(group, now).await.map(drop),
        InvariantViolation::NotDue(group, account) => store.repair_due(group, account, now).await,
        InvariantViolation::HalfEdge(edge) => store.repair_half_edge(edge, now).await,
        InvariantViolation::StuckDeletion(group) => store.create_job(JobKind::DeleteGroup(*group), actor, now).await,
        // Resumed before, repaired together or with an edge; a person decides about cycles and unreadable rows.
        InvariantViolation::Membership { .. }
        | InvariantViolation::Name(_)
        | InvariantViolation::AccountTexts(_)
        | InvariantViolation::Via { .. }
        | InvariantViolation::OfDeletedAccount(..)
        | InvariantViolation::Stalled(_)
        | InvariantViolation::SetAside(_)
        | InvariantViolation::Cycle(_)
        | InvariantViolation::Unreadable(_) => Ok(()),
    }
}
