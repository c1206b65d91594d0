//! The effects of a write that are not done when it commits.

use super::rows::PendingName;
use crate::domain::{AccountId, GroupId, JobKind};

/// A written value, and the effects that are still to be propagated. [`App::settle`](crate::app::App::settle) finishes
/// them within the time budget and returns the value; the table's stream finishes the rest.
#[must_use = "`App::settle` returns the value; `leave_to_stream` where nobody waits for the effects"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled<T> {
    value: T,
    pending: Pending,
}

/// Effects still to be propagated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending {
    /// None.
    Nothing,
    /// Unknown, since the write may or may not have happened.
    Unknown,
    /// These accounts became members of the group, or ceased to be.
    Members(GroupId, Vec<AccountId>),
    /// The job was created with the write.
    Job(JobKind),
    /// Searches do not find the group by this name yet.
    Name(PendingName),
}

impl<T> Unsettled<T> {
    pub(super) const fn new(value: T, pending: Pending) -> Self {
        Self { value, pending }
    }

    /// The value, without waiting for the effects.
    pub fn leave_to_stream(self) -> T {
        self.value
    }

    pub(crate) fn into_parts(self) -> (T, Pending) {
        (self.value, self.pending)
    }
}
