//! History: the committed changes of groups, memberships and nestings, kept for a number of days.

use super::{AccountId, Actor, Group, GroupId, InvalidValue, Membership, Timestamp};

/// A committed change, as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Counts the changes of the entity: of two entries, the one with the higher number is the later.
    pub revision: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// The change.
    pub change: HistoryChange,
}

impl HistoryEntry {
    /// Identifies the change. The published event has the same id, where there is one.
    #[must_use]
    pub fn id(&self) -> String {
        let revision = self.revision;
        match &self.change {
            HistoryChange::Group { group, .. } => format!("{group}/{revision}"),
            HistoryChange::Member { group, account, .. } => format!("{group}/{account}/{revision}"),
            HistoryChange::Nesting { parent, child, .. } => format!("{parent}/groups/{child}/{revision}"),
        }
    }
}

/// The changed entity, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryChange {
    /// A group's own fields.
    Group {
        /// The group.
        group: GroupId,
        /// The group before; `None` for a new one.
        before: Option<Box<Group>>,
        /// The group after; `None` for a deleted one.
        after: Option<Box<Group>>,
    },
    /// A membership.
    Member {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// The membership before, if there was one.
        before: Option<PastMembership>,
        /// The membership after, if there is one.
        after: Option<PastMembership>,
        /// When the state before began; `None` when nothing was recorded before.
        before_since: Option<Timestamp>,
    },
    /// A nesting of one group in another.
    Nesting {
        /// The parent.
        parent: GroupId,
        /// The child.
        child: GroupId,
        /// Whether it was nested, or else removed.
        is_nested: bool,
    },
}

/// A membership, and when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMembership {
    /// How the account was a member.
    pub membership: Membership,
    /// When it became a member.
    pub added_at: Timestamp,
}

/// A group that an account was in at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastGroup {
    /// The group, with its present fields; those it had last, if it was deleted since.
    pub group: Group,
    /// How the account was a member.
    pub membership: Membership,
    /// When the group was deleted, if it was.
    pub deleted_at: Option<Timestamp>,
}

/// Selects entries of a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first second.
    pub since: Option<Timestamp>,
    /// The second before which the period ends.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Whether no second lies in the period.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.since.zip(self.until).is_some_and(|(since, until)| since >= until)
    }
}

/// For how many days history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRetention {
    days: u16,
}

impl HistoryRetention {
    const MAX_DAYS: u16 = 3_653;
    const SECONDS_A_DAY: i64 = 86_400;

    /// Parses a number of days from 1 to 3,653, which are ten years.
    ///
    /// # Errors
    /// The text is no such number.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let days = text.parse().unwrap_or_default();
        match (1..=Self::MAX_DAYS).contains(&days) {
            true => Ok(Self { days }),
            false => Err(InvalidValue::new("is not a number of days from 1 to 3653", "1 to 3653")),
        }
    }

    /// The earliest second that history still covers.
    #[must_use]
    pub fn begin(self, now: Timestamp) -> Timestamp {
        Timestamp::from_unix_seconds(now.unix_seconds() - self.seconds())
    }

    /// When a change of this time may be forgotten, in seconds since 1970. A day later than history ends, so that the changes of
    /// its first second are there for sure.
    #[must_use]
    pub fn expiry(self, at: Timestamp) -> i64 {
        at.unix_seconds() + self.seconds() + Self::SECONDS_A_DAY
    }

    /// Parses a point in time that history covers.
    ///
    /// # Errors
    /// The text is no time, the time is still to come, or it lies before the history that is kept.
    pub fn point_in_time(self, text: &str, now: Timestamp) -> Result<Timestamp, InvalidValue> {
        const EXPECTED: &str = "a time in RFC 3339 that history covers, such as 2024-01-15T10:30:00Z";
        let at = Timestamp::parse(text)?;
        if at > now {
            return Err(InvalidValue::because(format!("is later than now, which is {now}"), EXPECTED));
        }
        let begin = self.begin(now);
        if at < begin {
            return Err(InvalidValue::because(format!("is before {begin}, where history begins"), EXPECTED));
        }
        Ok(at)
    }

    fn seconds(self) -> i64 {
        i64::from(self.days) * Self::SECONDS_A_DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn point_in_time_is_within_the_days_kept() {
        let retention = HistoryRetention::parse("10").unwrap();
        let now = at("2024-01-20T12:00:00Z");
        let parse = |text| retention.point_in_time(text, now).map_err(|invalid| invalid.reason.into_owned());
        assert_eq!(parse("2024-01-20T12:00:00Z"), Ok(now));
        assert_eq!(parse("2024-01-20T14:00:00.7+02:00"), Ok(now), "the second that the moment lies in");
        assert_eq!(parse("2024-01-10T12:00:00Z"), Ok(at("2024-01-10T12:00:00Z")));
        assert_eq!(parse("2024-01-20T12:00:01Z").unwrap_err(), "is later than now, which is 2024-01-20T12:00:00Z");
        let before = "is before 2024-01-10T12:00:00Z, where history begins";
        assert_eq!(parse("2024-01-10T11:59:59Z").unwrap_err(), before);
        assert!(parse("yesterday").is_err());
    }

    #[test]
    fn changes_are_kept_for_longer_than_history_covers() {
        let retention = HistoryRetention::parse("400").unwrap();
        let change = at("2024-01-20T12:00:00Z");
        let expiry = Timestamp::from_unix_seconds(retention.expiry(change));
        assert!(retention.begin(expiry) > change);
    }

    #[test]
    fn retention_is_1_to_3653_days() {
        for text in ["", "0", "3654", "1.5", "-1", "many"] {
            assert!(HistoryRetention::parse(text).is_err(), "{text}");
        }
        assert!(HistoryRetention::parse("1").is_ok() && HistoryRetention::parse("3653").is_ok());
    }

    #[test]
    fn period_without_a_second_is_empty() {
        let [earlier, later] = ["2024-01-15T10:30:00Z", "2024-01-15T10:30:01Z"].map(at);
        let period = |since, until| Period { since: Some(since), until: Some(until) };
        assert!(period(later, earlier).is_empty() && period(later, later).is_empty());
        assert!(!period(earlier, later).is_empty() && !Period::default().is_empty());
    }
}
