//! Batches of records of the table's stream.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::Propagation;
use super::members::MemberChanges;
use crate::domain::{AccountVersion, Actor, Error, GroupId, JobKind};
use crate::store::{MemberRowChange, Record, RowChange, RowId};
use crate::telemetry::{Counter, count};

/// Jobs of one batch that are worked on side by side.
const JOBS_SIDE_BY_SIDE: usize = 8;

/// Groups of one batch whose counts are copied side by side.
const COPIES_SIDE_BY_SIDE: usize = 8;

/// Propagates a batch of records. Returns the sequence numbers of those to retry.
pub async fn propagate(propagation: Propagation<'_>, records: &[Record]) -> Vec<String> {
    let mut failed = BTreeSet::new();
    let mut members = Vec::new();
    let mut jobs = Vec::new();
    let mut counted: BTreeMap<GroupId, Vec<&Record>> = BTreeMap::new();
    for record in records {
        match record.change() {
            Ok(None) => {}
            Ok(Some(RowChange::Member(change))) => {
                if !MemberChanges::from(&change).is_empty() {
                    members.push((record, change));
                }
            }
            Ok(Some(RowChange::Counts(group))) => counted.entry(group).or_default().push(record),
            Ok(Some(RowChange::Job(kind, revision))) => jobs.push((record, kind, revision)),
            Ok(Some(change)) => note(record, propagation.begin(change).await, &mut failed),
            Err(error) => note(record, propagation.retry_as_job(record, &error).await, &mut failed),
        }
    }
    propagation.reconcile_all(&members, &mut failed).await;
    propagation.copy_counts(counted, &mut failed).await;
    let steps: Vec<_> = jobs
        .iter()
        .map(|(record, kind, revision)| async move { (*record, propagation.step(kind, *revision).await) })
        .collect();
    let steps: Vec<_> = stream::iter(steps).buffer_unordered(JOBS_SIDE_BY_SIDE).collect().await;
    for (record, stepped) in steps {
        note(record, stepped, &mut failed);
    }
    failed.into_iter().collect()
}

fn note(record: &Record, outcome: Result<(), Error>, failed: &mut BTreeSet<String>) {
    if let Err(error) = outcome {
        let sequence_number = &record.sequence_number;
        tracing::warn!(sequence_number, reason = %error, "a stream record will be retried");
        failed.insert(record.sequence_number.clone());
    }
}

impl Propagation<'_> {
    /// Creates the job for work that is too large for a record, in the name of the actor of the change.
    async fn begin(&self, change: RowChange) -> Result<(), Error> {
        match change {
            RowChange::AccountUpdated(account, version, actor) => {
                self.create_job(JobKind::UpdateAccount(account, version), actor.as_ref()).await
            }
            RowChange::AccountDeleted(account, version, actor) => {
                self.create_job(JobKind::DeleteAccount(account, version), actor.as_ref()).await
            }
            RowChange::GroupDeleted(group, actor) => self.create_job(JobKind::DeleteGroup(group), actor.as_ref()).await,
            RowChange::NamePending(group) => self.complete_name(&group).await,
            // Those of one batch are worked on together.
            RowChange::Member(_) | RowChange::Counts(_) | RowChange::Job(..) => Ok(()),
        }
    }

    /// Creates a job for a record that cannot be decoded. The job reads the row itself and, when that cannot be decoded
    /// either, waits for an operator after ten failures.
    async fn retry_as_job(&self, record: &Record, error: &Error) -> Result<(), Error> {
        let sequence_number = &record.sequence_number;
        let Some(row) = record.row_id() else {
            // A retry would not help. `verify` finds the missing effects.
            tracing::error!(sequence_number, reason = %error, "a stream record cannot be decoded and is skipped");
            return Ok(());
        };
        let kind = match row {
            RowId::Member(group, account) => JobKind::ReconcileMember(group, account),
            RowId::Account(account) => JobKind::UpdateAccount(account, AccountVersion::EARLIEST),
            RowId::Group(group) => JobKind::DeleteGroup(group),
            // Only a version that can decode the row can continue.
            RowId::Job(_) | RowId::Unknown => {
                count(Counter::RecordsUnknown, 1.0);
                return Err(error.clone());
            }
        };
        tracing::error!(sequence_number, "a stream record cannot be decoded and becomes a job");
        self.create_job(kind, None).await
    }

    async fn create_job(&self, kind: JobKind, actor: Option<&Actor>) -> Result<(), Error> {
        self.store.create_job(kind, actor, self.now).await
    }

    /// Copies the counts of groups whose shards changed, each once.
    async fn copy_counts(&self, counted: BTreeMap<GroupId, Vec<&Record>>, failed: &mut BTreeSet<String>) {
        let copies: Vec<_> = counted
            .into_iter()
            .map(|(group, records)| async move { (records, self.store.copy_counts(&group).await) })
            .collect();
        let copies: Vec<_> = stream::iter(copies).buffer_unordered(COPIES_SIDE_BY_SIDE).collect().await;
        for (records, copied) in copies {
            if let Err(error @ Error::Internal { .. }) = &copied {
                // A retry would block the records behind. `verify` finds counts that are not copied.
                tracing::error!(reason = %error, "the counts of a group are not copied");
                continue;
            }
            records.into_iter().for_each(|record| note(record, copied.clone(), failed));
        }
    }

    /// Rule 9.
    async fn complete_name(&self, group: &GroupId) -> Result<(), Error> {
        match self.store.pending_name(group).await? {
            Some(name) => self.store.complete_name(&name).await,
            None => Ok(()),
        }
    }

    /// Reconciles the groups above member rows: all together or, when one of them fails, one by one.
    async fn reconcile_all(&self, members: &[(&Record, MemberRowChange)], failed: &mut BTreeSet<String>) {
        let mut changes = MemberChanges::default();
        members.iter().for_each(|(_, change)| changes.add(change));
        match self.reconcile(&changes).await {
            Ok(()) => {}
            Err(Error::Unavailable { .. }) => failed.extend(members.iter().map(|(it, _)| it.sequence_number.clone())),
            Err(_) => {
                for (record, change) in members {
                    note(record, self.reconcile_one(change).await, failed);
                }
            }
        }
    }

    /// Reconciles the groups above one member row. A failure that would repeat becomes a job, so that later records are not
    /// blocked.
    async fn reconcile_one(&self, change: &MemberRowChange) -> Result<(), Error> {
        match self.reconcile(&MemberChanges::from(change)).await {
            Err(error @ Error::Internal { .. }) => {
                tracing::error!(reason = %error, "a stream record becomes a job");
                self.create_job(JobKind::ReconcileMember(change.group, change.account.clone()), self.actor).await
            }
            outcome => outcome,
        }
    }
}
