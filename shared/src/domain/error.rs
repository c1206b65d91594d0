//! Errors of looking something up or changing it.

use super::managers::MAX_MANAGERS;
use super::nesting::{MAX_ANCESTORS, MAX_CHILDREN};
use super::preview::COUNTED_ACCOUNTS;
use super::{GroupId, Timestamp};

/// The reason why the store refused or failed an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something that the caller named does not exist.
    #[error("{0}")]
    Missing(#[from] Missing),
    /// The account is at another version than `If-Match` named.
    #[error("the account has changed since the ETag in If-Match")]
    AccountChanged,
    /// The group is in another state than `If-Match` named.
    #[error("the group has changed since the ETag in If-Match")]
    VersionMismatch,
    /// The request was to create something that exists.
    #[error("it exists already, and If-None-Match requires that it does not")]
    Exists,
    /// The precondition of a nesting does not fit one transaction beside the checks of so many ancestors.
    #[error("If-Match is not possible below {0} groups; leave it out")]
    TooManyConditions(usize),
    /// The caller has used the idempotency key for another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyKeyReused,
    /// Another group, this one, has the external id.
    #[error("the group {0} has this external_id already")]
    ExternalIdTaken(GroupId),
    /// Another group or account, this one, has the name, and the request requires that none has.
    #[error("{0} has this name already")]
    NameTaken(String),
    /// The group would contain itself: each group of this list contains the next, the last one the first.
    #[error("nesting it would make a cycle, in which each contains the next: {}", list(.0))]
    Cycle(Vec<GroupId>),
    /// The group already holds [`MAX_CHILDREN`] directly nested groups.
    #[error("a group holds at most {MAX_CHILDREN} directly nested groups")]
    TooManyChildren,
    /// The child, or one of its descendants, would have more than [`MAX_ANCESTORS`] ancestors.
    #[error("a group is nested in at most {MAX_ANCESTORS} groups, counted through all levels")]
    TooManyAncestors,
    /// The group already has [`MAX_MANAGERS`] managers.
    #[error("a group has at most {MAX_MANAGERS} managers; a group can be one")]
    TooManyManagers,
    /// The membership is to start later, but the account is a direct member.
    #[error("the account is a direct member already; leave out starts_at, or remove the account first")]
    HasStarted,
    /// The account is not a direct member; it is inherited through these directly nested groups.
    #[error(
        "the account is a member only through the nested groups {}; remove it from these, or remove these from the group",
        list(.0)
    )]
    OnlyIndirect(Vec<GroupId>),
    /// The change could alter who is in a privileged group, and the caller lacks the role for it.
    #[error("{0}")]
    Guarded(Guarded),
    /// More accounts would lose a membership than the request allows, or more than are counted.
    #[error("{}", too_many(*removals, *max_removals, *is_complete))]
    TooManyRemovals {
        /// The accounts that were counted.
        removals: u64,
        /// The number that the request allows.
        max_removals: u32,
        /// Whether all were counted.
        is_complete: bool,
    },
    /// The cursor belongs to another list.
    #[error("the cursor does not belong to this list")]
    ForeignCursor,
    /// Changes of the group or the account before this time are not in its history: they were made before history was kept.
    #[error("history begins at {0}")]
    BeforeHistory(Timestamp),
    /// The table throttled, conflicted or did not answer until the deadline.
    #[error("the table did not take {operation} in time")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
    },
    /// Internal error: the table rejected a request, or holds a row that cannot be read.
    #[error("{operation} failed: {code}")]
    Internal {
        /// The DynamoDB operation, or the kind of row that could not be read.
        operation: &'static str,
        /// DynamoDB's error code, or the defect of the row; never a value from the table.
        code: String,
    },
}

/// Why a change needs the privileged role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Guarded {
    /// It makes the group privileged.
    #[error("the group would be privileged")]
    WouldBePrivileged,
    /// The group is privileged.
    #[error("the group {0} is privileged")]
    Privileged(GroupId),
    /// The group is nested, at some depth, in this privileged group.
    #[error("the group is nested in the privileged group {0}")]
    NestedIn(GroupId),
}

/// The thing that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The group.
    #[error("the group does not exist")]
    Group,
    /// The account, by the id that the caller sent.
    #[error("the account {0} does not exist{hint}", hint = id_hint(.0))]
    Account(String),
    /// The membership of an account in a group.
    #[error("the account is not a member of the group")]
    Member,
    /// The group to nest, by the id that the caller sent.
    #[error("the group {0} to be nested does not exist")]
    NestedGroup(String),
    /// The group to manage another, by the id that the caller sent.
    #[error("the group {0}, which should manage it, does not exist")]
    ManagingGroup(String),
    /// The manager of a group.
    #[error("it is not a manager of the group")]
    Manager,
    /// The edge from one group to another.
    #[error("the group is not nested directly in the group")]
    Nesting,
}

/// Clients often send an e-mail address where an id belongs.
fn id_hint(account: &str) -> &'static str {
    if account.contains('@') { "; an e-mail address is no id; the list of accounts finds it with ?email=" } else { "" }
}

fn too_many(removals: u64, max_removals: u32, is_complete: bool) -> String {
    if is_complete {
        return format!(
            "{removals} accounts would lose a membership, and max_removals is {max_removals}; nothing is changed"
        );
    }
    format!(
        "more than {COUNTED_ACCOUNTS} accounts are affected, too many to compare with max_removals; nothing is changed"
    )
}

fn list(groups: &[GroupId]) -> String {
    let groups: Vec<String> = groups.iter().map(GroupId::to_string).collect();
    groups.join(", ")
}
