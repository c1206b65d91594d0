//! Groups and their fields.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, GroupId, GroupName, InvalidValue, SortKey, Timestamp};

/// The purpose of a group.
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
    /// Parses the lower-case name of a type.
    ///
    /// # Errors
    /// The text is not the name of a type.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "security" => Ok(Self::Security),
            "distribution" => Ok(Self::Distribution),
            _ => Err(InvalidValue::new("is no group type", "security or distribution")),
        }
    }

    /// Returns the lower-case name.
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
    /// The longest description, in characters.
    pub const MAX_CHARS: usize = 1_024;

    /// Checks the length of a description. The text itself is unchanged.
    ///
    /// # Errors
    /// The text is longer than 1,024 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is longer than 1024 characters", "at most 1024 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A group's or an account's id in another system: 1 to 255 characters (Unicode scalar values), none of them a control character,
/// without white space around. No two groups have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// The longest id, in characters.
    pub const MAX_CHARS: usize = 255;
    /// The rule for an external id, to follow "must be" in a message.
    pub const EXPECTED: &'static str = "1 to 255 characters without white space around";

    /// Checks an external id.
    ///
    /// # Errors
    /// The text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() || text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is empty or longer than 255 characters", Self::EXPECTED));
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(InvalidValue::new("has white space around, or a control character", Self::EXPECTED));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A group's e-mail address: one `@` with text on both sides, no white space, at most 254 characters (RFC 5321, section
/// 4.5.3.1.3, without the brackets). Whether mail arrives there is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEmail(String);

impl GroupEmail {
    /// The longest address, in characters.
    pub const MAX_CHARS: usize = 254;
    /// The rule for an address, to follow "must be" in a message.
    pub const EXPECTED: &'static str = "one e-mail address of at most 254 characters";

    /// Checks an address.
    ///
    /// # Errors
    /// The text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let is_address = matches!(text.split('@').collect::<Vec<_>>()[..], [local, domain] if !local.is_empty() && !domain.is_empty());
        let is_clean = !text.chars().any(|character| character.is_whitespace() || character.is_control());
        if !is_address || !is_clean || text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is not an e-mail address", Self::EXPECTED));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Counts the writes to a group's own fields; the first part of the `ETag`. Changes of members do not increase it, so that a
/// rename does not fail because an account joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version of a new group.
    pub const FIRST: Self = Self(1);
}

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

/// The fields of a group that administrators set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProfile {
    /// The display name; need not be unique.
    pub name: GroupName,
    /// Free text, may be empty.
    pub description: Description,
    /// The purpose of the group.
    pub group_type: GroupType,
    /// Whether the group grants elevated rights.
    pub is_privileged: bool,
    /// Its id in another system.
    pub external_id: Option<ExternalId>,
    /// Its address.
    pub email: Option<GroupEmail>,
}

impl GroupProfile {
    /// Returns a profile with this name. Its other fields have their defaults.
    #[must_use]
    pub fn named(name: GroupName) -> Self {
        Self {
            name,
            description: Description::default(),
            group_type: GroupType::default(),
            is_privileged: false,
            external_id: None,
            email: None,
        }
    }
}

/// The fields of a group to change; `None` leaves a field unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupChanges {
    /// The new name.
    pub name: Option<GroupName>,
    /// The new description.
    pub description: Option<Description>,
    /// The new type.
    pub group_type: Option<GroupType>,
    /// The new value of `is_privileged`.
    pub is_privileged: Option<bool>,
    /// The new external id, or none.
    pub external_id: Option<Option<ExternalId>>,
    /// The new address, or none.
    pub email: Option<Option<GroupEmail>>,
}

impl GroupChanges {
    /// Whether no field is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether they may move the group in the lists, or change how searches find it.
    #[must_use]
    pub const fn move_in_lists(&self) -> bool {
        self.name.is_some() || self.group_type.is_some() || self.is_privileged.is_some()
    }

