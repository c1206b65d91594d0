//! The one place that knows how keys, index keys and attributes are spelled. Pure; its tests are in
//! `tests/keys.rs`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{AccountId, AccountVersion, Edge, EdgeId, GroupId, JobKind, SortKey, Timestamp};

/// A row, or its key, as DynamoDB takes and gives it.
pub type Attributes = HashMap<String, AttributeValue>;

/// The index that finds groups by name, and jobs.
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
    /// A group's, a member's or an account's name.
    Name,
    /// A member's or an account's address.
    Email,
    /// A member's or an account's status.
    Status,
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
    /// The groups nested directly in a group.
    NestedGroupCount,
    /// When a group's profile was last written.
    UpdatedAt,
    /// A group's or an account's version.
    Version,
    /// The version of the account that a member's copies are of.
    AccountVersion,
    /// The version at which an account was last deleted.
    DeletedVersion,
    /// A group's, an account's or a job's state.
    State,
    /// The last change of a group's profile: lets a repeated write recognize itself.
    ChangeId,
    /// Whether a member was added to the group itself.
    Direct,
    /// Since when a member is one.
    AddedAt,
    /// The nestings that a member comes through.
    Via,
    /// Which nesting of the group it is.
    EdgeId,
    /// The groups that a group is nested in, each with the nesting.
    Parents,
    /// Counts the changes of where a group is nested.
    Rev,
    /// Counts the writes to a job.
    Revision,
    /// What a job has come to.
    Cursor,
    /// How much a job has looked at.
    Progress,
    /// How often a job failed since it last moved.
    Attempts,
    /// Why a job last failed.
    LastReason,
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
            Self::Email => "email",
            Self::Status => "status",
            Self::Description => "description",
            Self::GroupType => "group_type",
            Self::IsPrivileged => "is_privileged",
            Self::MemberCount => "member_count",
            Self::DirectMemberCount => "direct_member_count",
            Self::NestedGroupCount => "nested_group_count",
            Self::UpdatedAt => "updated_at",
            Self::Version => "version",
            Self::AccountVersion => "account_version",
            Self::DeletedVersion => "deleted_version",
            Self::State => "state",
            Self::ChangeId => "change_id",
            Self::Direct => "direct",
            Self::AddedAt => "added_at",
            Self::Via => "via",
            Self::EdgeId => "edge_id",
            Self::Parents => "parents",
            Self::Rev => "rev",
            Self::Revision => "revision",
            Self::Cursor => "cursor",
            Self::Progress => "progress",
            Self::Attempts => "attempts",
            Self::LastReason => "last_reason",
            Self::ExpiresAt => "expires_at",
        }
    }
}

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
            JobKind::UpdateAccount(account, version) => format!("JOB#{name}#{account}#{}", version.0),
            JobKind::Climb(group, account) => format!("JOB#{name}#{group}#{account}"),
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
        let kind = match name {
            "backfill" => JobKind::Backfill(edge()?),
            "sweep" => JobKind::Sweep(edge()?),
            "delete_group" => JobKind::DeleteGroup(group()?),
            "update_account" => JobKind::UpdateAccount(AccountId::parse(first)?, AccountVersion(second?.parse().ok()?)),
            "climb" => JobKind::Climb(group()?, AccountId::parse(second?)?),
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
    /// All groups, by name, in the index.
    Groups,
    /// All jobs, the oldest first, in the index.
    Jobs,
}

impl Range {
    /// The partition, and the first and last sort key; a sort key of `None` means all of the partition.
    #[must_use]
    pub fn bounds(&self) -> (String, Option<(&'static str, &'static str)>) {
        // `$` follows `#`: the end of a prefix, itself never a key.
        match self {
            Self::GroupAndMembers(group) => (format!("GROUP#{group}"), Some(("GROUP", "MEMBER$"))),
            Self::Members(group) => (format!("GROUP#{group}"), Some(("MEMBER#", "MEMBER$"))),
            Self::ChildrenAndGroup(group) => (format!("GROUP#{group}"), Some(("CHILD#", "GROUP"))),
            Self::AccountAndMemberships(account) => (format!("ACCOUNT#{account}"), Some(("ACCOUNT", "GROUP$"))),
            Self::Memberships(account) => (format!("ACCOUNT#{account}"), Some(("GROUP#", "GROUP$"))),
            Self::Groups => (ListKey::GROUPS.into(), None),
            Self::Jobs => (ListKey::JOBS.into(), None),
        }
    }
}

fn attributes<const N: usize>(pairs: [(Attribute, &String); N]) -> Attributes {
    let pair = |(name, value): (Attribute, &String)| (name.as_str().to_owned(), AttributeValue::S(value.clone()));
    pairs.into_iter().map(pair).collect()
}
