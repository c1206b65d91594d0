//! Groups in groups.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::GroupId;

/// Names one nesting: the nested group, and 64 random bits that no other nesting of it ever has. Written as
/// `grp-…~0123456789abcdef`. It says which group a member comes through without another look at the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EdgeId {
    child: GroupId,
    nonce: u64,
}

impl EdgeId {
    const SEPARATOR: char = '~';

    /// The id of a new nesting of the group.
    #[must_use]
    pub const fn new(child: GroupId, random: u64) -> Self {
        Self { child, nonce: random }
    }

    /// Reads an id as [`fmt::Display`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (child, nonce) = text.split_once(Self::SEPARATOR)?;
        let id = Self { child: GroupId::parse(child)?, nonce: u64::from_str_radix(nonce, 16).ok()? };
        (id.to_string() == text).then_some(id)
    }

    /// The nested group.
    #[must_use]
    pub const fn child(&self) -> GroupId {
        self.child
    }
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:016x}", self.child, Self::SEPARATOR, self.nonce)
    }
}

impl From<EdgeId> for String {
    fn from(id: EdgeId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EdgeId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an edge id")
    }
}

/// A group nested directly in another, from one nesting to the unnesting after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The group that contains the other.
    pub parent: GroupId,
    /// Which nesting, and of which group.
    pub id: EdgeId,
}

impl Edge {
    /// The nested group.
    #[must_use]
    pub const fn child(&self) -> GroupId {
        self.id.child()
    }
}

/// Groups that may be nested directly in one group.
pub const MAX_CHILDREN: u64 = 100;

/// Groups that may be above a group that another is nested in, itself counted: each is a condition of the transaction
/// that nests, and a transaction holds a hundred.
pub const MAX_ANCESTORS: usize = 90;
