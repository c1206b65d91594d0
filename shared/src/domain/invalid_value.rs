//! How a value says that it cannot be.

/// Why a value was refused and what would be right; both read on after the name of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidValue {
    /// What is wrong with it, as in "`name` **is empty**".
    pub reason: &'static str,
    /// What would be right, as in "`name` must be **1 to 256 characters**".
    pub expected: &'static str,
}

impl InvalidValue {
    /// A violation with its reason and what would be right.
    #[must_use]
    pub const fn new(reason: &'static str, expected: &'static str) -> Self {
        Self { reason, expected }
    }
}
