//! Job rows. Each write to one is a record in the table's stream, which starts the next step.

use futures::future::try_join_all;

use super::Store;
use super::keys::{Attribute, Attributes, JOB_PARTITIONS, Key, Range};
use super::rows::{JobItem, State, read_job, to_row};
use super::table::{Condition, QuerySpec, Update, UpdateResult, Write};
use crate::domain::{Actor, Error, Job, JobKind, Timestamp};
use crate::telemetry::{Counter, count};

/// Creates a job in the transaction of the change that it follows from.
pub(super) fn insert_job(job: &Job) -> Result<Write, Error> {
    Ok(Write::insert(job_row(job)?))
}

/// Creates a job in the transaction of the change that it follows from, in place of one that is left over.
pub(super) fn put_job(job: &Job) -> Result<Write, Error> {
    Ok(Write::put(job_row(job)?))
}

fn job_row(job: &Job) -> Result<Attributes, Error> {
    to_row(&Key::job(&job.kind), &JobItem::new(job))
}

impl Store {
    /// Creates a job, unless it exists. One `PutItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn create_job(&self, kind: JobKind, actor: Option<&Actor>, now: Timestamp) -> Result<(), Error> {
        self.table.insert(job_row(&Job::new(kind, now, actor))?).await
    }

    /// Returns the job, unless it is finished. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn get_job(&self, kind: &JobKind) -> Result<Option<Job>, Error> {
        self.table.get(&Key::job(kind)).await?.map(read_job).transpose()
    }

    /// Lists all unfinished jobs, oldest first. One `Query` for each partition of the jobs, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn list_jobs(&self) -> Result<Vec<Job>, Error> {
        let partitions = (0..JOB_PARTITIONS)
            .map(|partition| async move { self.table.query(QuerySpec::all(&Range::Jobs(partition))).await });
        let rows = try_join_all(partitions).await?.into_iter().flatten();
        let mut jobs: Vec<Job> = rows.map(read_job).collect::<Result<_, _>>()?;
        jobs.sort_by_cached_key(|job| (job.created_at, Key::job(&job.kind)));
        Ok(jobs)
    }

    /// Records progress of a job, unless its row has changed. One `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn advance_job(&self, job: &Job, cursor: &str, processed: u64) -> Result<(), Error> {
        let update = Update::of(Key::job(&job.kind))
            .set(Attribute::Cursor, cursor)
            .set(Attribute::Attempts, 0)
            .remove(Attribute::LastReason)
            .add(Attribute::Progress, processed.cast_signed());
        self.write_job(job, update).await
    }

    /// Records a failed step. After ten failures in a row the job waits for an operator; `passes_by_itself` failures do not
    /// count. One `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn fail_job(&self, job: &Job, reason: &str, passes_by_itself: bool) -> Result<(), Error> {
        count(Counter::JobsFailed, 1.0);
        let mut update = Update::of(Key::job(&job.kind))
            .set(Attribute::LastReason, reason)
            .add(Attribute::Attempts, i64::from(!passes_by_itself));
        if !passes_by_itself && job.attempts + 1 >= Job::MAX_ATTEMPTS {
            count(Counter::JobsSetAside, 1.0);
            update = update.set(Attribute::State, State::SetAside.as_str());
        }
        self.write_job(job, update).await
    }

    /// Resumes a job that waits for an operator. One `UpdateItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn resume_job(&self, job: &Job) -> Result<(), Error> {
        let update =
            Update::of(Key::job(&job.kind)).set(Attribute::State, State::Active.as_str()).set(Attribute::Attempts, 0);
        self.write_job(job, update).await
    }

    /// Deletes a finished job. One `DeleteItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn finish_job(&self, kind: &JobKind) -> Result<(), Error> {
        self.table.delete(&Key::job(kind)).await.inspect(|()| count(Counter::JobsDone, 1.0))
    }

    async fn write_job(&self, job: &Job, update: Update) -> Result<(), Error> {
        let unchanged = Condition::equals(Attribute::Revision, job.revision.cast_signed());
        match self.table.update(update.add(Attribute::Revision, 1).when(unchanged)).await? {
            UpdateResult::Updated(_) | UpdateResult::ConditionFailed(_) => Ok(()),
        }
    }
}
