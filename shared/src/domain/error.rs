//! What can go wrong when something is looked up or changed.

use super::GroupId;
use super::nesting::{MAX_ANCESTORS, MAX_CHILDREN};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What was asked for does not exist.
    #[error("{0}")]
    Missing(#[from] Missing),
    /// The group is at another version than the caller named.
    #[error("the group has changed since the version in If-Match")]
    VersionMismatch,
    /// The caller used the idempotency key before, for another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyKeyReused,
    /// The group would contain itself: each of these contains the next, the last one the first.
    #[error("nesting it would make a cycle, in which each contains the next: {}", list(.0))]
    Cycle(Vec<GroupId>),
    /// As many groups are nested directly in the group as may be.
    #[error("a group holds at most {MAX_CHILDREN} directly nested groups")]
    TooManyChildren,
    /// The nested group would have more groups above it than may be.
    #[error("a group is nested in at most {MAX_ANCESTORS} groups, counted through all levels")]
    TooManyAncestors,
    /// The account is no direct member, but comes through these directly nested groups.
    #[error("the account is a member only through the nested groups {}", list(.0))]
    OnlyIndirect(Vec<GroupId>),
    /// A cursor that this list did not give.
    #[error("the cursor does not belong to this list")]
    ForeignCursor,
    /// The table throttled, conflicted or did not answer for as long as there was time.
    #[error("the table did not take {operation} in time")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
    },
    /// The table refused what it should have taken, or holds what it should not. A fault of ours.
    #[error("{operation} failed: {code}")]
    Internal {
        /// The DynamoDB operation, or the row that could not be read.
        operation: &'static str,
        /// DynamoDB's error code, or what was wrong with the row; never a value from the table.
        code: String,
    },
}

/// What does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The group.
    #[error("the group does not exist")]
    Group,
    /// The account with this id.
    #[error("the account {0} does not exist")]
    Account(String),
    /// The membership of an account in a group.
    #[error("the account is not a member of the group")]
    Member,
    /// The group that is to be nested.
    #[error("the group {0} to be nested does not exist")]
    NestedGroup(String),
    /// The nesting of a group in another.
    #[error("the group is not nested directly in the group")]
    Nesting,
}

fn list(groups: &[GroupId]) -> String {
    let groups: Vec<String> = groups.iter().map(GroupId::to_string).collect();
    groups.join(", ")
}
