//! Ids of groups, which this product generates, and ids of accounts, which come from the account system.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A group's id: `grp-` and a UUIDv7 (RFC 9562) in lower case. The id of a deleted group is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupId(Uuid);

impl GroupId {
    const PREFIX: &'static str = "grp-";

    /// Returns an id for a group created at this time, in milliseconds since 1970. It uses 74 bits of `random`.
    #[must_use]
    pub fn new(unix_millis: u64, random: u128) -> Self {
        let random = random.to_be_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &tail).into_uuid())
    }

    /// Parses the text form of [`fmt::Display`]. Returns `None` for a text that is never a group's id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text.strip_prefix(Self::PREFIX)?).ok()?;
        let id = Self(uuid);
        (uuid.get_version_num() == 7 && id.to_string() == text).then_some(id)
    }

    /// Parses an id that a client sent. Some clients write UUIDs in capitals.
    #[must_use]
    pub fn parse_in_any_case(text: &str) -> Option<Self> {
        Self::parse(&text.to_ascii_lowercase())
    }

    /// Returns the 16 bytes of the UUID.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the id with this UUID.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0.as_hyphenated())
    }
}

impl From<GroupId> for String {
    fn from(id: GroupId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for GroupId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a group id")
    }
}

/// An account's id, assigned by the account system or, for an account that is created here, by this product: 1 to 128 visible ASCII characters other than `/ ? # %`, and neither
/// `.` nor `..`. It can be used in a path without escaping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The longest id, in characters.
    pub const MAX_CHARS: usize = 128;
    /// The rule for an account id, to follow "must be" in a message.
    pub const EXPECTED: &'static str = "1 to 128 visible ASCII characters other than / ? # %, and neither . nor ..";

    /// Returns an id for an account created here at this time, in milliseconds since 1970: `acc-` and a UUIDv7. It uses 74 bits of
    /// `random`.
    #[must_use]
    pub fn new(unix_millis: u64, random: u128) -> Self {
        let GroupId(uuid) = GroupId::new(unix_millis, random);
        Self(format!("acc-{}", uuid.as_hyphenated()))
    }

    /// Parses an id. Returns `None` for a text that is never an account's id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        let clean = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte));
        // Clients remove these two segments from a path.
        let is_dot_segment = matches!(text, "." | "..");
        (fits && clean && !is_dot_segment).then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl TryFrom<String> for AccountId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an account id")
    }
}

/// The id of an account or of a group, where either can stand: of a manager of a group, or of a direct member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalId {
    /// An account.
    Account(AccountId),
    /// A group.
    Group(GroupId),
}

impl PrincipalId {
    /// Parses an id: that of a group, in any case, where it has the form of one, else that of an account.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        GroupId::parse_in_any_case(text).map(Self::Group).or_else(|| AccountId::parse(text).map(Self::Account))
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_close_to_a_group_id_is_rejected() {
        for text in [
            "grp-123",
            "x",
            "018d0cab-c440-7000-8000-000000000001",
            "GRP-018d0cab-c440-7000-8000-000000000001",
            "grp-018D0CAB-C440-7000-8000-000000000001",
            "grp-018d0cab-c440-4000-8000-000000000001",
        ] {
            assert_eq!(GroupId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn group_id_in_capitals_names_the_same_group() {
        let id = GroupId::new(1, 2);
        assert_eq!(GroupId::parse_in_any_case(&id.to_string().to_uppercase()), Some(id));
        assert_eq!(GroupId::parse(&id.to_string().to_uppercase()), None, "keys have one spelling");
    }

    proptest! {
        #[test]
        fn group_id_round_trips_and_sorts_by_time(millis in 0_u64..1 << 48, random: u128, later in 1_u64..1 << 20) {
            let id = GroupId::new(millis, random);
            prop_assert_eq!(GroupId::parse(&id.to_string()), Some(id));
            prop_assert_eq!(GroupId::from_bytes(*id.as_bytes()), id);
            if millis + later < 1 << 48 {
                prop_assert!(GroupId::new(millis + later, !random) > id);
            }
        }

        #[test]
        fn arbitrary_text_is_no_group_id(text in "\\PC{0,44}") {
            prop_assert_eq!(GroupId::parse(&text), None);
        }

        #[test]
        fn account_id_is_visible_ascii_usable_in_a_path(text in "\\PC{0,130}") {
            let is_valid = (1..=128).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_graphic() && !"/?#%".contains(c))
                && text != "."
                && text != "..";
            prop_assert_eq!(AccountId::parse(&text).is_some(), is_valid);
        }
    }
}
