//! The one place that knows how keys, index keys and attributes are spelled. Pure; its tests are in
//! `tests/keys.rs`.

mod attribute;

use std::collections::HashMap;

pub use attribute::Attribute;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{
    AccountId, AccountVersion, Edge, EdgeId, FoldedText, GroupId, JobKind, SortKey, Suffix, Timestamp,
};

/// A row, or its key, as DynamoDB takes and gives it.
pub type Attributes = HashMap<String, AttributeValue>;

/// The index that finds groups by name or by any part of it, and jobs.
pub const LIST_INDEX: &str = "GSI1";

/// What separates a name from an id in an index key. Below every character that a name can hold, so that `ab` comes
/// before `ab cd`; a `#` would sort after the space and put it behind.
const SEPARATOR: char = '\u{1}';

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The partition: whose facts these are.
    partition: String,
    /// Which of them.
    sort: String,
}

impl Key {
    /// A group.
    #[must_use]
    pub fn group(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "GROUP".into() }
    }

    /// A member of a group.
    #[must_use]
    pub fn member(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("MEMBER#{account}") }
    }

    /// A group nested directly in another.
    #[must_use]
    pub fn child(parent: &GroupId, child: &GroupId) -> Self {
        Self { partition: format!("GROUP#{parent}"), sort: format!("CHILD#{child}") }
    }

    /// Where a group is nested.
    #[must_use]
    pub fn nesting(group: &GroupId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: "NEST".into() }
    }

    /// One of the parts of a group's name, for the search. Of 256 characters, each may fold to 18, with three parts.
    #[must_use]
    pub fn suffix(group: &GroupId, number: usize) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("NAME#{number:05}") }
    }

    /// What was last changed of an account's membership in a group. After every other row of the group: no other range has it.
    #[must_use]
    pub fn trail(group: &GroupId, account: &AccountId) -> Self {
        Self { partition: format!("GROUP#{group}"), sort: format!("TRAIL#{account}") }
    }

    /// An account.
    #[must_use]
    pub fn account(account: &AccountId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: "ACCOUNT".into() }
    }

    /// A membership: the mirror of a member row, with the account.
    #[must_use]
    pub fn membership(account: &AccountId, group: &GroupId) -> Self {
        Self { partition: format!("ACCOUNT#{account}"), sort: format!("GROUP#{group}") }
    }

    /// What a caller's idempotency key stands for.
    #[must_use]
    pub fn idempotency(digest: &str) -> Self {
        Self { partition: format!("IDEMPOTENCY#{digest}"), sort: "IDEMPOTENCY".into() }
    }

    /// A job: what it does is its key.
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

    /// The group, when this is the key of a group.
    #[must_use]
    pub fn as_group(&self) -> Option<GroupId> {
        self.of_group().filter(|_| self.sort == "GROUP")
    }

    /// The group and the account, when this is the key of a member.
    #[must_use]
    pub fn as_member(&self) -> Option<(GroupId, AccountId)> {
        Some((self.of_group()?, AccountId::parse(self.sort.strip_prefix("MEMBER#")?)?))
    }

    /// The group and the group nested in it, when this is the key of a nested group.
    #[must_use]
    pub fn as_child(&self) -> Option<(GroupId, GroupId)> {
        Some((self.of_group()?, GroupId::parse(self.sort.strip_prefix("CHILD#")?)?))
    }

    /// The group, when this is the key of where a group is nested.
    #[must_use]
    pub fn as_nesting(&self) -> Option<GroupId> {
        self.of_group().filter(|_| self.sort == "NEST")
    }

    /// The group and which part of its name it is, when this is the key of a part of its name.
    #[must_use]
    pub fn as_suffix(&self) -> Option<(GroupId, usize)> {
        Some((self.of_group()?, self.sort.strip_prefix("NAME#")?.parse().ok()?))
    }

    /// The group and the account, when this is the key of a membership's trail.
    #[must_use]
    pub fn as_trail(&self) -> Option<(GroupId, AccountId)> {
        Some((self.of_group()?, AccountId::parse(self.sort.strip_prefix("TRAIL#")?)?))
    }

    fn of_group(&self) -> Option<GroupId> {
        GroupId::parse(self.partition.strip_prefix("GROUP#")?)
    }

    /// The account, when this is the key of an account.
    #[must_use]
    pub fn as_account(&self) -> Option<AccountId> {
        let id = self.partition.strip_prefix("ACCOUNT#")?;
        AccountId::parse(id).filter(|_| self.sort == "ACCOUNT")
    }

    /// The account and the group, when this is the key of a membership.
    #[must_use]
    pub fn as_membership(&self) -> Option<(AccountId, GroupId)> {
        let account = AccountId::parse(self.partition.strip_prefix("ACCOUNT#")?)?;
        Some((account, GroupId::parse(self.sort.strip_prefix("GROUP#")?)?))
    }

    /// What the job does, when this is the key of a job.
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

    /// The key of a row as DynamoDB gives it.
    #[must_use]
    pub fn of_row(row: &Attributes) -> Option<Self> {
        let text = |attribute: Attribute| row.get(attribute.as_str())?.as_s().ok().cloned();
        Some(Self { partition: text(Attribute::Pk)?, sort: text(Attribute::Sk)? })
    }

    /// The key whose two attributes say this.
    pub(super) const fn of_parts(partition: String, sort: String) -> Self {
        Self { partition, sort }
    }

    /// The key as DynamoDB takes it.
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

    /// A group in the list of all groups, in the order of names.
    #[must_use]
    pub fn group(name: &SortKey, group: &GroupId) -> Self {
        let sort = format!("{}{SEPARATOR}{group}", name.as_str());
        Self { partition: Self::GROUPS.into(), sort }
    }

    /// A part of a group's name, with all parts for the same terms that begin with the same characters: a search has
    /// a partition for itself or, from three characters on, for few others.
    #[must_use]
    pub fn suffix(suffix: &Suffix, group: &GroupId) -> Self {
        let text = suffix.text.as_str();
        Self { partition: search_partition(text, suffix.gram), sort: format!("{text}{SEPARATOR}{group}") }
    }

    /// The text that a row's place in the index begins with.
    #[must_use]
    pub fn text_of_row(row: &Attributes) -> Option<SortKey> {
        let sort = row.get(Attribute::ListSk.as_str())?.as_s().ok()?;
        sort.split_once(SEPARATOR).map(|(text, _)| SortKey::cut(text))
    }

    /// A job in the list of all jobs, the oldest first.
    #[must_use]
    pub fn job(kind: &JobKind, created_at: Timestamp) -> Self {
        let sort = format!("{created_at}{SEPARATOR}{}", Key::job(kind).partition);
        Self { partition: Self::JOBS.into(), sort }
    }

    /// The index's sort key, as a value.
    #[must_use]
    pub fn sort(&self) -> &str {
        &self.sort
    }

    /// The key as DynamoDB takes it.
    #[must_use]
    pub fn to_attributes(&self) -> Attributes {
        attributes([(Attribute::ListPk, &self.partition), (Attribute::ListSk, &self.sort)])
    }
}

