//! The row with the managers of a group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Actor, Timestamp};

/// The managers of a group, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct ManagersItem {
    pub(in crate::store) managers: BTreeMap<String, ManagerEntry>,
    /// Counts the changes.
    pub(in crate::store) revision: i64,
}

/// When somebody became a manager, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct ManagerEntry {
    pub(in crate::store) added_at: Timestamp,
    pub(in crate::store) added_by: Actor,
}
