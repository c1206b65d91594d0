//! Jobs: work that follows from one commit and is too large for it.

use super::{AccountId, AccountVersion, Actor, Edge, GroupId, Timestamp};

/// The work of a job. Each may run twice, from the beginning or side by side, with the same result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Adds the members of a nested group to its new parent.
    Backfill(Edge),
    /// Removes members inherited through an edge that has been deleted.
    Sweep(Edge),
    /// Deletes the edges and the rows of a deleted group.
    DeleteGroup(GroupId),
    /// Copies an account's fields at this version to its memberships.
    UpdateAccount(AccountId, AccountVersion),
    /// Ends the memberships of an account deleted at this version, which may be that of its last update.
    DeleteAccount(AccountId, AccountVersion),
    /// Reconciles one member and the groups above it: the work of a stream record that failed.
    ReconcileMember(GroupId, AccountId),
}

impl JobKind {
    /// The name in rows and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Backfill(_) => "backfill",
            Self::Sweep(_) => "sweep",
            Self::DeleteGroup(_) => "delete_group",
            Self::UpdateAccount(..) => "update_account",
            Self::DeleteAccount(..) => "delete_account",
            // The first name of this kind; stored keys have it.
            Self::ReconcileMember(..) => "climb",
        }
    }
}

/// A job and its progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// The work.
    pub kind: JobKind,
    /// Counts the writes to the job's row. A stream record of an earlier revision starts no step.
    pub revision: u64,
    /// Where the next step begins: an account, a group or a phase. `None` at the beginning.
    pub cursor: Option<String>,
    /// Members processed so far; after a crash, some more than once.
    pub progress: u64,
    /// Failures since the last progress, not counting those that pass by themselves.
    pub attempts: u32,
    /// Why the last step failed; never a value from the table.
    pub last_reason: Option<String>,
    /// The job failed so often that it waits for an operator.
    pub set_aside: bool,
    /// When the job was created.
    pub created_at: Timestamp,
    /// Who made the change that the job follows from, when known.
    pub actor: Option<Actor>,
}

impl Job {
    /// Failures in a row after which a job waits for an operator.
    pub const MAX_ATTEMPTS: u32 = 10;

    /// A new job.
    #[must_use]
    pub fn new(kind: JobKind, created_at: Timestamp, actor: Option<&Actor>) -> Self {
        Self {
            kind,
            revision: 1,
            cursor: None,
            progress: 0,
            attempts: 0,
            last_reason: None,
            set_aside: false,
            created_at,
            actor: actor.cloned(),
        }
    }
}
