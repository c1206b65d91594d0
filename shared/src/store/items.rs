//! Rows as they are stored, and their conversion from and to the domain. Fields are attributes, by their names in the
//! table; keys are not among them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{Attributes, Key};
use super::walk::Counts;
use crate::domain::group::Description;
use crate::domain::{
    Account, AccountId, AccountVersion, Edge, EdgeId, Error, Group, GroupId, GroupName, GroupProfile, GroupType, Job,
    Member, Membership, MembershipType, Moment, Timestamp, Version,
};

/// Whether a row still stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum State {
    /// It does.
    Active,
    /// A group that is gone for everyone, whose rows are not all gone yet.
    Deleting,
    /// An account that is gone; its row stays, so that a late event finds its version.
    Deleted,
    /// A job that failed so often that it waits for an operator.
    SetAside,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
            Self::SetAside => "SET_ASIDE",
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
    pub(super) updated_at: Timestamp,
    pub(super) version: Version,
    pub(super) state: State,
    pub(super) change_id: String,
    /// Who made the last change of its own fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    /// The search does not have this name yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) name_pending: bool,
    /// How many rows the search may have of this name, and of those before it.
    #[serde(default)]
    pub(super) name_rows: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl GroupItem {
    pub(super) fn new(group: &Group, change_id: String, actor: &str) -> Self {
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
            actor: Some(actor.to_owned()),
            name_pending: false,
            name_rows: 0,
        }
    }

    pub(super) const fn counts(&self) -> Counts {
        Counts {
            members: self.member_count,
            direct_members: self.direct_member_count,
            nested_groups: self.nested_group_count,
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
    pub(super) direct: bool,
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) via: BTreeSet<EdgeId>,
    added_at: Timestamp,
    name: String,
    email: String,
    status: String,
    pub(super) account_version: AccountVersion,
}

impl MemberItem {
    pub(super) fn new(member: &Member) -> Self {
        let Member { account, membership_type, via, added_at } = member;
        Self {
            direct: *membership_type == MembershipType::Direct,
            via: via.clone(),
            added_at: *added_at,
            name: account.name.clone(),
            email: account.email.clone(),
            status: account.status.clone(),
            account_version: account.version,
        }
    }

    pub(super) fn member(self, key: &Key) -> Result<Member, Error> {
        let (_, id) = key.as_member().ok_or_else(|| unreadable("member row"))?;
        let version = self.account_version;
        let account = Account { id, name: self.name, email: self.email, status: self.status, version };
        let membership_type = membership_type(self.direct);
        Ok(Member { account, membership_type, via: self.via, added_at: self.added_at })
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

/// A group nested directly in another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChildItem {
    pub(super) edge_id: EdgeId,
}

/// Where a group is nested. Its row stays when it is nested nowhere any more, so that `rev` never comes again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NestingItem {
    pub(super) parents: BTreeMap<GroupId, EdgeId>,
    pub(super) rev: u64,
}

/// A job; what it does is its key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobItem {
    kind: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    progress: u64,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reason: Option<String>,
    state: State,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
}

impl JobItem {
    pub(super) fn new(job: &Job) -> Self {
        Self {
            kind: job.kind.name().to_owned(),
            revision: job.revision,
            cursor: job.cursor.clone(),
            progress: job.progress,
            attempts: job.attempts,
            last_reason: job.last_reason.clone(),
            state: if job.set_aside { State::SetAside } else { State::Active },
            created_at: job.created_at,
            actor: job.actor.clone(),
        }
    }
}

/// What was last changed of a membership: how it is now, if it is. Stays when the membership goes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct TrailItem {
    /// Whether the account is a direct member; absent for one that is no member.
    #[serde(default)]
    direct: Option<bool>,
    #[serde(default, with = "serde_dynamo::string_set")]
    via: BTreeSet<EdgeId>,
    pub(super) actor: Option<String>,
    pub(super) changed_at: Option<Timestamp>,
    /// Counts the changes.
    #[serde(default)]
    pub(super) revision: u64,
    /// When an administrator last made it a direct one, or none.
    pub(super) administered_at: Option<Moment>,
    /// When that was asked for which another system last decided, and by which requests.
    pub(super) decided_at: Option<Moment>,
    #[serde(default, with = "serde_dynamo::string_set")]
    pub(super) decisions: BTreeSet<String>,
}

