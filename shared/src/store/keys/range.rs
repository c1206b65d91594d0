//! The ranges of rows that Queries read.

use super::key::{
    ACCOUNTS, AFTER_SEPARATOR, AccountList, Key, SEPARATOR, due_partition, list_partition, term_partition,
};
use crate::domain::{AccountId, FoldedText, GroupFilter, GroupId, Period, SortKey, Timestamp};

/// The rows that one Query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// A group's count shards, then the group.
    CountsAndGroup(GroupId),
    /// A group's count shards, then the group, then its members.
    GroupAndMembers(GroupId),
    /// A group's count shards.
    Counts(GroupId),
    /// The members of a group.
    Members(GroupId),
    /// The groups nested directly in a group.
    Children(GroupId),
    /// The groups nested directly in a group, then its count shards, then the group itself.
    ChildrenAndGroup(GroupId),
    /// An account, then its memberships.
    AccountAndMirrors(AccountId),
    /// The memberships of an account.
    Mirrors(AccountId),
    /// The history of a group.
    GroupHistory(GroupId, Period),
    /// The history of an account.
    AccountHistory(AccountId, Period),
    /// The list of all accounts, by name.
    Accounts,
    /// The accounts of this name.
    AccountsNamed(SortKey),
    /// The accounts with this e-mail address.
    Email(SortKey),
    /// The accounts with this id in the system that provisions them.
    AccountExternalId(SortKey),
    /// The accounts with words that begin with this text.
    Words(String),
    /// The audit records of a group's memberships.
    AuditRecords(GroupId),
    /// The list of the groups that a filter selects, by name.
    Groups(GroupFilter),
    /// The groups of one name in such a list.
    GroupsNamed(GroupFilter, SortKey),
    /// Parts of names that begin with the term.
    Search(FoldedText),
    /// One partition of the jobs.
    Jobs(usize),
    /// One partition of the memberships that are due, up to this second.
    Due(usize, Timestamp),
    /// The search rows of a group in a table of the first design.
    FirstDesignNames(GroupId),
}

/// The bounds of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The partition.
    pub partition: String,
    /// The first and the last sort key; `None` for the whole partition.
    pub sort: Option<(String, String)>,
}

impl Range {
    /// Whether a row with this key would be in the range.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        let Bounds { partition, sort } = self.bounds();
        key.partition == partition && sort.is_none_or(|(first, last)| (first..=last).contains(&key.sort))
    }

    /// The bounds of this range.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        // `$` follows `#`: it ends a prefix and is never a key itself.
        match self {
            Self::CountsAndGroup(group) => between(&Key::group(group), "COUNT#", "GROUP"),
            Self::GroupAndMembers(group) => between(&Key::group(group), "COUNT#", "MEMBER$"),
            Self::Counts(group) => between(&Key::group(group), "COUNT#", "COUNT$"),
            Self::Members(group) => between(&Key::group(group), "MEMBER#", "MEMBER$"),
            Self::Children(group) => between(&Key::group(group), "CHILD#", "CHILD$"),
            Self::ChildrenAndGroup(group) => between(&Key::group(group), "CHILD#", "GROUP"),
            Self::AuditRecords(group) => between(&Key::group(group), "TRAIL#", "TRAIL$"),
            Self::AccountAndMirrors(account) => between(&Key::account(account), "ACCOUNT", "GROUP$"),
            Self::Mirrors(account) => between(&Key::account(account), "GROUP#", "GROUP$"),
            Self::GroupHistory(group, period) => history(&Key::group(group), *period),
            Self::AccountHistory(account, period) => history(&Key::account(account), *period),
            Self::FirstDesignNames(group) => between(&Key::group(group), "NAME#", "NAME$"),
            Self::Groups(filter) => Bounds { partition: list_partition(*filter), sort: None },
            Self::GroupsNamed(filter, name) => Bounds { partition: list_partition(*filter), sort: Some(all_ids(name)) },
            Self::Accounts => Bounds { partition: ACCOUNTS.into(), sort: None },
            Self::AccountsNamed(name) => accounts_at(AccountList::All, name),
            Self::Email(email) => accounts_at(AccountList::Emails, email),
            Self::AccountExternalId(id) => accounts_at(AccountList::ExternalIds, id),
            Self::Words(prefix) => Bounds {
                partition: AccountList::Words.partition(prefix),
                sort: Some((prefix.clone(), after_all_with(prefix))),
            },
            Self::Search(term) => {
                let term = term.sort_key();
                let term = term.as_str();
                Bounds { partition: term_partition(term), sort: Some((term.to_owned(), after_all_with(term))) }
            }
            Self::Due(partition, until) => {
                Bounds { partition: due_partition(*partition), sort: Some(("0".into(), format!("{until}$"))) }
            }
            Self::Jobs(partition) => Bounds { partition: format!("JOBS#{partition}"), sort: None },
        }
    }
}

fn between(row: &Key, first: &str, last: &str) -> Bounds {
    Bounds { partition: row.partition.clone(), sort: Some((first.into(), last.into())) }
}

fn accounts_at(list: AccountList, text: &SortKey) -> Bounds {
    Bounds { partition: list.partition(text.as_str()), sort: Some(all_ids(text)) }
}

/// The bounds of the entries of a history in a period.
fn history(row: &Key, Period { since, until }: Period) -> Bounds {
    let bound = |at: Option<Timestamp>, open: &str| at.map_or_else(|| open.to_owned(), |at| format!("TIME#{at}"));
    between(row, &bound(since, "TIME#"), &bound(until, "TIME$"))
}

/// The bounds of the sort keys that have this text and any id.
fn all_ids(text: &SortKey) -> (String, String) {
    let text = text.as_str();
    (format!("{text}{SEPARATOR}"), format!("{text}{AFTER_SEPARATOR}"))
}

/// The least text after all texts with this prefix.
fn after_all_with(prefix: &str) -> String {
    let mut prefix: Vec<char> = prefix.chars().collect();
    while let Some(last) = prefix.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            prefix.push(next);
            return prefix.into_iter().collect();
        }
    }
    // No key sorts after this.
    std::iter::repeat_n(char::MAX, 256).collect()
}
