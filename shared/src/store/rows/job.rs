//! The row of a job.

use serde::{Deserialize, Serialize};

use super::{State, from_row};
use crate::domain::{Actor, Error, Job, JobKind, Timestamp};
use crate::store::keys::Attributes;
use crate::store::table::unreadable;

/// A job. Its key has the kind and the arguments.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct JobItem {
    kind: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    progress: u64,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reason: Option<String>,
    state: State,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
}

impl JobItem {
    pub(in crate::store) fn new(job: &Job) -> Self {
        Self {
            kind: job.kind.name().to_owned(),
            revision: job.revision,
            cursor: job.cursor.clone(),
            progress: job.progress,
            attempts: job.attempts,
            last_reason: job.last_reason.clone(),
            state: if job.set_aside { State::SetAside } else { State::Active },
            created_at: job.created_at,
            actor: job.actor.clone(),
        }
    }

    /// The job of this kind, which is in the row's key.
    pub(in crate::store) fn job(self, kind: JobKind) -> Job {
        let Self { kind: _, revision, cursor, progress, attempts, last_reason, state, created_at, actor } = self;
        let set_aside = state == State::SetAside;
        Job { kind, revision, cursor, progress, attempts, last_reason, set_aside, created_at, actor }
    }
}

/// Decodes the job in its row.
pub(in crate::store) fn read_job(row: Attributes) -> Result<Job, Error> {
    let (key, item): (_, JobItem) = from_row(row)?;
    Ok(item.job(key.as_job().ok_or_else(|| unreadable("job row"))?))
}
