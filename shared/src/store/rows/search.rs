//! The rows by which a search finds a group: one for each part of its name (docs/search.md).

use serde::{Deserialize, Serialize};

use super::to_row;
use crate::domain::{Error, GroupId, GroupName};
use crate::store::keys::{Attributes, Key, ListKey};

/// A part of a group's name. The text is in the index key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct SuffixItem {
    pub(in crate::store) repeats: usize,
}

/// The rows for a group of this name.
pub(in crate::store) fn suffix_rows(group: &GroupId, name: &GroupName) -> Result<Vec<Attributes>, Error> {
    let suffixes = name.folded().suffixes().into_iter().enumerate();
    suffixes
        .map(|(number, suffix)| {
            let mut row = to_row(&Key::suffix(group, number), &SuffixItem { repeats: suffix.repeats })?;
            row.extend(ListKey::suffix(&suffix, group).to_attributes());
            Ok(row)
        })
        .collect()
}
