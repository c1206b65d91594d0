//! Pages of lists.

use super::InvalidValue;

/// How many items a page may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// Of a list of groups that does not say.
    pub const DEFAULT: Self = Self(50);
    /// Of a list of groups at most.
    pub const MAX_GROUPS: Self = Self(1_000);
    /// Of a list of members at most, and when it does not say.
    pub const MAX_MEMBERS: Self = Self(10_000);

    /// Reads a limit from 1 to `max`, in ASCII digits.
    ///
    /// # Errors
    /// Not a whole number, or outside the range.
    pub fn parse(text: &str, max: Self) -> Result<Self, InvalidValue> {
        let expected = if max == Self::MAX_GROUPS { "1 to 1000" } else { "1 to 10000" };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidValue::new("is not a whole number", expected));
        }
        // Whatever does not fit 16 bits is past every maximum.
        let limit = text.parse().unwrap_or(u16::MAX);
        match limit {
            0 => Err(InvalidValue::new("is less than 1", expected)),
            _ if limit > max.0 => Err(InvalidValue::new("is more than the maximum", expected)),
            _ => Ok(Self(limit)),
        }
    }

    /// As a count of items.
    #[must_use]
    pub const fn items(self) -> usize {
        self.0 as usize
    }
}

/// Where a walk goes on: opaque, bound to the list that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A stretch of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where to go on; `None` exactly when nothing follows.
    pub next: Option<Cursor>,
}
