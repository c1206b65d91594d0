//! Accounts, which another system owns and tells about by events.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{AccountId, Violation};

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

/// Orders the descriptions of an account: the source's `updated_at`, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountVersion(pub i64);

impl AccountVersion {
    /// Reads an `updated_at` in RFC 3339, any offset, up to nanoseconds.
    ///
    /// # Errors
    /// Not RFC 3339, or outside the years 1678 to 2261 that nanoseconds in 64 bits can hold.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|moment| i64::try_from(moment.unix_timestamp_nanos()).ok())
            .map(Self)
            .ok_or(Violation::new("is not a time in RFC 3339", "a time such as 2024-01-15T10:30:00Z"))
    }
}
