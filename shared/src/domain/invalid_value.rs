//! The error of parsing a single value.

/// The reason why a value is invalid and the rule for a valid one. Both texts follow the name of a field in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidValue {
    /// The defect, as in "`name` **is empty**".
    pub reason: &'static str,
    /// The rule, as in "`name` must be **1 to 256 characters**".
    pub expected: &'static str,
}

impl InvalidValue {
    /// Returns an error with this reason and rule.
    #[must_use]
    pub const fn new(reason: &'static str, expected: &'static str) -> Self {
        Self { reason, expected }
    }
}
