//! The effects that a change would have: whose memberships begin and end, and in which groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountId, GroupId, GroupName, InvalidValue};

/// Accounts that a preview names for each group, at most.
pub const NAMED_ACCOUNTS: usize = 20;

/// Accounts that a preview follows up, at most.
pub const COUNTED_ACCOUNTS: usize = 10_000;

/// The precautions that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precautions {
    /// Only say what would happen.
    pub dry_run: bool,
    /// Refuse the change if more accounts would lose a membership.
    pub max_removals: Option<u32>,
}

/// The effects of a change that is not made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// The groups whose members would change.
    pub groups: BTreeMap<GroupId, GroupPreview>,
    /// Accounts that would lose a membership in at least one group.
    pub removals: u64,
    /// Whether all accounts were followed up. If not, the effects are those of the first [`COUNTED_ACCOUNTS`].
    pub is_complete: bool,
}

/// The effects on one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupPreview {
    /// Its name; `None` for one that is being deleted.
    pub name: Option<GroupName>,
    /// Whether it is privileged.
    pub is_privileged: bool,
    /// Accounts that would become members.
    pub gains: AffectedAccounts,
    /// Accounts that would be members no more.
    pub losses: AffectedAccounts,
}

/// Some accounts: their number, and the first of them by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffectedAccounts {
    /// Their number.
    pub count: u64,
    /// Up to [`NAMED_ACCOUNTS`] of them, those with the first ids.
    pub first: BTreeSet<AccountId>,
}

impl Precautions {
    /// Parses the value of `max_removals`.
    ///
    /// # Errors
    /// The text is not a whole number below 2^32.
    pub fn parse_max_removals(text: &str) -> Result<u32, InvalidValue> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let invalid = InvalidValue::new("is not a whole number below 2^32", "a whole number, such as 10");
        text.parse().ok().filter(|_| is_number).ok_or(invalid)
    }
}

impl AffectedAccounts {
    /// Adds an account.
    pub fn add(&mut self, account: &AccountId) {
        self.count += 1;
        self.first.insert(account.clone());
        if self.first.len() > NAMED_ACCOUNTS {
            self.first.pop_last();
        }
    }
}
