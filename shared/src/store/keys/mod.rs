//! The one place that spells keys, index keys and attributes. Pure.

mod attribute;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use attribute::Attribute;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{
    AccountId, AccountVersion, Edge, EdgeId, FoldedText, GroupId, JobKind, SortKey, Suffix, Timestamp,
};

/// A row, or its key, in the SDK's form.
pub type Attributes = HashMap<String, AttributeValue>;

/// The index of groups by name, of the parts of their names, and of jobs.
pub const LIST_INDEX: &str = "GSI1";

/// Separates a name from an id in an index key. It sorts below every character of a name, so that `ab` comes before
/// `ab cd`. A `#` would sort after the space.
const SEPARATOR: char = '\u{1}';

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    partition: String,
    sort: String,
}

impl Key {
    /// The row of a group.
    #[must_use]
    pub fn group(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "GROUP".into() }
    }

    /// The row of a member of a group.
    #[must_use]
    pub fn member(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("MEMBER#{account}") }
    }

    /// The row of a group nested directly in another, in the parent's partition.
    #[must_use]
    pub fn child(parent: &GroupId, child: &GroupId) -> Self {
        Self { partition: format!("GROUP#{parent}"), sort: format!("CHILD#{child}") }
    }

    /// The row with the parents of a group.
    #[must_use]
    pub fn nesting(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "NEST".into() }
    }

    /// The row of one part of a group's name, for searches. A name has at most 256 × 18 × 3 of them: its characters, each
    /// folded to up to 18, each with up to three parts.
    #[must_use]
    pub fn suffix(group: &GroupId, number: usize) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("NAME#{number:05}") }
    }

    /// The audit record of an account's membership in a group. It sorts after every other row of the group, so that no other
    /// range includes it.
    #[must_use]
    pub fn audit_record(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("TRAIL#{account}") }
    }

    /// The row of an account.
    #[must_use]
    pub fn account(account: &AccountId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: "ACCOUNT".into() }
    }

    /// The mirror of a member row, in the account's partition.
    #[must_use]
    pub fn mirror(account: &AccountId, group: &GroupId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: format!("GROUP#{group}") }
    }

    /// The row of a caller's idempotency key.
    #[must_use]
    pub fn idempotency(digest: &str) -> Self {
        Self { partition: format!("IDEMPOTENCY#{digest}"), sort: "IDEMPOTENCY".into() }
    }

    /// The row of a job. Its key has the kind and the arguments.
    #[must_use]
    pub fn job(kind: &JobKind) -> Self {
        let name = kind.name();
        let partition = match kind {
            JobKind::Backfill(edge) | JobKind::Sweep(edge) => format!("JOB#{name}#{}#{}", edge.parent, edge.id),
            JobKind::DeleteGroup(group) => format!("JOB#{name}#{group}"),
            JobKind::UpdateAccount(account, version) | JobKind::DeleteAccount(account, version) => {
                format!("JOB#{name}#{account}#{version}")
            }
            JobKind::ReconcileMember(group, account) => format!("JOB#{name}#{group}#{account}"),
        };
        Self { partition, sort: "JOB".into() }
    }

    /// Parses the key of a group.
    #[must_use]
    pub fn as_group(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "GROUP")
    }

    /// Parses the key of a member.
    #[must_use]
    pub fn as_member(&self) -> Option<(GroupId, AccountId)> {
        Some((self.group_of_partition()?, AccountId::parse(self.sort.strip_prefix("MEMBER#")?)?))
    }

    /// Parses the key of a nested group: the parent, then the child.
    #[must_use]
    pub fn as_child(&self) -> Option<(GroupId, GroupId)> {
        Some((self.group_of_partition()?, GroupId::parse(self.sort.strip_prefix("CHILD#")?)?))
    }

    /// Parses the key of the row with a group's parents.
    #[must_use]
    pub fn as_nesting(&self) -> Option<GroupId> {
        self.group_of_partition().filter(|_| self.sort == "NEST")
    }

    /// Parses the key of a part of a group's name: the group and the number of the part.
    #[must_use]
    pub fn as_suffix(&self) -> Option<(GroupId, usize)> {
        Some((self.group_of_partition()?, self.sort.strip_prefix("NAME#")?.parse().ok()?))
    }

    /// Parses the key of an audit record.
    #[must_use]
    pub fn as_audit_record(&self) -> Option<(GroupId, AccountId)> {
        Some((self.group_of_partition()?, AccountId::parse(self.sort.strip_prefix("TRAIL#")?)?))
    }

    fn group_of_partition(&self) -> Option<GroupId> {
        GroupId::parse(self.partition.strip_prefix("GROUP#")?)
    }

    /// Parses the key of an account.
    #[must_use]
    pub fn as_account(&self) -> Option<AccountId> {
        let id = self.partition.strip_prefix("ACCOUNT#")?;
        AccountId::parse(id).filter(|_| self.sort == "ACCOUNT")
    }

    /// Parses the key of a mirror row.
    #[must_use]
    pub fn as_mirror(&self) -> Option<(AccountId, GroupId)> {
        let account = AccountId::parse(self.partition.strip_prefix("ACCOUNT#")?)?;
        Some((account, GroupId::parse(self.sort.strip_prefix("GROUP#")?)?))
    }

    /// Parses the key of a job.
    #[must_use]
    pub fn as_job(&self) -> Option<JobKind> {
        let mut parts = self.partition.split('#');
        let (Some("JOB"), Some(name), Some(first)) = (parts.next(), parts.next(), parts.next()) else { return None };
        let second = parts.next();
        let group = || GroupId::parse(first);
        let edge = || Some(Edge { parent: group()?, id: EdgeId::parse(second?)? });
        let version = || AccountVersion::try_from(second?.to_owned()).ok();
        let kind = match name {
            "backfill" => JobKind::Backfill(edge()?),
            "sweep" => JobKind::Sweep(edge()?),
            "delete_group" => JobKind::DeleteGroup(group()?),
            "update_account" => JobKind::UpdateAccount(AccountId::parse(first)?, version()?),
            "delete_account" => JobKind::DeleteAccount(AccountId::parse(first)?, version()?),
            "climb" => JobKind::ReconcileMember(group()?, AccountId::parse(second?)?),
            _ => return None,
        };
        (Self::job(&kind) == *self).then_some(kind)
    }

    /// The key of a row in the SDK's form.
    #[must_use]
    pub fn from_row(row: &Attributes) -> Option<Self> {
        let text = |attribute: Attribute| row.get(attribute.as_str())?.as_s().ok().cloned();
        Some(Self { partition: text(Attribute::Pk)?, sort: text(Attribute::Sk)? })
    }

    /// The key with these two attributes.
    pub(in crate::store) const fn from_parts(partition: String, sort: String) -> Self {
        Self { partition, sort }
    }

    /// The key in the SDK's form.
    #[must_use]
    pub fn to_attributes(&self) -> Attributes {
        attributes([(Attribute::Pk, &self.partition), (Attribute::Sk, &self.sort)])
    }
}