/// A stretch of rows that one Query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// A group and its members after it.
    GroupAndMembers(GroupId),
    /// The members of a group.
    Members(GroupId),
    /// The groups nested directly in a group, and the group itself after them.
    ChildrenAndGroup(GroupId),
    /// An account and its memberships after it.
    AccountAndMemberships(AccountId),
    /// The memberships of an account.
    Memberships(AccountId),
    /// What a search finds a group's name by.
    Suffixes(GroupId),
    /// The trails of a group's memberships.
    Trails(GroupId),
    /// All groups, by name, in the index.
    Groups,
    /// Parts of names that begin with the term, in the index, after a place in it.
    Search(FoldedText, Option<(SortKey, GroupId)>),
    /// All jobs, the oldest first, in the index.
    Jobs,
}

/// Where a range is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// It is in the index.
    pub in_index: bool,
    /// The partition.
    pub partition: String,
    /// The first and the last sort key that may be in it; all of the partition when `None`.
    pub sort: Option<(String, String)>,
}

impl Range {
    /// Where it is.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        // `$` follows `#`: the end of a prefix, itself never a key.
        match self {
            Self::GroupAndMembers(group) => in_table(&Key::group(group), "GROUP", "MEMBER$"),
            Self::Members(group) => in_table(&Key::group(group), "MEMBER#", "MEMBER$"),
            Self::ChildrenAndGroup(group) => in_table(&Key::group(group), "CHILD#", "GROUP"),
            Self::Suffixes(group) => in_table(&Key::group(group), "NAME#", "NAME$"),
            Self::Trails(group) => in_table(&Key::group(group), "TRAIL#", "TRAIL$"),
            Self::AccountAndMemberships(account) => in_table(&Key::account(account), "ACCOUNT", "GROUP$"),
            Self::Memberships(account) => in_table(&Key::account(account), "GROUP#", "GROUP$"),
            Self::Groups => in_index(ListKey::GROUPS.into(), None),
            Self::Search(term, after) => {
                let term = term.sort_key();
                let term = term.as_str();
                // The least key after another is that key and the least character.
                let after = after.as_ref().map(|(text, group)| format!("{}{SEPARATOR}{group}\0", text.as_str()));
                let partition = search_partition(term, term.chars().count().min(Suffix::LONGEST_GRAM));
                in_index(partition, Some((after.unwrap_or_else(|| term.to_owned()), after_all_with(term))))
            }
            Self::Jobs => in_index(ListKey::JOBS.into(), None),
        }
    }
}

fn in_table(of: &Key, first: &str, last: &str) -> Bounds {
    Bounds { in_index: false, partition: of.partition.clone(), sort: Some((first.into(), last.into())) }
}

const fn in_index(partition: String, sort: Option<(String, String)>) -> Bounds {
    Bounds { in_index: true, partition, sort }
}

fn search_partition(text: &str, gram: usize) -> String {
    format!("SEARCH#{}", text.chars().take(gram).collect::<String>())
}

/// The least text after every text that begins with this one.
fn after_all_with(prefix: &str) -> String {
    let mut prefix: Vec<char> = prefix.chars().collect();
    while let Some(last) = prefix.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            prefix.push(next);
            return prefix.into_iter().collect();
        }
    }
    // Nothing of a key's length comes after this.
    std::iter::repeat_n(char::MAX, 256).collect()
}

fn attributes<const N: usize>(pairs: [(Attribute, &String); N]) -> Attributes {
    let pair = |(name, value): (Attribute, &String)| (name.as_str().to_owned(), AttributeValue::S(value.clone()));
    pairs.into_iter().map(pair).collect()
}
