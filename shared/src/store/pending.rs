//! The effects of a write that are not done when it commits.

use crate::domain::{AccountId, GroupId};

/// A written value, and the effects that are still to be propagated. [`App::settle`](crate::app::App::settle) finishes them
/// within the time budget and returns the value; the table's stream finishes them in any case. The type of the effects is a
/// parameter, so that a function's binary has the code for its own effects only.
#[must_use = "`App::settle` returns the value; `leave_to_stream` where nobody waits for the effects"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled<T, E> {
    value: T,
    pending: Pending<E>,
}

/// Effects still to be propagated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending<E> {
    /// None.
    Nothing,
    /// Unknown, since the write may or may not have happened.
    Unknown,
    /// These.
    Effects(E),
}

/// Accounts that became members of a group, or ceased to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedMembers {
    /// The group.
    pub group: GroupId,
    /// The accounts.
    pub accounts: Vec<AccountId>,
}

/// A deleted group, with its members still in the groups above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedGroup(pub GroupId);

impl<T, E> Unsettled<T, E> {
    pub(super) const fn new(value: T, pending: Pending<E>) -> Self {
        Self { value, pending }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Unsettled<U, E> {
        Unsettled { value: change(self.value), pending: self.pending }
    }

    /// The value, without waiting for the effects.
    pub fn leave_to_stream(self) -> T {
        self.value
    }

    pub(crate) fn into_parts(self) -> (T, Pending<E>) {
        (self.value, self.pending)
    }
}