/// The key of a row in the list index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListKey {
    partition: String,
    sort: String,
}

impl ListKey {
    const GROUPS: &'static str = "GROUPS";
    const JOBS: &'static str = "JOBS";

    /// A group in the list of all groups, by name.
    #[must_use]
    pub fn group(name: &SortKey, group: &GroupId) -> Self {
        let sort = format!("{}{SEPARATOR}{group}", name.as_str());
        Self { partition: Self::GROUPS.into(), sort }
    }

    /// A part of a group's name. Its partition is its first one, two or three characters. A search reads the partition
    /// of its term.
    #[must_use]
    pub fn suffix(suffix: &Suffix, group: &GroupId) -> Self {
        let text = suffix.text.as_str();
        Self { partition: search_partition(text, suffix.gram), sort: format!("{text}{SEPARATOR}{group}") }
    }

    /// The text before the separator in a row's index key.
    #[must_use]
    pub fn text_of_row(row: &Attributes) -> Option<SortKey> {
        let sort = row.get(Attribute::ListSk.as_str())?.as_s().ok()?;
        sort.split_once(SEPARATOR).map(|(text, _)| SortKey::cut(text))
    }

    /// A job in the list of all jobs, oldest first.
    #[must_use]
    pub fn job(kind: &JobKind, created_at: Timestamp) -> Self {
        let sort = format!("{created_at}{SEPARATOR}{}", Key::job(kind).partition);
        Self { partition: Self::JOBS.into(), sort }
    }

