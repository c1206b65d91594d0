//! Rules 5 to 8: work that is too large for a commit, or for one record of the stream.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Propagation;
use super::members::MemberChanges;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId, Job, JobKind};
use crate::store::{EdgeState, Inheritance, Reach};

/// How long one step works, so that later records do not wait long.
const STEP_TIME: Duration = Duration::from_secs(1);

/// How often the deletion of an edge is tried when other writes interfere.
const EDGE_DELETIONS: usize = 10;

/// Members that a job processes together: some thirty in each of sixteen shards, whose transactions run side by side.
const PAGE_MEMBERS: usize = 480;

/// Audit records that expire together.
const PAGE_AUDIT_RECORDS: usize = 1_000;

/// The result of a part of a job.
#[derive(Debug, Default)]
struct StepResult {
    /// The cursor of the next part; `None` when the job is finished.
    next: Option<String>,
    /// Members processed.
    processed: u64,
}

impl Propagation<'_> {
    /// Completes a job at once, with its effects on the groups above.
    ///
    /// # Errors
    /// The table did not respond. The job stays, and the stream completes it.
    pub async fn complete_job(&self, kind: &JobKind) -> Result<(), Error> {
        let mut cursor = None;
        loop {
            cursor = self.work(kind, cursor.as_deref(), Reach::AllLevels).await?.next;
            if cursor.is_none() {
                return self.store.finish_job(kind).await;
            }
        }
    }

    /// Does a step of a job, if the job is still at this revision. The records of the member rows start its effects on
    /// the groups above.
    ///
    /// # Errors
    /// The table did not even record the failure: the stream record must be retried.
    pub(super) async fn step(&self, kind: &JobKind, revision: u64) -> Result<(), Error> {
        let Some(job) = self.store.get_job(kind).await? else { return Ok(()) };
        if job.revision != revision || job.set_aside {
            return Ok(());
        }
        match (Propagation { actor: job.actor.as_ref(), ..*self }).work_for_step_time(&job).await {
            Ok(StepResult { next: None, .. }) => self.store.finish_job(kind).await,
            Ok(StepResult { next: Some(cursor), processed, .. }) => {
                self.store.advance_job(&job, &cursor, processed).await
            }
            Err(error) => {
                let (job_kind, failures, reason) = (kind.name(), job.attempts, error.to_string());
                tracing::error!(job = job_kind, failures, reason, "a step of a job failed");
                let passes_by_itself = matches!(error, Error::Unavailable { .. });
                self.store.fail_job(&job, &reason, passes_by_itself).await
            }
        }
    }

    async fn work_for_step_time(&self, job: &Job) -> Result<StepResult, Error> {
        let end = Instant::now() + STEP_TIME;
        let mut done = StepResult { next: job.cursor.clone(), ..StepResult::default() };
        loop {
            let result = self.work(&job.kind, done.next.as_deref(), Reach::ChangedRows).await?;
            done = StepResult { processed: done.processed + result.processed, ..result };
            if done.next.is_none() || Instant::now() >= end {
                return Ok(done);
            }
        }
    }

    /// Does the part of a job at this cursor.
    async fn work(&self, kind: &JobKind, cursor: Option<&str>, reach: Reach) -> Result<StepResult, Error> {
        match kind {
            JobKind::Backfill(edge) => self.backfill(edge, cursor, reach).await,
            JobKind::Sweep(edge) => self.sweep(edge, cursor, reach).await,
            JobKind::DeleteGroup(group) => self.delete_group(group, cursor).await,
            JobKind::UpdateAccount(account, _) | JobKind::DeleteAccount(account, _) => {
                self.update_account(account, cursor).await
            }
            JobKind::ReconcileMember(group, account) => {
                let via = self.store.edges_of_member(group, account).await?;
                let changes = MemberChanges::of_member(*group, account.clone(), &via);
                self.reconcile(&changes).await.map(|()| StepResult::default())
            }
        }
    }

    /// Rule 5. Starts once every later change of the child's members sees the edge: earlier members are found here.
    /// Ends when the edge is deleted.
    async fn backfill(&self, edge: &Edge, cursor: Option<&str>, reach: Reach) -> Result<StepResult, Error> {
        match self.store.edge_state(edge).await? {
            EdgeState::Present => {}
            EdgeState::Deleted => return Ok(StepResult::default()),
            EdgeState::GroupDeleted | EdgeState::ParentGone => {
                return self.delete_edge(edge).await.map(|()| StepResult::default());
            }
        }
        self.reconcile_page(edge, &edge.child(), None, cursor, reach).await
    }

    /// Deletes the edge of a deleted group. The rows of its groups may disappear meanwhile.
    ///
    /// # Errors
    /// The table did not respond; [`Error::Internal`] after ten conflicts.
    pub(crate) async fn delete_edge(&self, edge: &Edge) -> Result<(), Error> {
        for _ in 0..EDGE_DELETIONS {
            let is_deleted = match self.store.edge_state(edge).await? {
                EdgeState::Deleted => true,
                EdgeState::ParentGone => self.store.delete_orphaned_edge(edge, self.actor, self.now).await?,
                EdgeState::Present | EdgeState::GroupDeleted => {
                    self.store.delete_edge(edge, self.actor, self.now).await?
                }
            };
            if is_deleted {
                return Ok(());
            }
        }
        Err(Error::Internal { operation: "deletion of an edge", code: "conditions keep failing".into() })
    }

    /// Deletes the edges of a deleted group. Returns those to its parents, whose members are still to be swept.
    async fn delete_edges(&self, group: &GroupId) -> Result<Vec<Edge>, Error> {
        let (children, parents) =
            futures::future::try_join(self.store.children(group), self.store.parents(group)).await?;
        for edge in children.iter().chain(&parents) {
            self.delete_edge(edge).await?;
        }
        Ok(parents)
    }

    /// Removes a deleted group from its parents and children, and its members from the groups above.
    ///
    /// # Errors
    /// The table did not respond. The group's job stays, and the stream completes it.
    pub async fn detach_group(&self, group: &GroupId) -> Result<(), Error> {
        for edge in self.delete_edges(group).await? {
            self.complete_job(&JobKind::Sweep(edge)).await?;
        }
        Ok(())
    }

    /// Rule 6. Starts once no read returns the edge any more.
    async fn sweep(&self, edge: &Edge, cursor: Option<&str>, reach: Reach) -> Result<StepResult, Error> {
        if cursor.is_none() && self.store.edge_state(edge).await? != EdgeState::Deleted {
            return Ok(StepResult::default());
        }
        self.reconcile_page(edge, &edge.parent, Some(edge.id), cursor, reach).await
    }

    /// Reconciles an edge for the next members of `group`.
    async fn reconcile_page(
        &self,
        edge: &Edge,
        group: &GroupId,
        via: Option<EdgeId>,
        cursor: Option<&str>,
        reach: Reach,
    ) -> Result<StepResult, Error> {
        let after = cursor.and_then(AccountId::parse);
        let (accounts, next) = self.store.members_after(group, via, after.as_ref(), PAGE_MEMBERS).await?;
        let processed = accounts.len() as u64;
        let inheritances: Vec<Inheritance> =
            accounts.into_iter().map(|account| Inheritance { edge: *edge, account }).collect();
        self.store.reconcile_inherited(&inheritances, self.actor, self.now, reach).await?;
        Ok(StepResult { next: next.map(String::from), processed })
    }

    /// Rule 7. Removes the name and the edges first, so that removed members are not propagated; then the members; then
    /// the group's own row.
    async fn delete_group(&self, group: &GroupId, cursor: Option<&str>) -> Result<StepResult, Error> {
        const EDGES: &str = "nesting";
        const MEMBERS: &str = "members";
        let more = |next: &str, processed| StepResult { next: Some(next.into()), processed };
        if cursor != Some(MEMBERS) {
            if self.store.is_active(group).await? {
                return Ok(StepResult::default());
            }
            self.store.purge_name(group).await?;
            self.delete_edges(group).await?;
            return Ok(more(MEMBERS, 0));
        }
        let (accounts, _) = self.store.members_after(group, None, None, PAGE_MEMBERS).await?;
        self.store.purge_members(group, &accounts, self.actor, self.now).await?;
        if !accounts.is_empty() {
            return Ok(more(MEMBERS, accounts.len() as u64));
        }
        self.expire_audit_records(group).await?;
        match self.store.finish_deletion(group).await? {
            true => Ok(StepResult::default()),
            // An edge was committed while the group was being deleted.
            false => Ok(more(EDGES, 0)),
        }
    }

    /// Sets the expiry of all audit records, including those of former members.
    async fn expire_audit_records(&self, group: &GroupId) -> Result<(), Error> {
        let mut after = None;
        loop {
            after = self.store.expire_audit_records(group, after.as_ref(), PAGE_AUDIT_RECORDS, self.now).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Rule 8.
    async fn update_account(&self, account: &AccountId, cursor: Option<&str>) -> Result<StepResult, Error> {
        let after = cursor.and_then(GroupId::parse);
        let (groups, next) = self.store.groups_of_account_after(account, after.as_ref(), PAGE_MEMBERS).await?;
        let processed = groups.len() as u64;
        let members: BTreeSet<_> = groups.into_iter().map(|group| (group, account.clone())).collect();
        self.store.update_members(&members, self.now).await?;
        Ok(StepResult { next: next.map(String::from), processed })
    }
}
