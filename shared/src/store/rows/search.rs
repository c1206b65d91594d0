//! The rows by which lists and searches find a group: one entry in the list of all groups, and a row for each part of its
//! name (docs/search.md). Their texts are in their keys.

use serde::{Deserialize, Serialize};

use super::to_row;
use crate::domain::{Error, GroupId, GroupName};
use crate::store::keys::{Attributes, Key};

/// An entry in the list of all groups. It has only a key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ListEntryItem {}

/// A part of a group's name.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct SearchItem {
    pub(in crate::store) repeats: usize,
}

/// The entry of a group of this name in the list of all groups.
pub(in crate::store) fn list_entry(group: &GroupId, name: &GroupName) -> Attributes {
    Key::list_entry(&name.sort_key(), group).to_attributes()
}

/// The search rows of a group of this name.
pub(in crate::store) fn search_rows(group: &GroupId, name: &GroupName) -> Result<Vec<Attributes>, Error> {
    let suffixes = name.folded().suffixes();
    let row = |suffix| to_row(&Key::search_row(suffix, group), &SearchItem { repeats: suffix.repeats });
    suffixes.iter().map(row).collect()
}
