//! Time as a dependency: only [`SystemClock`] reads the system's clock.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::InvalidValue;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> u64;

    /// Returns the current time in the API's resolution, whole seconds.
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

/// A time in UTC with whole seconds, written as RFC 3339 with `Z`: `2024-01-15T10:30:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Converts seconds since 1970-01-01T00:00:00Z. Outside the years 0 to 9999 of RFC 3339 it returns the epoch.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let moment =
            OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|moment| (0..=9999).contains(&moment.year()));
        Self(moment.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    /// Parses RFC 3339 with any offset; returns the second that the time lies in.
    ///
    /// # Errors
    /// The text is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue::new("is not a time in RFC 3339", "a time such as 2024-01-15T10:30:00Z");
        Self::try_from(text.to_owned()).map_err(|_| invalid)
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
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
    /// Writes digit by digit: a page of members has 1,000 timestamps, and `format!` would cost a tenth of the call.
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

/// A time from another system: nanoseconds since 1970-01-01T00:00:00Z, in the years 1678 to 2261.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// Sorts before every other moment.
    pub const EARLIEST: Self = Self(i64::MIN);

    /// Converts nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with any offset and up to nine digits of a second.
    ///
    /// # Errors
    /// The text is not RFC 3339, or lies outside the years that 64 bits of nanoseconds hold.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|moment| i64::try_from(moment.unix_timestamp_nanos()).ok())
            .map(Self)
            .ok_or(InvalidValue::new("is not a time in RFC 3339", "a time such as 2024-01-15T10:30:00Z"))
    }

    /// Returns the position among all moments; unsigned, so that its big-endian bytes sort as moments do.
    pub(super) const fn ordinal(self) -> u64 {
        self.0.wrapping_sub(i64::MIN).cast_unsigned()
    }

    /// The inverse of [`Self::ordinal`].
    pub(super) const fn from_ordinal(ordinal: u64) -> Self {
        Self(ordinal.cast_signed().wrapping_add(i64::MIN))
    }
}

impl From<Moment> for Timestamp {
    /// Returns the second that the moment lies in.
    fn from(Moment(nanos): Moment) -> Self {
        Self::from_unix_seconds(nanos.div_euclid(1_000_000_000))
    }
}

impl From<Timestamp> for Moment {
    /// Returns the start of the second, clamped to the years that nanoseconds can represent.
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.unix_seconds().saturating_mul(1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_written_with_whole_seconds_and_z() {
        assert_eq!(Timestamp::from_unix_seconds(1_705_314_600).to_string(), "2024-01-15T10:30:00Z");
        assert_eq!(Timestamp::from_unix_seconds(-1).to_string(), "1969-12-31T23:59:59Z");
        let leap_day = "2024-02-29T23:59:59Z".to_owned();
        assert_eq!(Timestamp::try_from(leap_day.clone()).unwrap().to_string(), leap_day);
    }

    #[test]
    fn timestamp_beyond_rfc_3339_becomes_the_epoch() {
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), Timestamp::from_unix_seconds(0));
    }

    #[test]
    fn system_clock_is_past_the_year_of_its_writing() {
        assert!(SystemClock.now() > Timestamp::from_unix_seconds(1_705_314_600));
    }

    #[test]
    fn moments_compare_by_instant_across_utc_offsets() {
        let moment = |text| Moment::parse(text).unwrap();
        assert_eq!(moment("2024-01-15T10:30:00Z"), moment("2024-01-15T12:30:00+02:00"));
        assert!(moment("2024-01-15T10:30:00.000000001Z") > moment("2024-01-15T10:30:00Z"));
        assert!(moment("2024-01-15T10:30:00Z") < moment("2024-01-15T10:30:00-01:00"));
    }

    #[test]
    fn moment_rejects_other_formats_and_centuries_beyond_its_range() {
        let invalid =
            ["", "2024-01-15", "2024-01-15 10:30", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
        for text in invalid {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
