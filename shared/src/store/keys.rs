//! The one place that knows how keys, index keys and attributes are spelled. Pure; its tests are in
//! `tests/keys.rs`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{AccountId, GroupId, SortKey};

/// A row, or its key, as DynamoDB takes and gives it.
pub type Attributes = HashMap<String, AttributeValue>;

/// The index that finds groups by name.
pub const LIST_INDEX: &str = "GSI1";

/// What separates a name from an id in an index key. Below every character that a name can hold, so that `ab` comes
/// before `ab cd`; a `#` would sort after the space and put it behind.
const SEPARATOR: char = '\u{1}';

/// An attribute, by its name in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The table's partition key.
    Pk,
    /// The table's sort key.
    Sk,
    /// The index's partition key.
    ListPk,
    /// The index's sort key.
    ListSk,
    /// A group's or an account's name.
    Name,
    /// A group's description.
    Description,
    /// A group's type.
    GroupType,
    /// A group's privilege.
    IsPrivileged,
    /// A group's members.
    MemberCount,
    /// A group's direct members.
    DirectMemberCount,
    /// When a group's profile was last written.
    UpdatedAt,
    /// A group's or an account's version.
    Version,
    /// A group's or an account's state.
    State,
    /// The last change of a group's profile: lets a repeated write recognize itself.
    ChangeId,
    /// Whether a member was added to the group itself.
    Direct,
    /// When an idempotency row may go.
    ExpiresAt,
}

impl Attribute {
    /// The name in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Sk => "SK",
            Self::ListPk => "GSI1PK",
            Self::ListSk => "GSI1SK",
            Self::Name => "name",
            Self::Description => "description",
            Self::GroupType => "group_type",
            Self::IsPrivileged => "is_privileged",
            Self::MemberCount => "member_count",
            Self::DirectMemberCount => "direct_member_count",
            Self::UpdatedAt => "updated_at",
            Self::Version => "version",
            Self::State => "state",
            Self::ChangeId => "change_id",
            Self::Direct => "direct",
            Self::ExpiresAt => "expires_at",
        }
    }
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// The group, when this is the key of a group.
    #[must_use]
    pub fn as_group(&self) -> Option<GroupId> {
        let id = self.partition.strip_prefix("GROUP#")?;
        GroupId::parse(id).filter(|_| self.sort == "GROUP")
    }

    /// The account, when this is the key of a member.
    #[must_use]
    pub fn as_member(&self) -> Option<AccountId> {
        AccountId::parse(self.sort.strip_prefix("MEMBER#")?)
    }

    /// The account, when this is the key of an account.
    #[must_use]
    pub fn as_account(&self) -> Option<AccountId> {
        let id = self.partition.strip_prefix("ACCOUNT#")?;
        AccountId::parse(id).filter(|_| self.sort == "ACCOUNT")
    }

    /// The group, when this is the key of a membership.
    #[must_use]
    pub fn as_membership(&self) -> Option<GroupId> {
        GroupId::parse(self.sort.strip_prefix("GROUP#")?)
    }

    /// The key of a row as DynamoDB gives it.
    #[must_use]
    pub fn of_row(row: &Attributes) -> Option<Self> {
        let text = |attribute: Attribute| row.get(attribute.as_str())?.as_s().ok().cloned();
        Some(Self { partition: text(Attribute::Pk)?, sort: text(Attribute::Sk)? })
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

    /// A group in the list of all groups, in the order of names.
    #[must_use]
    pub fn group(name: &SortKey, group: &GroupId) -> Self {
        let sort = format!("{}{SEPARATOR}{group}", name.as_str());
        Self { partition: Self::GROUPS.into(), sort }
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
    /// An account and its memberships after it.
    AccountAndMemberships(AccountId),
    /// All groups, by name, in the index.
    Groups,
}

impl Range {
    /// The partition, and the first and last sort key; a sort key of `None` means all of the partition.
    #[must_use]
    pub fn bounds(&self) -> (String, Option<(&'static str, &'static str)>) {
        // `$` follows `#`: the end of a prefix, itself never a key.
        match self {
            Self::GroupAndMembers(group) => (format!("GROUP#{group}"), Some(("GROUP", "MEMBER$"))),
            Self::Members(group) => (format!("GROUP#{group}"), Some(("MEMBER#", "MEMBER$"))),
            Self::AccountAndMemberships(account) => (format!("ACCOUNT#{account}"), Some(("ACCOUNT", "GROUP$"))),
            Self::Groups => (ListKey::GROUPS.into(), None),
        }
    }
}

fn attributes<const N: usize>(pairs: [(Attribute, &String); N]) -> Attributes {
    let pair = |(name, value): (Attribute, &String)| (name.as_str().to_owned(), AttributeValue::S(value.clone()));
    pairs.into_iter().map(pair).collect()
}
