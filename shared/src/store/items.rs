//! Rows as they are stored, and their conversion from and to the domain. Fields are attributes, by their names in the
//! table; keys are not among them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{Attributes, Key};
use crate::domain::group::Description;
use crate::domain::{
    Account, AccountVersion, Error, Group, GroupName, GroupProfile, GroupType, Member, MembershipType, Timestamp,
    Version,
};

/// Whether a row still stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum State {
    /// It does.
    Active,
    /// A group that is gone for everyone, whose rows are not all gone yet.
    Deleting,
    /// An account that is gone; its row stays, so that a late event finds its version.
    Deleted,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
        }
    }
}

/// A group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupItem {
    name: String,
    description: String,
    group_type: GroupType,
    is_privileged: bool,
    member_count: u64,
    direct_member_count: u64,
    nested_group_count: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: Version,
    pub(super) state: State,
    pub(super) change_id: String,
}

impl GroupItem {
    pub(super) fn new(group: &Group, change_id: String) -> Self {
        let profile = &group.profile;
        Self {
            name: profile.name.as_str().to_owned(),
            description: profile.description.as_str().to_owned(),
            group_type: profile.group_type,
            is_privileged: profile.is_privileged,
            member_count: group.member_count,
            direct_member_count: group.direct_member_count,
            nested_group_count: group.nested_group_count,
            created_at: group.created_at,
            updated_at: group.updated_at,
            version: group.version,
            state: State::Active,
            change_id,
        }
    }

    /// The group, or `None` for one that is being deleted.
    pub(super) fn active(self, key: &Key) -> Result<Option<Group>, Error> {
        if self.state != State::Active {
            return Ok(None);
        }
        let parts = (key.as_group(), GroupName::parse(&self.name), Description::parse(&self.description));
        let (Some(id), Ok(name), Ok(description)) = parts else {
            return Err(unreadable("group row"));
        };
        let profile =
            GroupProfile { name, description, group_type: self.group_type, is_privileged: self.is_privileged };
        Ok(Some(Group {
            id,
            profile,
            member_count: self.member_count,
            direct_member_count: self.direct_member_count,
            nested_group_count: self.nested_group_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }))
    }
}

/// A member of a group, with copies of the account's fields.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MemberItem {
    direct: bool,
    added_at: Timestamp,
    name: String,
    email: String,
    status: String,
    account_version: AccountVersion,
}

impl MemberItem {
    pub(super) fn new(member: &Member) -> Self {
        let Member { account, membership_type, added_at } = member;
        Self {
            direct: *membership_type == MembershipType::Direct,
            added_at: *added_at,
            name: account.name.clone(),
            email: account.email.clone(),
            status: account.status.clone(),
            account_version: account.version,
        }
    }

    pub(super) fn member(self, key: &Key) -> Result<Member, Error> {
        let id = key.as_member().ok_or_else(|| unreadable("member row"))?;
        let version = self.account_version;
        let account = Account { id, name: self.name, email: self.email, status: self.status, version };
        Ok(Member { account, membership_type: membership_type(self.direct), added_at: self.added_at })
    }
}

/// A membership: the mirror of a member row, with the account.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MembershipItem {
    pub(super) direct: bool,
}

impl MembershipItem {
    pub(super) const fn membership_type(&self) -> MembershipType {
        membership_type(self.direct)
    }
}

const fn membership_type(direct: bool) -> MembershipType {
    if direct { MembershipType::Direct } else { MembershipType::Indirect }
}

/// An account; of one that is deleted, the version alone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccountItem {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    status: String,
    version: AccountVersion,
    state: State,
}

impl AccountItem {
    pub(super) fn active(account: &Account) -> Self {
        let Account { id: _, name, email, status, version } = account.clone();
        Self { name, email, status, version, state: State::Active }
    }

    pub(super) const fn deleted(version: AccountVersion) -> Self {
        Self { name: String::new(), email: String::new(), status: String::new(), version, state: State::Deleted }
    }

    /// The account, or `None` for one that is deleted.
    pub(super) fn account(self, key: &Key) -> Result<Option<Account>, Error> {
        if self.state != State::Active {
            return Ok(None);
        }
        let id = key.as_account().ok_or_else(|| unreadable("account row"))?;
        let Self { name, email, status, version, state: _ } = self;
        Ok(Some(Account { id, name, email, status, version }))
    }
}

/// What a caller's idempotency key stands for: the first response can be told again from this and the request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdempotencyItem {
    pub(super) request_hash: String,
    pub(super) response_id: crate::domain::GroupId,
    pub(super) created_at: Timestamp,
    /// Seconds since 1970, as DynamoDB's time to live wants it.
    pub(super) expires_at: i64,
}

/// A row to store.
pub(super) fn to_row(key: &Key, item: &impl Serialize) -> Result<Attributes, Error> {
    let mut row: Attributes = serde_dynamo::to_item(item).map_err(|_| unreadable("row to store"))?;
    row.extend(key.to_attributes());
    Ok(row)
}

/// A row as stored.
pub(super) fn from_row<T: DeserializeOwned>(row: Attributes) -> Result<(Key, T), Error> {
    let key = Key::of_row(&row).ok_or_else(|| unreadable("row key"))?;
    let item = serde_dynamo::from_item(row).map_err(|_| unreadable("row"))?;
    Ok((key, item))
}

/// Reads the group in its row; `None` where there is no row, and for one that is being deleted.
pub(super) fn read_group(row: impl Into<Option<Attributes>>) -> Result<Option<Group>, Error> {
    let Some(row) = row.into() else { return Ok(None) };
    let (key, item): (_, GroupItem) = from_row(row)?;
    item.active(&key)
}

/// Reads the member in its row.
pub(super) fn read_member(row: Attributes) -> Result<Member, Error> {
    let (key, item): (_, MemberItem) = from_row(row)?;
    item.member(&key)
}

/// Reads the account in its row; `None` where there is no row, and for one that is deleted.
pub(super) fn read_account(row: impl Into<Option<Attributes>>) -> Result<Option<Account>, Error> {
    let Some(row) = row.into() else { return Ok(None) };
    let (key, item): (_, AccountItem) = from_row(row)?;
    item.account(&key)
}

fn unreadable(row: &'static str) -> Error {
    Error::Internal { operation: row, code: "unreadable".into() }
}
