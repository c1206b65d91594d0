//! The rows by which lists and searches find a group: an entry in each list that it belongs to, and a row for each part of its
//! name (docs/search.md). Their texts are in their keys.

use serde::{Deserialize, Serialize};

use super::to_row;
use crate::domain::{Error, GroupFilter, GroupId, GroupProfile, GroupType};
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::table::Condition;

/// An entry in a list of groups. It has only a key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ListEntryItem {}

/// A part of a group's name, with the fields that searches filter by. Rows of older versions lack these.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct SearchItem {
    pub(in crate::store) repeats: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_type: Option<GroupType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_privileged: Option<bool>,
}

/// The entries of a group in the lists of the filters that select it.
pub(in crate::store) fn list_entries(group: &GroupId, profile: &GroupProfile) -> Vec<Attributes> {
    let name = profile.name.sort_key();
    let entry = |filter| Key::list_entry(filter, &name, group).to_attributes();
    GroupFilter::all_matching(profile).map(entry).into()
}

/// The search rows of a group.
pub(in crate::store) fn search_rows(group: &GroupId, profile: &GroupProfile) -> Result<Vec<Attributes>, Error> {
    let (group_type, is_privileged) = (Some(profile.group_type), Some(profile.is_privileged));
    let suffixes = profile.name.folded().suffixes();
    let row = |suffix| {
        to_row(&Key::search_row(suffix, group), &SearchItem { repeats: suffix.repeats, group_type, is_privileged })
    };
    suffixes.iter().map(row).collect()
}

/// The condition by which DynamoDB selects search rows; `None` for a filter that selects all.
pub(in crate::store) fn selects_search_rows(filter: GroupFilter) -> Option<Condition> {
    let of_type = filter
        .group_type
        .map(|it| Condition::equals(Attribute::GroupType, it.as_str()).or(Condition::absent(Attribute::GroupType)));
    let is_privileged = filter
        .is_privileged
        .map(|it| Condition::equals(Attribute::IsPrivileged, it).or(Condition::absent(Attribute::IsPrivileged)));
    Condition::all(of_type.into_iter().chain(is_privileged))
}
