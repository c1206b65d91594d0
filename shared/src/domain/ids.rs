//! Ids: of groups, which this product makes, and of accounts, which come from another system.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A group's id: `grp-` and a UUIDv7 (RFC 9562) in lower case. Never used again after the group is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupId(Uuid);

impl GroupId {
    const PREFIX: &'static str = "grp-";

    /// An id for a group created at this moment; of `random`, 74 bits are used.
    #[must_use]
    pub fn new(unix_millis: u64, random: u128) -> Self {
        let random = random.to_be_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &tail).into_uuid())
    }

    /// Reads an id as [`fmt::Display`] writes it; `None` for a text that no group can have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text.strip_prefix(Self::PREFIX)?).ok()?;
        let id = Self(uuid);
        (uuid.get_version_num() == 7 && id.to_string() == text).then_some(id)
    }

    /// The UUID alone, 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with this UUID.
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

/// An account's id, as the account system gives it: 1 to 128 visible ASCII characters other than `/ ? # %`, and neither
/// `.` nor `..`, so that it stands in a path as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// Characters in the longest id.
    pub const MAX_CHARS: usize = 128;
    /// What an account id is, after "must be".
    pub const EXPECTED: &'static str = "1 to 128 visible ASCII characters other than / ? # %, and neither . nor ..";

    /// Reads an id; `None` for a text that no account can have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        let clean = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte));
        // Clients take these two out of a path.
        let stays = !matches!(text, "." | "..");
        (fits && clean && stays).then(|| Self(text.to_owned()))
    }

    /// The id as text.
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
