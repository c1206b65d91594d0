//! Who makes a change.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who makes a change: the name of a caller, the source of an event or the person it names, or this service itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

/// The actor in audit records and events when this service makes a change and no other actor is known.
pub const SYSTEM_ACTOR: &str = "groups";

impl Actor {
    /// The actor of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// This service itself.
    #[must_use]
    pub fn system() -> Self {
        Self::new(SYSTEM_ACTOR)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
