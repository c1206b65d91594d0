//! The row of a group.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CountItem, State, from_row};
use crate::domain::group::Description;
use crate::domain::{
    Actor, Error, ExternalId, Group, GroupEmail, GroupId, GroupName, GroupProfile, GroupType, Timestamp, Version,
};
use crate::store::keys::{Attributes, Key};
use crate::store::table::{Row, TypedRows, unreadable};

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct GroupItem {
    name: String,
    description: String,
    group_type: GroupType,
    is_privileged: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Copies of the sums of the count shards, for lists.
    member_count: u64,
    direct_member_count: u64,
    /// The sum of the shards' revisions when they were copied.
    #[serde(default)]
    pub(in crate::store) counted_revision: i64,
    pub(in crate::store) nested_group_count: u64,
    /// Counts the changes of nested groups.
    #[serde(default)]
    pub(in crate::store) nesting_revision: i64,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<Actor>,
    pub(in crate::store) updated_at: Timestamp,
    pub(in crate::store) version: Version,
    pub(in crate::store) state: State,
    pub(in crate::store) change_id: String,
    /// Who last changed the group's own fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) actor: Option<Actor>,
    /// Searches do not find the group by this name yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(in crate::store) name_pending: bool,
    /// The name whose search rows are still to be replaced by those of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_name: Option<String>,
    /// The mark of a group that is, or is about to be, privileged or nested in a privileged group: no two writes of it are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) guard: Option<String>,
    /// When the mark was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) guarded_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The counts of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GroupCounts {
    /// Members.
    pub members: u64,
    /// Direct members.
    pub direct_members: u64,
    /// Groups nested directly in it.
    pub nested_groups: u64,
}

impl GroupItem {
    pub(in crate::store) fn new(group: &Group, change_id: String, actor: &Actor) -> Self {
        let profile = &group.profile;
        Self {
            name: profile.name.as_str().to_owned(),
            description: profile.description.as_str().to_owned(),
            group_type: profile.group_type,
            is_privileged: profile.is_privileged,
            external_id: profile.external_id.as_ref().map(|id| id.as_str().to_owned()),
            email: profile.email.as_ref().map(|email| email.as_str().to_owned()),
            member_count: group.member_count,
            direct_member_count: group.direct_member_count,
            counted_revision: 0,
            nested_group_count: group.nested_group_count,
            nesting_revision: 0,
            created_at: group.created_at,
            created_by: group.created_by.clone(),
            updated_at: group.updated_at,
            version: group.version,
            state: State::Active,
            change_id,
            actor: Some(actor.clone()),
            name_pending: false,
            former_name: None,
            guard: None,
            guarded_at: None,
        }
    }

    /// Whether the group exists and is privileged.
    pub(in crate::store) fn is_privileged(&self) -> bool {
        self.is_privileged && self.is_active()
    }

    /// Whether the group is privileged, or has a mark.
    pub(in crate::store) fn is_guarded(&self) -> bool {
        self.guard.is_some() || self.is_privileged()
    }

    pub(in crate::store) fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// The name, then the former name if its search rows are still to be replaced; in any state of the group.
    pub(in crate::store) fn names(&self) -> Result<Vec<GroupName>, Error> {
        let names = std::iter::once(&self.name).chain(&self.former_name);
        names.map(|name| GroupName::parse(name).map_err(|_| unreadable("group row"))).collect()
    }

    pub(in crate::store) const fn counts(&self) -> GroupCounts {
        GroupCounts {
            members: self.member_count,
            direct_members: self.direct_member_count,
            nested_groups: self.nested_group_count,
        }
    }

    /// The group, or `None` for one that is being deleted.
    pub(in crate::store) fn active(&self, key: &Key) -> Result<Option<Group>, Error> {
        if self.is_active() { self.group(key).map(Some) } else { Ok(None) }
    }

    /// The group, in any state.
    pub(in crate::store) fn group(&self, key: &Key) -> Result<Group, Error> {
        let wrong = |_| unreadable("group row");
        let profile = GroupProfile {
            name: GroupName::parse(&self.name).map_err(wrong)?,
            description: Description::parse(&self.description).map_err(wrong)?,
            group_type: self.group_type,
            is_privileged: self.is_privileged,
            external_id: self.external_id.as_deref().map(ExternalId::parse).transpose().map_err(wrong)?,
            email: self.email.as_deref().map(GroupEmail::parse).transpose().map_err(wrong)?,
        };
        let id = key.as_group().ok_or_else(|| unreadable("group row"))?;
        Ok(Group {
            id,
            profile,
            member_count: self.member_count,
            direct_member_count: self.direct_member_count,
            nested_group_count: self.nested_group_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by.clone(),
            updated_by: self.actor.clone(),
            version: self.version,
            revision: u64::try_from(self.nesting_revision).unwrap_or_default(),
            is_guarded: self.is_guarded(),
        })
    }
}

/// Decodes the group in its row: `None` where there is no row, and for a group that is being deleted.
pub(in crate::store) fn read_group(row: impl Into<Option<Attributes>>) -> Result<Option<Group>, Error> {
    let Some(row) = row.into() else { return Ok(None) };
    let (key, item): (_, GroupItem) = from_row(row)?;
    item.active(&key)
}

/// Takes the count shards and the group that a Query returned first: the group with its exact counts, unless it is gone.
pub(in crate::store) fn take_group<T: DeserializeOwned>(
    rows: &mut TypedRows<T>,
    id: &GroupId,
) -> Result<Option<Group>, Error> {
    let shards = rows.take_heads::<CountItem>(|key| key.as_count().is_some())?;
    let group = rows.take_head::<GroupItem>(&Key::group(id))?;
    let group = group.map(|Row { key, item }| item.active(&key)).transpose()?.flatten();
    let counts: CountItem = shards.into_iter().map(|Row { item, .. }| item).sum();
    Ok(group.map(|group| counts.exact(group)))
}

/// A group's name by which searches do not find the group yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingName {
    pub(in crate::store) group: Group,
    /// The name whose search rows are to be replaced; `None` for a new group.
    pub(in crate::store) former_name: Option<GroupName>,
}

impl PendingName {
    /// Decodes the name in a group's row: `None` when searches have it, or the group is being deleted.
    pub(in crate::store) fn read(row: Attributes) -> Result<Option<Self>, Error> {
        let (key, item): (_, GroupItem) = from_row(row)?;
        if !item.name_pending {
            return Ok(None);
        }
        let former_name = item.names()?.into_iter().nth(1);
        Ok(item.active(&key)?.map(|group| Self { group, former_name }))
    }
}
