//! Job rows: work that drives itself. Every write to one is a record in the table's stream, which has the next step
//! done.

use super::Store;
use super::expression::Expression;
use super::items::{JobItem, State, read_job, to_row};
use super::keys::{Attribute, Key, ListKey, Range};
use super::table::{Rows, Written};
use super::transact::Action;
use crate::authz::{Granted, Settle};
use crate::domain::{Error, Job, JobKind, Timestamp};
use crate::telemetry::{Counter, count};

/// A job that comes about together with what it follows from.
pub(super) fn put(job: &Job) -> Result<Action, Error> {
    let mut row = to_row(&Key::job(&job.kind), &JobItem::new(job))?;
    row.extend(ListKey::job(&job.kind, job.created_at).to_attributes());
    Ok(Action::put_new(row))
}

impl Store {
    /// A job comes about, unless it is there. One `PutItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn create_job(&self, granted: &Granted<Settle>, kind: JobKind, now: Timestamp) -> Result<(), Error> {
        let Action::Put { row, e, condition } = put(&Job::new(kind, now, granted.behalf()))? else { return Ok(()) };
        self.table.put(row, e, condition).await.map(drop)
    }

    /// The job, if it is not done. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn get_job(&self, _: &Granted<Settle>, kind: &JobKind) -> Result<Option<Job>, Error> {
        self.table.get(&Key::job(kind)).await?.map(read_job).transpose()
    }

    /// All jobs that are not done, the oldest first. One `Query` on the index, eventually consistent.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn list_jobs(&self, _: &Granted<Settle>) -> Result<Vec<Job>, Error> {
        let rows = self.table.query(Rows::all(&Range::Jobs)).await?;
        rows.into_iter().map(read_job).collect()
    }

    /// The job has come to here, unless somebody else moved it meanwhile. One `UpdateItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn advance_job(&self, _: &Granted<Settle>, job: &Job, cursor: &str, looked_at: u64) -> Result<(), Error> {
        let mut e = Expression::default();
        let set = [e.set(Attribute::Cursor, cursor), e.set(Attribute::Attempts, 0)].join(", ");
        let add = [e.add(Attribute::Progress, looked_at.cast_signed()), e.add(Attribute::Revision, 1)].join(", ");
        let remove = e.remove(Attribute::LastReason);
        self.write_job(job, e, format!("SET {set} REMOVE {remove} ADD {add}")).await
    }

    /// The job failed; so often, perhaps, that it is set aside, unless it failed of something that passes by itself. One
    /// `UpdateItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn fail_job(&self, _: &Granted<Settle>, job: &Job, reason: &str, passes: bool) -> Result<(), Error> {
        count(Counter::JobsFailed, 1.0);
        let mut e = Expression::default();
        let mut set = vec![e.set(Attribute::LastReason, reason)];
        if !passes && job.attempts + 1 >= Job::MAX_ATTEMPTS {
            count(Counter::JobsSetAside, 1.0);
            set.push(e.set(Attribute::State, State::SetAside.as_str()));
        }
        let add = [e.add(Attribute::Attempts, i64::from(!passes)), e.add(Attribute::Revision, 1)].join(", ");
        self.write_job(job, e, format!("SET {} ADD {add}", set.join(", "))).await
    }

    /// A job that was set aside goes on. One `UpdateItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn resume_job(&self, _: &Granted<Settle>, job: &Job) -> Result<(), Error> {
        let mut e = Expression::default();
        let set = [e.set(Attribute::State, State::Active.as_str()), e.set(Attribute::Attempts, 0)].join(", ");
        let add = e.add(Attribute::Revision, 1);
        self.write_job(job, e, format!("SET {set} ADD {add}")).await
    }

    /// The job is done. One `DeleteItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn finish_job(&self, _: &Granted<Settle>, kind: &JobKind) -> Result<(), Error> {
        self.table.delete(&Key::job(kind)).await.inspect(|()| count(Counter::JobsDone, 1.0))
    }

    async fn write_job(&self, job: &Job, mut e: Expression, update: String) -> Result<(), Error> {
        let condition = e.equal(Attribute::Revision, job.revision.cast_signed());
        match self.table.update(&Key::job(&job.kind), e, update, condition).await? {
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }
}
