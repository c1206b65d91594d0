//! The row with the ends of an account's direct memberships: by it, a reader of any group above knows that one has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::domain::{GroupId, Timestamp};

/// The ends of direct memberships: an attribute for each group, with its id as the name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::store) struct EndsItem(BTreeMap<String, String>);

impl EndsItem {
    /// The end of the account's direct membership in a group, which may be one of before.
    pub(in crate::store) fn of(&self, group: &GroupId) -> Option<Timestamp> {
        Timestamp::try_from(self.0.get(&group.to_string())?.clone()).ok()
    }

    /// All ends.
    pub(in crate::store) fn all(&self) -> impl Iterator<Item = (GroupId, Timestamp)> {
        let groups = self.0.keys().filter_map(|name| GroupId::parse(name));
        groups.filter_map(|group| Some((group, self.of(&group)?)))
    }

    /// The groups in which the direct membership may have ended.
    pub(in crate::store) fn ended(&self, now: Timestamp) -> BTreeSet<GroupId> {
        self.all().filter(|(_, at)| *at <= now).map(|(group, _)| group).collect()
    }
}