    /// Returns the profile with these changes.
    #[must_use]
    pub fn applied_to(&self, profile: &GroupProfile) -> GroupProfile {
        let Self { name, description, group_type, is_privileged, external_id, email } = self.clone();
        GroupProfile {
            name: name.unwrap_or_else(|| profile.name.clone()),
            description: description.unwrap_or_else(|| profile.description.clone()),
            group_type: group_type.unwrap_or(profile.group_type),
            is_privileged: is_privileged.unwrap_or(profile.is_privileged),
            external_id: external_id.unwrap_or_else(|| profile.external_id.clone()),
            email: email.unwrap_or_else(|| profile.email.clone()),
        }
    }
}

/// A group, with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group's id.
    pub id: GroupId,
    /// The fields that administrators set.
    pub profile: GroupProfile,
    /// The number of distinct member accounts, direct and inherited.
    pub member_count: u64,
    /// The number of direct members.
    pub direct_member_count: u64,
    /// The number of child groups.
    pub nested_group_count: u64,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last write to the profile.
    pub updated_at: Timestamp,
    /// Who created it; `None` for a group of before this was recorded.
    pub created_by: Option<Actor>,
    /// Who last wrote to the profile.
    pub updated_by: Option<Actor>,
    /// The optimistic lock on the group's own fields.
    pub version: Version,
    /// Counts the changes of members and nested groups. As exact as the counts: a group in a list may lag.
    pub revision: u64,
    /// Whether a change of it may alter who is in a privileged group: it is privileged, or marked as nested in one. The mark may
    /// be left over from before.
    pub is_guarded: bool,
}

impl Group {
    /// Returns a new group without members or nested groups.
    #[must_use]
    pub const fn new(id: GroupId, profile: GroupProfile, created_at: Timestamp) -> Self {
        Self {
            id,
            is_guarded: profile.is_privileged,
            profile,
            member_count: 0,
            direct_member_count: 0,
            nested_group_count: 0,
            created_at,
            updated_at: created_at,
            created_by: None,
            updated_by: None,
            version: Version::FIRST,
            revision: 0,
        }
    }

    /// Returns what identifies this state of the group.
    #[must_use]
    pub const fn tag(&self) -> GroupTag {
        GroupTag { version: self.version, revision: self.revision }
    }

    /// Returns the position in the list of groups: the folded name, then the id.
    #[must_use]
    pub fn list_position(&self) -> (SortKey, GroupId) {
        (self.profile.name.sort_key(), self.id)
    }
}

/// Selects groups by their fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Those of this type.
    pub group_type: Option<GroupType>,
    /// Those that are privileged, or those that are not.
    pub is_privileged: Option<bool>,
}

impl GroupFilter {
    /// Whether the filter selects a group with these fields.
    #[must_use]
    pub fn matches(&self, profile: &GroupProfile) -> bool {
        self.group_type.is_none_or(|it| it == profile.group_type)
            && self.is_privileged.is_none_or(|it| it == profile.is_privileged)
    }

    /// The names of its two conditions, of the type and of the flag.
    #[must_use]
    pub fn names(&self) -> [Option<&'static str>; 2] {
        let flag = |is_privileged| if is_privileged { "privileged" } else { "ordinary" };
        [self.group_type.map(GroupType::as_str), self.is_privileged.map(flag)]
    }

    /// The filters that select a group with these fields: by each of them, by both, and by none.
    #[must_use]
    pub fn all_matching(profile: &GroupProfile) -> [Self; 4] {
        let (group_type, is_privileged) = (Some(profile.group_type), Some(profile.is_privileged));
        [
            Self::default(),
            Self { group_type, is_privileged: None },
            Self { group_type: None, is_privileged },
            Self { group_type, is_privileged },
        ]
    }
}

/// The groups of a list, and their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupSelection {
    /// The groups.
    pub filter: GroupFilter,
    /// Their order.
    pub order: Order,
}

/// The order of a list of groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By name.
    #[default]
    Ascending,
    /// The reverse.
    Descending,
}

impl Order {
    /// Parses the value of `sort`.
    ///
    /// # Errors
    /// The text is neither `name` nor `-name`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "name" => Ok(Self::Ascending),
            "-name" => Ok(Self::Descending),
            _ => Err(InvalidValue::new("is no order of this list", "name or -name")),
        }
    }

    /// Whether the order is the reverse one.
    #[must_use]
    pub fn is_descending(self) -> bool {
        self == Self::Descending
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
