//! Groups by id.

use std::collections::HashMap;

use crate::authz::{Granted, Read};
use crate::domain::{Error, Group, GroupId, Missing};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::rows::read_group;

impl Store {
    /// Returns the group, if it exists. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn get_group(&self, _: &Granted<Read>, id: &GroupId) -> Result<Option<Group>, Error> {
        self.find_group(id).await
    }

    /// Returns the group. One `GetItem`.
    ///
    /// # Errors
    /// [`Missing::Group`].
    pub async fn require_group(&self, granted: &Granted<Read>, id: &GroupId) -> Result<Group, Error> {
        self.get_group(granted, id).await?.ok_or(Error::Missing(Missing::Group))
    }

    pub(crate) async fn find_group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        read_group(self.table.get(&Key::group(id)).await?)
    }

    /// Returns those of the groups that exist. A `BatchGetItem` for each hundred, side by side.
    pub(in crate::store) async fn find_groups(
        &self,
        ids: impl IntoIterator<Item = GroupId>,
    ) -> Result<HashMap<GroupId, Group>, Error> {
        let keys: Vec<Key> = ids.into_iter().map(|id| Key::group(&id)).collect();
        let mut groups = HashMap::with_capacity(keys.len());
        for row in self.table.batch_get(&keys).await?.into_values() {
            groups.extend(read_group(row)?.map(|group| (group.id, group)));
        }
        Ok(groups)
    }
}
