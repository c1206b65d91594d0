//! Time, as a dependency: nothing reads the system's clock but [`SystemClock`].

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::InvalidValue;

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> u64;

    /// The present as the API shows it.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds((self.unix_millis() / 1_000).cast_signed())
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn unix_millis(&self) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A moment in UTC with whole seconds, written as RFC 3339 with `Z`: `2024-01-15T10:30:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The moment so many seconds after 1970; beyond the years that RFC 3339 can write, the epoch.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let moment =
            OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|moment| (0..=9999).contains(&moment.year()));
        Self(moment.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(*self))
    }
}

impl From<Timestamp> for String {
    /// Digit by digit: a page of members has a thousand of them, and formatting would be a tenth of what it costs.
    fn from(Timestamp(moment): Timestamp) -> Self {
        let (hour, minute, second) = moment.to_hms();
        let mut text = Self::with_capacity("2024-01-15T10:30:00Z".len());
        for two_digits in [moment.year() / 100, moment.year() % 100] {
            push_two_digits(&mut text, two_digits.unsigned_abs());
        }
        let rest = [('-', u8::from(moment.month())), ('-', moment.day()), ('T', hour), (':', minute), (':', second)];
        for (sign, number) in rest {
            text.push(sign);
            push_two_digits(&mut text, number.into());
        }
        text.push('Z');
        text
    }
}

fn push_two_digits(text: &mut String, number: u32) {
    text.extend([number / 10, number % 10].into_iter().filter_map(|digit| char::from_digit(digit, 10)));
}

impl TryFrom<String> for Timestamp {
    type Error = time::error::Parse;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let moment = OffsetDateTime::parse(&text, &Rfc3339)?;
        Ok(Self::from_unix_seconds(moment.unix_timestamp()))
    }
}

/// A moment as another system tells it, to the nanosecond: nanoseconds since 1970, in the years 1678 to 2261.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// Before every other.
    pub const EARLIEST: Self = Self(i64::MIN);

    /// So many nanoseconds after 1970.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, any offset, up to nanoseconds.
    ///
    /// # Errors
    /// Not RFC 3339, or in another century than nanoseconds in 64 bits can tell.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|moment| i64::try_from(moment.unix_timestamp_nanos()).ok())
            .map(Self)
            .ok_or(InvalidValue::new("is not a time in RFC 3339", "a time such as 2024-01-15T10:30:00Z"))
    }

    /// Its place among all moments, counted from the first.
    pub(super) const fn ordinal(self) -> u64 {
        self.0.wrapping_sub(i64::MIN).cast_unsigned()
    }

    pub(super) const fn from_ordinal(ordinal: u64) -> Self {
        Self(ordinal.cast_signed().wrapping_add(i64::MIN))
    }
}

impl From<Timestamp> for Moment {
    /// The beginning of its second; beyond the years that nanoseconds can tell, the nearest that they can.
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.unix_seconds().saturating_mul(1_000_000_000))
    }
}
