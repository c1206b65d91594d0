//! The rows of history: an entry for each change, and the last state of each group that was deleted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::GroupItem;
use crate::domain::{
    AccountId, Actor, EdgeId, Error, Group, GroupId, HistoryChange, HistoryEntry, HistoryRetention, Membership,
    PastMembership, Timestamp,
};
use crate::store::keys::Key;
use crate::store::table::{Row, unreadable};

/// An entry in the history of a group or an account.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct HistoryItem {
    change: HistoryKind,
    actor: Actor,
    pub(in crate::store) revision: u64,
    /// The group; of a nesting, the parent.
    pub(in crate::store) group_id: GroupId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) account_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    child_id: Option<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<MembershipItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<MembershipItem>,
    /// When the state before began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) before_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_before: Option<GroupItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_after: Option<GroupItem>,
    /// When DynamoDB may delete the row (time to live).
    expires_at: i64,
}

/// The kind of entity that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HistoryKind {
    Group,
    Member,
    Nested,
    Unnested,
}

/// A membership before or after a change.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MembershipItem {
    direct: bool,
    /// In the short form.
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "BTreeSet::is_empty")]
    via: BTreeSet<String>,
    added_at: Timestamp,
}

impl From<&PastMembership> for MembershipItem {
    fn from(PastMembership { membership, added_at }: &PastMembership) -> Self {
        let via = membership.via.iter().map(EdgeId::compact).collect();
        Self { direct: membership.direct, via, added_at: *added_at }
    }
}

impl MembershipItem {
    fn past_membership(&self) -> Result<PastMembership, Error> {
        let via: Option<BTreeSet<EdgeId>> = self.via.iter().map(|id| EdgeId::parse(id)).collect();
        let via = via.ok_or_else(|| unreadable("history row"))?;
        Ok(PastMembership { membership: Membership { direct: self.direct, via }, added_at: self.added_at })
    }
}

impl HistoryItem {
    pub(in crate::store) fn new(entry: &HistoryEntry, retention: HistoryRetention) -> Self {
        let HistoryEntry { revision, at, actor, change } = entry;
        let (group_id, kind) = match change {
            HistoryChange::Group { group, .. } => (group, HistoryKind::Group),
            HistoryChange::Member { group, .. } => (group, HistoryKind::Member),
            HistoryChange::Nesting { parent, is_nested: true, .. } => (parent, HistoryKind::Nested),
            HistoryChange::Nesting { parent, .. } => (parent, HistoryKind::Unnested),
        };
        let mut item = Self {
            change: kind,
            actor: actor.clone(),
            revision: *revision,
            group_id: *group_id,
            account_id: None,
            child_id: None,
            before: None,
            after: None,
            before_since: None,
            group_before: None,
            group_after: None,
            expires_at: retention.expiry(*at),
        };
        match change {
            HistoryChange::Group { before, after, .. } => {
                item.group_before = before.as_deref().map(|group| GroupItem::new(group, String::new(), actor));
                item.group_after = after.as_deref().map(|group| GroupItem::new(group, String::new(), actor));
            }
            HistoryChange::Member { account, before, after, before_since, .. } => {
                item.account_id = Some(account.clone());
                item.before = before.as_ref().map(MembershipItem::from);
                item.after = after.as_ref().map(MembershipItem::from);
                item.before_since = *before_since;
            }
            HistoryChange::Nesting { child, .. } => item.child_id = Some(*child),
        }
        item
    }

    /// The membership before the change, if there was one.
    pub(in crate::store) fn membership_before(&self) -> Result<Option<PastMembership>, Error> {
        self.before.as_ref().map(MembershipItem::past_membership).transpose()
    }

    /// The entry of a row.
    pub(in crate::store) fn entry(row: Row<Self>) -> Result<HistoryEntry, Error> {
        let Row { key, item } = row;
        let at = key.as_history().ok_or_else(|| unreadable("history row"))?;
        let group = |state: &Option<GroupItem>| -> Result<Option<Box<Group>>, Error> {
            let group = state.as_ref().map(|state| state.active(&Key::group(&item.group_id))).transpose()?;
            Ok(group.flatten().map(Box::new))
        };
        let change = match item.change {
            HistoryKind::Group => HistoryChange::Group {
                group: item.group_id,
                before: group(&item.group_before)?,
                after: group(&item.group_after)?,
            },
            HistoryKind::Member => HistoryChange::Member {
                group: item.group_id,
                account: item.account_id.clone().ok_or_else(|| unreadable("history row"))?,
                before: item.membership_before()?,
                after: item.after.as_ref().map(MembershipItem::past_membership).transpose()?,
                before_since: item.before_since,
            },
            HistoryKind::Nested | HistoryKind::Unnested => HistoryChange::Nesting {
                parent: item.group_id,
                child: item.child_id.ok_or_else(|| unreadable("history row"))?,
                is_nested: item.change == HistoryKind::Nested,
            },
        };
        Ok(HistoryEntry { revision: item.revision, at, actor: item.actor, change })
    }
}

/// The last state of a group that was deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct DeletedGroupItem {
    pub(in crate::store) deleted_at: Timestamp,
    group: GroupItem,
    /// When DynamoDB may delete the row (time to live).
    expires_at: i64,
}

impl DeletedGroupItem {
    /// The group of an entry, if that is a deletion.
    pub(in crate::store) fn of(entry: &HistoryEntry, retention: HistoryRetention) -> Option<(GroupId, Self)> {
        let HistoryChange::Group { group, before: Some(before), after: None } = &entry.change else { return None };
        let last = GroupItem::new(before, String::new(), &entry.actor);
        Some((*group, Self { deleted_at: entry.at, group: last, expires_at: retention.expiry(entry.at) }))
    }

    /// The group with this id, which is in the row's key.
    pub(in crate::store) fn group(&self, id: &GroupId) -> Result<Group, Error> {
        self.group.group(&Key::group(id))
    }
}
