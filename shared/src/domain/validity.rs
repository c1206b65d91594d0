//! From when and until when an account is a direct member.

use super::{AccountId, Actor, GroupId, InvalidValue, Timestamp};

/// The actor of changes that are made because a membership starts or expires.
pub const EXPIRY_ACTOR: &str = "groups:expiry";

/// The validity of a direct membership, as a request wants it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// When it starts; `None` for at once.
    pub starts_at: Option<Timestamp>,
    /// The second from which on it has ended: `None` leaves it as it is, `Some(None)` means never.
    pub expires_at: Option<Option<Timestamp>>,
}

/// For how many days ahead the end of a membership is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiryNotice {
    days: u16,
}

impl ExpiryNotice {
    /// Parses a number of days from 0 to 365. With 0, nothing is announced.
    ///
    /// # Errors
    /// The text is no such number.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        const MAX_DAYS: u16 = 365;
        match text.parse() {
            Ok(days @ 0..=MAX_DAYS) => Ok(Self { days }),
            _ => Err(InvalidValue::new("is not a number of days from 0 to 365", "0 to 365")),
        }
    }

    /// Returns when the end of a membership is announced; `None` for never.
    #[must_use]
    pub fn announced_at(self, expires_at: Timestamp) -> Option<Timestamp> {
        const SECONDS_A_DAY: i64 = 86_400;
        let at = expires_at.unix_seconds() - i64::from(self.days) * SECONDS_A_DAY;
        (self.days > 0).then(|| Timestamp::from_unix_seconds(at))
    }
}

/// An announcement that a direct membership ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryAnnouncement {
    /// The group.
    pub group: GroupId,
    /// The account.
    pub account: AccountId,
    /// The second from which on it is no direct member any more.
    pub expires_at: Timestamp,
    /// When it is announced.
    pub at: Timestamp,
    /// The number of the membership's last change.
    pub revision: u64,
}

impl Actor {
    /// The actor of changes that are made because a membership starts or expires.
    #[must_use]
    pub fn expiry() -> Self {
        Self::new(EXPIRY_ACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_is_announced_days_ahead() {
        let expires_at = Timestamp::parse("2026-12-08T10:00:00Z").unwrap();
        let announced_at = |days| ExpiryNotice::parse(days).unwrap().announced_at(expires_at);
        assert_eq!(announced_at("7"), Some(Timestamp::parse("2026-12-01T10:00:00Z").unwrap()));
        assert_eq!(announced_at("0"), None);
        for text in ["", "-1", "366", "1.5", "week"] {
            assert!(ExpiryNotice::parse(text).is_err(), "{text}");
        }
    }
}
