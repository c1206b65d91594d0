//! Nesting of groups in groups.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::GroupId;

/// Identifies one edge: the child group and a 64-bit nonce that no other edge of that child ever has.
///
/// The text form is `grp-…~0123456789abcdef`. It names the child, so that the `via` of a member needs no further read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EdgeId {
    child: GroupId,
    nonce: u64,
}

impl EdgeId {
    const SEPARATOR: char = '~';

    /// Returns the id of a new edge to `child`.
    #[must_use]
    pub const fn new(child: GroupId, random: u64) -> Self {
        Self { child, nonce: random }
    }

    /// Returns 32 characters with the same content: half the text form, for rows that hold many ids.
    #[must_use]
    pub fn compact(&self) -> String {
        URL_SAFE_NO_PAD.encode([self.child.as_bytes().as_slice(), &self.nonce.to_be_bytes()].concat())
    }

    /// Parses the text form of [`fmt::Display`], or that of [`Self::compact`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 32 {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (child, nonce) = bytes.split_first_chunk::<16>()?;
            let child = GroupId::parse(&GroupId::from_bytes(*child).to_string())?;
            return Some(Self { child, nonce: u64::from_be_bytes(nonce.try_into().ok()?) });
        }
        let (child, nonce) = text.split_once(Self::SEPARATOR)?;
        let id = Self { child: GroupId::parse(child)?, nonce: u64::from_str_radix(nonce, 16).ok()? };
        (id.to_string() == text).then_some(id)
    }

    /// Returns the child group.
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

/// One nesting of a child group in a parent group, until it is unnested. Nesting it again makes another edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The parent group.
    pub parent: GroupId,
    /// The id of the edge, which names the child group.
    pub id: EdgeId,
}

impl Edge {
    /// Returns the child group.
    #[must_use]
    pub const fn child(&self) -> GroupId {
        self.id.child()
    }
}

/// The maximum number of children of a group.
pub const MAX_CHILDREN: u64 = 100;

/// The maximum number of a group's ancestors. Each ancestor of a parent is a condition check in the transaction that nests a
/// group in it, and a transaction holds 100 items.
pub const MAX_ANCESTORS: usize = 90;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_id_round_trips_in_both_forms() {
        for nonce in [0, 42, u64::MAX] {
            let id = EdgeId::new(GroupId::new(1_700_000_000_000, u128::MAX), nonce);
            assert_eq!((id.to_string().len(), id.compact().len()), (57, 32));
            assert_eq!(EdgeId::parse(&id.to_string()), Some(id));
            assert_eq!(EdgeId::parse(&id.compact()), Some(id));
        }
        for text in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "grp-1~2"] {
            assert_eq!(EdgeId::parse(text), None, "{text}");
        }
    }
}
