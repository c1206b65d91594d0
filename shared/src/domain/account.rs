//! Accounts. Another system owns them and describes them in events.

use std::fmt;

use base64::Engine;
use base64::alphabet::CRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AccountId, ExternalId, InvalidValue, Moment, Timestamp};

/// An account, as the account system last described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The id in the account system.
    pub id: AccountId,
    /// The account name, such as `john.doe`.
    pub name: String,
    /// The email address; may be empty.
    pub email: String,
    /// `active`, `inactive`, `suspended` or another text of the account system.
    pub status: String,
    /// The version of this description.
    pub version: AccountVersion,
}

impl Account {
    /// The status of an account with all its rights.
    pub const ACTIVE: &'static str = "active";
    /// The rule for its texts, to follow "must be" in a message. The address may be empty.
    pub const TEXT_EXPECTED: &'static str = "1 to 256 characters without control characters";

    /// Checks a text of an account, such as its name.
    ///
    /// # Errors
    /// The text breaks the rule.
    pub fn parse_text(text: &str) -> Result<String, InvalidValue> {
        if text.is_empty() {
            return Err(InvalidValue::new("is empty", Self::TEXT_EXPECTED));
        }
        Self::parse_possibly_empty(text, Self::TEXT_EXPECTED)
    }

    /// Checks a text of an account that may be empty, as its address. `expected` is the rule for it.
    ///
    /// # Errors
    /// The text is longer than 256 characters, or has a control character.
    pub fn parse_possibly_empty(text: &str, expected: &'static str) -> Result<String, InvalidValue> {
        if text.chars().count() > 256 || text.chars().any(char::is_control) {
            return Err(InvalidValue::new("is longer than 256 characters or has a control character", expected));
        }
        Ok(text.to_owned())
    }

    /// Whether the account has all its rights.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == Self::ACTIVE
    }
}

/// An account, with what its row has besides. Account events say nothing of the external id, so it stays when one arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedAccount {
    /// The account.
    pub account: Account,
    /// Its id in the system that provisions it. Two accounts may have the same.
    pub external_id: Option<ExternalId>,
    /// When it was first described; `None` for an account of before this was recorded.
    pub created_at: Option<Timestamp>,
}

impl ProvisionedAccount {
    /// Whether both say the same of the account. Their versions are not compared.
    #[must_use]
    pub fn describes_the_same(&self, other: &Self) -> bool {
        let fields = |it: &Self| {
            let Account { id, name, email, status, version: _ } = it.account.clone();
            (id, name, email, status, it.external_id.clone())
        };
        fields(self) == fields(other)
    }
}

/// The kind of event that describes an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DescribedBy {
    /// `Account Created`.
    Creation,
    /// `Account Updated`.
    Update,
}

/// Orders the events about an account: by the source's `updated_at`, then by kind, then by content.
///
/// All consumers of the same events end with the same account, in whichever order the events arrive. The text form has
/// 16 characters, base64 with its alphabet in ASCII order: texts sort as versions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountVersion {
    at: Moment,
    tie: u32,
}

/// Base64 whose alphabet is in ASCII order.
const ORDERED_BASE64: GeneralPurpose = GeneralPurpose::new(&CRYPT, NO_PAD);

impl AccountVersion {
    /// Sorts before every other version.
    pub const EARLIEST: Self = Self::at(Moment::EARLIEST);

    /// Returns the lowest version of a moment.
    #[must_use]
    pub const fn at(at: Moment) -> Self {
        Self { at, tie: 0 }
    }

    /// Returns the version of a description.
    ///
    /// Within one moment, as when the source counts in whole seconds, an update wins over a creation. Of two updates, any
    /// other status wins over `active`: a suspension is not lost. Further ties are broken by 29 bits of a SHA-256 over the
    /// content, an arbitrary order that is the same everywhere.
    #[must_use]
    pub fn described(at: Moment, by: DescribedBy, name: &str, email: &str, status: &str) -> Self {
        let digest = Sha256::new_with_prefix([name, email, status].join("\0")).finalize();
        let [a, b, c, d, ..] = digest[..] else { return Self::at(at) };
        let rank = u32::from(by == DescribedBy::Update) << 30 | u32::from(status != Account::ACTIVE) << 29;
        Self { at, tie: rank | (u32::from_be_bytes([a, b, c, d]) >> 3) }
    }

    /// Returns the version of a description that a request makes at this moment.
    #[must_use]
    pub fn provisioned(at: Moment, account: &Account) -> Self {
        Self::described(at, DescribedBy::Update, &account.name, &account.email, &account.status)
    }

    /// Returns the version of a deletion. Within one moment it wins over every description.
    #[must_use]
    pub const fn deleted(at: Moment) -> Self {
        Self { at, tie: u32::MAX }
    }

    /// Returns the moment of a change that is made now, of an account at this version. It is later than the version, so that the
    /// change wins even where the clock of another source is ahead.
    #[must_use]
    pub fn moment_after(self, now: Moment) -> Moment {
        now.max(Moment::from_unix_nanos(self.at.unix_nanos().saturating_add(1)))
    }

    /// Returns the source's `updated_at`.
    #[must_use]
    pub const fn moment(self) -> Moment {
        self.at
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 12] = ORDERED_BASE64.decode(text).ok()?.try_into().ok()?;
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
        f.write_str(&ORDERED_BASE64.encode(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The table compares versions by their texts.
    #[test]
    fn version_texts_sort_as_versions_do() {
        let moment = Moment::from_unix_nanos;
        let by = |announced, nanos, status: &str| {
            AccountVersion::described(moment(nanos), announced, "name", "email", status)
        };
        let created = |nanos, status| by(DescribedBy::Creation, nanos, status);
        let updated = |nanos, status| by(DescribedBy::Update, nanos, status);
        let ascending = [
            AccountVersion::EARLIEST,
            updated(-1, "active"),
            AccountVersion::deleted(moment(-1)),
            AccountVersion::at(moment(0)),
            created(0, "active"),
            created(0, "suspended"),
            updated(0, "active"),
            updated(0, "suspended"),
            AccountVersion::deleted(moment(0)),
            created(1, "active"),
            AccountVersion::deleted(moment(i64::MAX)),
        ];
        assert!(ascending.is_sorted());
        let texts = ascending.map(|version| version.to_string());
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 16));
        assert_eq!(texts.map(|text| AccountVersion::try_from(text).unwrap()), ascending);
    }

    #[test]
    fn malformed_version_text_is_rejected() {
        for text in ["", "1", "...............", ".................", "...............+", "............===="] {
            assert!(AccountVersion::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