    /// The index's sort key.
    #[must_use]
    pub fn sort(&self) -> &str {
        &self.sort
    }

    /// The key in the SDK's form.
    #[must_use]
    pub fn to_attributes(&self) -> Attributes {
        attributes([(Attribute::ListPk, &self.partition), (Attribute::ListSk, &self.sort)])
    }
}

/// The rows that one Query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// A group, then its members.
    GroupAndMembers(GroupId),
    /// The members of a group.
    Members(GroupId),
    /// The groups nested directly in a group, then the group itself.
    ChildrenAndGroup(GroupId),
    /// An account, then its memberships.
    AccountAndMirrors(AccountId),
    /// The memberships of an account.
    Mirrors(AccountId),
    /// The parts of a group's name.
    Suffixes(GroupId),
    /// The audit records of a group's memberships.
    AuditRecords(GroupId),
    /// All groups, by name, in the index.
    Groups,
    /// Parts of names that begin with the term, in the index, after a position in it.
    Search(FoldedText, Option<(SortKey, GroupId)>),
    /// All jobs, oldest first, in the index.
    Jobs,
}

/// The bounds of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Whether the range is in the index.
    pub in_index: bool,
    /// The partition.
    pub partition: String,
    /// The first and the last sort key; `None` for the whole partition.
    pub sort: Option<(String, String)>,
}

impl Range {
    /// The bounds of this range.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        // `$` follows `#`: it ends a prefix and is never a key itself.
        match self {
            Self::GroupAndMembers(group) => in_table(&Key::group(group), "GROUP", "MEMBER$"),
            Self::Members(group) => in_table(&Key::group(group), "MEMBER#", "MEMBER$"),
            Self::ChildrenAndGroup(group) => in_table(&Key::group(group), "CHILD#", "GROUP"),
            Self::Suffixes(group) => in_table(&Key::group(group), "NAME#", "NAME$"),
            Self::AuditRecords(group) => in_table(&Key::group(group), "TRAIL#", "TRAIL$"),
            Self::AccountAndMirrors(account) => in_table(&Key::account(account), "ACCOUNT", "GROUP$"),
            Self::Mirrors(account) => in_table(&Key::account(account), "GROUP#", "GROUP$"),
            Self::Groups => in_index(ListKey::GROUPS.into(), None),
            Self::Search(term, after) => {
                let term = term.sort_key();
                let term = term.as_str();
                // The next possible key is this key and the least character.
                let after = after.as_ref().map(|(text, group)| format!("{}{SEPARATOR}{group}\0", text.as_str()));
                let partition = search_partition(term, term.chars().count().min(Suffix::LONGEST_GRAM));
                in_index(partition, Some((after.unwrap_or_else(|| term.to_owned()), after_all_with(term))))
            }
            Self::Jobs => in_index(ListKey::JOBS.into(), None),
        }
    }
}

fn in_table(row: &Key, first: &str, last: &str) -> Bounds {
    Bounds { in_index: false, partition: row.partition.clone(), sort: Some((first.into(), last.into())) }
}

const fn in_index(partition: String, sort: Option<(String, String)>) -> Bounds {
    Bounds { in_index: true, partition, sort }
}

fn search_partition(text: &str, gram: usize) -> String {
    format!("SEARCH#{}", text.chars().take(gram).collect::<String>())
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

fn attributes<const N: usize>(pairs: [(Attribute, &String); N]) -> Attributes {
    let pair = |(name, value): (Attribute, &String)| (name.as_str().to_owned(), AttributeValue::S(value.clone()));
    pairs.into_iter().map(pair).collect()
}
