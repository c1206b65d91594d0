//! Jobs: work that follows from one commit and is too much for it.

use super::{AccountId, AccountVersion, Edge, GroupId, Timestamp};

/// What a job does. Each may be done twice, from the beginning or side by side, with the same end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Gives the members of a nested group to the group it was nested in.
    Backfill(Edge),
    /// Takes from a group the members it had through a group nested in it no more.
    Sweep(Edge),
    /// Takes a deleted group out of the nesting and removes its rows.
    DeleteGroup(GroupId),
    /// Carries an account's fields at this version to its memberships.
    UpdateAccount(AccountId, AccountVersion),
    /// Carries to an account's memberships that it was deleted at this version, which may be that of its last update.
    DeleteAccount(AccountId, AccountVersion),
    /// Looks again at one member and the groups above it: what a record asked for and could not be done at once.
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
            Self::ReconcileMember(..) => "climb",
        }
    }
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// What it does.
    pub kind: JobKind,
    /// Counts the writes to its row: a record that tells of an earlier one drives nothing.
    pub revision: u64,
    /// The account, the group or, where it has several, the part that it has come to; `None` at the beginning.
    pub cursor: Option<String>,
    /// Members looked at so far; some more than once after a crash.
    pub progress: u64,
    /// Failures since it last moved, but for those that pass by themselves.
    pub attempts: u32,
    /// Why it last failed; never a value from the table.
    pub last_reason: Option<String>,
    /// Whether it failed so often that it waits for an operator.
    pub set_aside: bool,
    /// When it came about.
    pub created_at: Timestamp,
    /// On whose behalf, when that is known: who made the change that it follows from.
    pub actor: Option<String>,
}

impl Job {
    /// Failures in a row, of those that do not pass by themselves, after which a job is set aside.
    pub const MAX_ATTEMPTS: u32 = 10;

    /// A job as it is when just made.
    #[must_use]
    pub fn new(kind: JobKind, created_at: Timestamp, actor: Option<&str>) -> Self {
        Self {
            kind,
            revision: 1,
            cursor: None,
            progress: 0,
            attempts: 0,
            last_reason: None,
            set_aside: false,
            created_at,
            actor: actor.map(str::to_owned),
        }
    }
}
