//! Accounts, which another system owns and tells about by events.

use std::fmt;

use base64::Engine;
use base64::alphabet::CRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AccountId, Moment};

/// An account as its source last described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id in the account system.
    pub id: AccountId,
    /// Its name, such as `john.doe`.
    pub name: String,
    /// Its address.
    pub email: String,
    /// `active`, `inactive`, `suspended` or whatever else the source says.
    pub status: String,
    /// Which description this is.
    pub version: AccountVersion,
}

/// Orders what is told of an account: by the source's `updated_at` and, of one moment, by what is told, so that all who
/// hear the same end with the same, in whatever order they hear it. Written in 16 characters, with base64 in the order of
/// ASCII, so that texts have the order of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountVersion {
    at: Moment,
    tie: u32,
}

const IN_ORDER: GeneralPurpose = GeneralPurpose::new(&CRYPT, NO_PAD);

impl AccountVersion {
    /// Before everything that can be told.
    pub const EARLIEST: Self = Self::at(Moment::EARLIEST);
    /// The status of an account that may do what it may do.
    const ACTIVE: &'static str = "active";

    /// The least version of a moment.
    #[must_use]
    pub const fn at(at: Moment) -> Self {
        Self { at, tie: 0 }
    }

    /// Of a description. Of one moment, another status stands over `active`: a suspension is not lost to a source that
    /// counts whole seconds. Otherwise 30 bits of what is told decide, for no reason but that they decide alike everywhere.
    #[must_use]
    pub fn described(at: Moment, name: &str, email: &str, status: &str) -> Self {
        let digest = Sha256::new_with_prefix([name, email, status].join("\0")).finalize();
        let [a, b, c, d, ..] = digest[..] else { return Self::at(at) };
        let rank = u32::from(status != Self::ACTIVE) << 30;
        Self { at, tie: rank | (u32::from_be_bytes([a, b, c, d]) >> 2) }
    }

    /// Of a deletion: of one moment, it stands over every description.
    #[must_use]
    pub const fn deleted(at: Moment) -> Self {
        Self { at, tie: u32::MAX }
    }

    /// The source's `updated_at`.
    #[must_use]
    pub const fn moment(self) -> Moment {
        self.at
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 12] = IN_ORDER.decode(text).ok()?.try_into().ok()?;
        let [a, b, c, d, e, f, g, h, tie @ ..] = bytes;
        let at = Moment::from_ordinal(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        Some(Self { at, tie: u32::from_be_bytes(tie) })
    }
}

impl fmt::Display for AccountVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.at.ordinal().to_be_bytes());
        bytes[8..].copy_from_slice(&self.tie.to_be_bytes());
        f.write_str(&IN_ORDER.encode(bytes))
    }
}

impl From<AccountVersion> for String {
    fn from(version: AccountVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for AccountVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an account's version")
    }
}
