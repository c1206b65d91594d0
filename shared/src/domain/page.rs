//! Pagination of lists.

use super::InvalidValue;

/// The maximum number of items on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The default of a list of groups.
    pub const DEFAULT: Self = Self(50);
    /// The maximum of a list of groups.
    pub const MAX_GROUPS: Self = Self(1_000);
    /// The maximum of a list of members or of ids, and its default.
    pub const MAX_MEMBERS: Self = Self(10_000);
    /// The maximum of paths, and their default.
    pub const MAX_PATHS: Self = Self(100);

    /// Parses a limit from 1 to `max`, in ASCII digits.
    ///
    /// # Errors
    /// The text is not a whole number, or lies outside the range.
    pub fn parse(text: &str, max: Self) -> Result<Self, InvalidValue> {
        let expected = match max {
            Self::MAX_PATHS => "1 to 100",
            Self::MAX_GROUPS => "1 to 1000",
            _ => "1 to 10000",
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidValue::new("is not a whole number", expected));
        }
        // A number that does not fit 16 bits exceeds every maximum.
        let limit = text.parse().unwrap_or(u16::MAX);
        match limit {
            0 => Err(InvalidValue::new("is less than 1", expected)),
            _ if limit > max.0 => Err(InvalidValue::because(format!("is more than {}", max.0), expected)),
            _ => Ok(Self(limit)),
        }
    }

    /// Returns the number of items.
    #[must_use]
    pub const fn items(self) -> usize {
        self.0 as usize
    }
}

/// The position after a page: an opaque text, valid only for the list that returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` when no item follows. A list of members or accounts with a filter may have a cursor although
    /// no item follows, because a page reads a limited number of rows.
    pub next: Option<Cursor>,
}
