//! Groups.

use serde::{Deserialize, Serialize};

use super::{GroupId, GroupName, InvalidValue, SortKey, Timestamp};

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupType {
    /// Grants access.
    #[default]
    Security,
    /// Addresses mail.
    Distribution,
}

impl GroupType {
    /// Reads the lower-case name of a type.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "security" => Ok(Self::Security),
            "distribution" => Ok(Self::Distribution),
            _ => Err(InvalidValue::new("is no group type", "security or distribution")),
        }
    }

    /// The lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Distribution => "distribution",
        }
    }
}

/// A group's description: at most 1,024 characters (Unicode scalar values).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description(String);

impl Description {
    /// Characters in the longest description.
    pub const MAX_CHARS: usize = 1_024;

    /// Checks a description; it is kept as given.
    ///
    /// # Errors
    /// Longer than 1,024 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is longer than 1024 characters", "at most 1024 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The description as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Counts how often a group's own fields were written; the `ETag`. Members coming and going leave it alone, so that a
/// rename is not refused because somebody joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// Of a group just created.
    pub const FIRST: Self = Self(1);
}

/// The fields of a group that its administrators decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProfile {
    /// Shown to people; need not be unique.
    pub name: GroupName,
    /// Free text.
    pub description: Description,
    /// What it is for.
    pub group_type: GroupType,
    /// Whether it grants elevated rights.
    pub is_privileged: bool,
}

/// The fields of a group to change; `None` leaves one as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupChanges {
    /// A new name.
    pub name: Option<GroupName>,
    /// A new description.
    pub description: Option<Description>,
    /// A new type.
    pub group_type: Option<GroupType>,
    /// A new privilege.
    pub is_privileged: Option<bool>,
}

impl GroupChanges {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What its administrators decide.
    pub profile: GroupProfile,
    /// Accounts that are members, each once.
    pub member_count: u64,
    /// Accounts added to this group itself.
    pub direct_member_count: u64,
    /// Groups nested directly in it.
    pub nested_group_count: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a field of its profile was last written.
    pub updated_at: Timestamp,
    /// Its optimistic lock.
    pub version: Version,
}

impl Group {
    /// A group as it is when just created.
    #[must_use]
    pub const fn new(id: GroupId, profile: GroupProfile, created_at: Timestamp) -> Self {
        Self {
            id,
            profile,
            member_count: 0,
            direct_member_count: 0,
            nested_group_count: 0,
            created_at,
            updated_at: created_at,
            version: Version::FIRST,
        }
    }

    /// Its place in an order by name: the name without case, then the id.
    #[must_use]
    pub fn list_position(&self) -> (SortKey, GroupId) {
        (self.profile.name.sort_key(), self.id)
    }
}
