//! Managers of a group: they may change its direct members, and nothing else.

use std::fmt;

use super::{AccountId, Actor, GroupId, Timestamp};

/// The managers that a group may have, at most.
pub const MAX_MANAGERS: usize = 100;

/// An account that manages a group, or a group of which every member does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManagerId {
    /// An account.
    Account(AccountId),
    /// A group.
    Group(GroupId),
}

impl ManagerId {
    /// Parses an id: that of a group, in any case, where it has the form of one, else that of an account.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        GroupId::parse_in_any_case(text).map(Self::Group).or_else(|| AccountId::parse(text).map(Self::Account))
    }
}

impl fmt::Display for ManagerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// A manager of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// The account or the group.
    pub id: ManagerId,
    /// Its name; `None` for one that was deleted, which manages nothing.
    pub name: Option<String>,
    /// When it became a manager.
    pub added_at: Timestamp,
    /// Who made it one.
    pub added_by: Actor,
}
