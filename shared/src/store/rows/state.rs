//! The state of a row.

use serde::{Deserialize, Serialize};

/// Whether a row is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::store) enum State {
    /// It is.
    Active,
    /// A group that no longer exists for callers, while a job removes its rows.
    Deleting,
    /// A deleted account. Its row stays, so that a late event is compared with its version.
    Deleted,
    /// A job that failed so often that it waits for an operator.
    SetAside,
}

impl State {
    /// The stored text.
    pub(in crate::store) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
            Self::SetAside => "SET_ASIDE",
        }
    }
}
