//! What a request requires of a group's state (RFC 9110, section 13).

use std::fmt;

use super::{Error, Version};

/// Identifies a state of a group: `3-17` in its `ETag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTag {
    /// Counts the writes to the group's own fields.
    pub version: Version,
    /// Counts the changes of its members and nested groups.
    pub revision: u64,
}

impl GroupTag {
    /// Parses the form of [`fmt::Display`]. Returns `None` for a text that is never a group's tag.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (version, revision) = text.split_once('-')?;
        let tag = Self { version: Version(version.parse().ok()?), revision: revision.parse().ok()? };
        (tag.to_string() == text).then_some(tag)
    }
}

impl fmt::Display for GroupTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.version.0, self.revision)
    }
}

/// What a write requires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Precondition {
    /// `If-Match`: the group is in one of these states. `None` where any state is right.
    pub only_at: Option<Vec<GroupTag>>,
    /// `If-None-Match: *`: the request creates what its path names.
    pub only_new: bool,
}

impl Precondition {
    /// Nothing.
    pub const NONE: Self = Self { only_at: None, only_new: false };

    /// The versions of the group's own fields that the write is for.
    #[must_use]
    pub fn versions(&self) -> Option<Vec<Version>> {
        Some(self.only_at.as_ref()?.iter().map(|tag| tag.version).collect())
    }

    /// Requires that the group is in one of the states.
    ///
    /// # Errors
    /// [`Error::VersionMismatch`].
    pub fn check(&self, tag: GroupTag) -> Result<(), Error> {
        match &self.only_at {
            Some(tags) if !tags.contains(&tag) => Err(Error::VersionMismatch),
            _ => Ok(()),
        }
    }

    /// Requires that nothing exists yet where the write is for new things only.
    ///
    /// # Errors
    /// [`Error::Exists`].
    pub const fn check_new(&self, exists: bool) -> Result<(), Error> {
        if self.only_new && exists { Err(Error::Exists) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_read_as_it_is_written() {
        let tag = GroupTag { version: Version(3), revision: 17 };
        assert_eq!(GroupTag::parse(&tag.to_string()), Some(tag));
        for other in ["", "3", "3-", "-17", "03-17", "3-+17", "3-17-1", "3- 17", "3-18446744073709551616"] {
            assert_eq!(GroupTag::parse(other), None, "{other}");
        }
    }
}
