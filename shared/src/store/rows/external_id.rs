//! The row by which a group is found by its id in another system.

use serde::{Deserialize, Serialize};

use super::to_row;
use crate::domain::{Error, ExternalId, GroupId};
use crate::store::keys::{Attributes, Key};

/// The group that has an external id.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ExternalIdItem {
    pub(in crate::store) group_id: GroupId,
}

/// The row of a group with this external id.
pub(in crate::store) fn external_id_row(id: &ExternalId, group: &GroupId) -> Result<Attributes, Error> {
    to_row(&Key::external_id(id), &ExternalIdItem { group_id: *group })
}
