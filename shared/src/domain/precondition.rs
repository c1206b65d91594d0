//! Preconditions of a request on the state of a group (RFC 9110, section 13).

use super::{Error, GroupTag, Version};

/// The preconditions of a write.
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
