//! The error of parsing a single value.

use std::borrow::Cow;

/// The reason why a value is invalid and the rule for a valid one. Both texts follow the name of a field in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// The defect, as in "`name` **is empty**".
    pub reason: Cow<'static, str>,
    /// The rule, as in "`name` must be **1 to 256 characters**".
    pub expected: &'static str,
}

impl InvalidValue {
    /// Returns an error with this reason and rule.
    #[must_use]
    pub const fn new(reason: &'static str, expected: &'static str) -> Self {
        Self { reason: Cow::Borrowed(reason), expected }
    }

    /// Returns an error whose reason names a part of the value.
    #[must_use]
    pub const fn because(reason: String, expected: &'static str) -> Self {
        Self { reason: Cow::Owned(reason), expected }
    }
}
