//! Response bodies of history. The doc comments of serialized types and fields are descriptions in `openapi.yaml`.

use schemars::JsonSchema;
use serde::Serialize;

use super::responses::PageInfoResponse;
use super::schema::HistoryChangeName;
use crate::domain::group::Description;
use crate::domain::{
    AccountId, Actor, ExternalId, Group, GroupEmail, GroupId, GroupName, GroupType, HistoryChange, HistoryEntry,
    MembershipType, Page, PastMembership, Timestamp,
};

/// A page of changes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "History")]
pub struct HistoryResponse<'a> {
    /// Newest first.
    history: Vec<HistoryEntryResponse<'a>>,
    page_info: PageInfoResponse<'a>,
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HistoryEntry")]
pub struct HistoryEntryResponse<'a> {
    /// Identifies the change. The published event has the same id; a nesting has no event.
    id: String,
    /// When it was made.
    at: Timestamp,
    /// Who made it.
    actor: &'a str,
    #[schemars(with = "HistoryChangeName")]
    change: &'static str,
    /// The group; of a nesting, the group in which the other was nested.
    #[schemars(with = "GroupId")]
    group_id: String,
    /// Only of a membership: the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AccountId")]
    account_id: Option<&'a str>,
    /// Only of a nesting: the nested group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupId")]
    nested_group_id: Option<String>,
    /// Absent where the change created something, and for a nesting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "HistoryState<'a>")]
    before: Option<HistoryState<'a>>,
    /// Absent where the change ended something, and for a nesting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "HistoryState<'a>")]
    after: Option<HistoryState<'a>>,
}

/// A membership or a group, before or after a change: of a membership the first two fields, of a group the others.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "HistoryState")]
struct HistoryState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MembershipType")]
    membership_type: Option<&'static str>,
    /// The directly nested groups that the membership comes through, also where it is direct.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<GroupId>")]
    via: Option<Vec<GroupId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupName")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Description")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupType")]
    group_type: Option<GroupType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    is_privileged: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExternalId")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupEmail")]
    email: Option<&'a str>,
}

impl<'a> From<&'a Page<HistoryEntry>> for HistoryResponse<'a> {
    fn from(page: &'a Page<HistoryEntry>) -> Self {
        let history = page.items.iter().map(HistoryEntryResponse::from).collect();
        Self { history, page_info: PageInfoResponse::new(page) }
    }
}

impl<'a> From<&'a HistoryEntry> for HistoryEntryResponse<'a> {
    fn from(entry: &'a HistoryEntry) -> Self {
        let of = |change, group: &GroupId| Self {
            id: entry.id(),
            at: entry.at,
            actor: Actor::as_str(&entry.actor),
            change,
            group_id: group.to_string(),
            account_id: None,
            nested_group_id: None,
            before: None,
            after: None,
        };
        match &entry.change {
            HistoryChange::Group { group, before, after } => {
                let change = change_name(before, after, ["group_created", "group_updated", "group_deleted"]);
                let [before, after] = [before, after].map(|group| group.as_deref().map(HistoryState::from));
                Self { before, after, ..of(change, group) }
            }
            HistoryChange::Member { group, account, before, after, .. } => {
                let change = change_name(before, after, ["member_added", "member_changed", "member_removed"]);
                let [before, after] = [before, after].map(|membership| membership.as_ref().map(HistoryState::from));
                Self { account_id: Some(account.as_str()), before, after, ..of(change, group) }
            }
            HistoryChange::Nesting { parent, child, is_nested } => {
                let change = if *is_nested { "group_nested" } else { "group_unnested" };
                Self { nested_group_id: Some(child.to_string()), ..of(change, parent) }
            }
        }
    }
}

/// Of the names for a beginning, a change and an end, the one for these states.
const fn change_name<T>(before: &Option<T>, after: &Option<T>, names: [&'static str; 3]) -> &'static str {
    let [began, changed, ended] = names;
    match (before, after) {
        (None, _) => began,
        (_, None) => ended,
        _ => changed,
    }
}

impl From<&PastMembership> for HistoryState<'_> {
    fn from(PastMembership { membership, .. }: &PastMembership) -> Self {
        let membership_type = Some(membership.membership_type().as_str());
        Self { membership_type, via: Some(membership.via_groups()), ..Self::default() }
    }
}

impl<'a> From<&'a Group> for HistoryState<'a> {
    fn from(group: &'a Group) -> Self {
        let profile = &group.profile;
        Self {
            name: Some(profile.name.as_str()),
            description: Some(profile.description.as_str()),
            group_type: Some(profile.group_type),
            is_privileged: Some(profile.is_privileged),
            external_id: profile.external_id.as_ref().map(ExternalId::as_str),
            email: profile.email.as_ref().map(GroupEmail::as_str),
            ..Self::default()
        }
    }
}
