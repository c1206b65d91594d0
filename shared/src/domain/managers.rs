//! Managers of a group: they may change its direct members, and nothing else.

use super::{Actor, PrincipalId, Timestamp};

/// The managers that a group may have, at most.
pub const MAX_MANAGERS: usize = 100;

/// A manager of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// The account or the group.
    pub id: PrincipalId,
    /// Its name; `None` for one that was deleted, which manages nothing.
    pub name: Option<String>,
    /// When it became a manager.
    pub added_at: Timestamp,
    /// Who made it one.
    pub added_by: Actor,
}