impl TrailItem {
    pub(super) fn membership(&self) -> Option<Membership> {
        self.direct.and_then(|direct| Membership::of(direct, self.via.clone()))
    }
}

/// A part of a group's name, for the search; what part is in its keys.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuffixItem {
    pub(super) repeats: usize,
}

/// An account; of one that is deleted, the versions alone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccountItem {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    status: String,
    pub(super) version: AccountVersion,
    pub(super) state: State,
    /// Which system told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    /// At which version it was last deleted; kept when it comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleted_version: Option<AccountVersion>,
}

impl AccountItem {
    /// Whether the account was deleted after the version that these copies are of: a direct membership made before
    /// that is none any more, even when the account has come back.
    pub(super) fn was_deleted_since(&self, copies: AccountVersion) -> bool {
        self.state == State::Deleted || self.deleted_version.is_some_and(|deleted| deleted >= copies)
    }

    /// The account, or `None` for one that is deleted.
    pub(super) fn account(self, key: &Key) -> Result<Option<Account>, Error> {
        if self.state != State::Active {
            return Ok(None);
        }
        let id = key.as_account().ok_or_else(|| unreadable("account row"))?;
        let Self { name, email, status, version, .. } = self;
        Ok(Some(Account { id, name, email, status, version }))
    }
}

/// What a caller's idempotency key stands for: the first response can be told again from this and the request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdempotencyItem {
    pub(super) request_hash: String,
    pub(super) response_id: GroupId,
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
    if row.values().any(is_unknown) {
        return Err(unreadable("row"));
    }
    let item = serde_dynamo::from_item(row).map_err(|_| unreadable("row"))?;
    Ok((key, item))
}

/// Of a type that this SDK does not know, at which `serde_dynamo` panics.
fn is_unknown(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::L(values) => values.iter().any(is_unknown),
        AttributeValue::M(values) => values.values().any(is_unknown),
        value => value.is_unknown(),
    }
}

/// What a row says, if there is one.
pub(super) fn read_item<T: DeserializeOwned>(row: Option<Attributes>) -> Result<Option<T>, Error> {
    row.map(|row| from_row(row).map(|(_, item)| item)).transpose()
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

/// Reads where a group is nested; nowhere where there is no row.
pub(super) fn read_nesting(row: Option<Attributes>) -> Result<Option<NestingItem>, Error> {
    read_item(row)
}

/// Reads the nestings of a group in others.
pub(super) fn read_parents(row: Option<Attributes>) -> Result<Vec<Edge>, Error> {
    let parents = read_nesting(row)?.unwrap_or_default().parents;
    Ok(parents.into_iter().map(|(parent, id)| Edge { parent, id }).collect())
}

/// Reads which nesting a nested group's row is of.
pub(super) fn read_edge_id(row: Option<Attributes>) -> Result<Option<EdgeId>, Error> {
    row.map(|row| from_row(row).map(|(_, ChildItem { edge_id })| edge_id)).transpose()
}

/// Reads the job in its row.
pub(super) fn read_job(row: Attributes) -> Result<Job, Error> {
    let (key, item): (_, JobItem) = from_row(row)?;
    let kind = key.as_job().ok_or_else(|| unreadable("job row"))?;
    let JobItem { kind: _, revision, cursor, progress, attempts, last_reason, state, created_at, actor } = item;
    let set_aside = state == State::SetAside;
    Ok(Job { kind, revision, cursor, progress, attempts, last_reason, set_aside, created_at, actor })
}

/// Reads whose membership a mirror row is, and of which group.
pub(super) fn read_membership(row: Attributes) -> Result<(AccountId, GroupId, MembershipType), Error> {
    let (key, item): (_, MembershipItem) = from_row(row)?;
    let (account, group) = key.as_membership().ok_or_else(|| unreadable("membership row"))?;
    Ok((account, group, item.membership_type()))
}

/// Reads the account in its row; `None` where there is no row, and for one that is deleted.
pub(super) fn read_account(row: impl Into<Option<Attributes>>) -> Result<Option<Account>, Error> {
    let Some(row) = row.into() else { return Ok(None) };
    let (key, item): (_, AccountItem) = from_row(row)?;
    item.account(&key)
}

/// What a row is that does not say what it should.
pub(super) fn unreadable(row: &'static str) -> Error {
    Error::Internal { operation: row, code: "unreadable".into() }
}
