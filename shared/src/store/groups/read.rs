//! Groups by id.

use std::collections::HashMap;

use crate::authz::{Granted, Read};
use crate::domain::{Error, Group, GroupId, Missing};
use crate::store::Store;
use crate::store::keys::{Key, Range};
use crate::store::rows::{CountItem, read_group, take_group};
use crate::store::table::{QuerySpec, Row};

impl Store {
    /// Returns the group with its exact counts. One `Query`.
    ///
    /// # Errors
    /// [`Missing::Group`].
    pub async fn require_group(&self, _: &Granted<Read>, id: &GroupId) -> Result<Group, Error> {
        self.exact_group(id).await?.ok_or(Error::Missing(Missing::Group))
    }

    /// Returns the group with its exact counts, if it exists. One `Query`.
    pub(in crate::store) async fn exact_group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        let range = Range::CountsAndGroup(*id);
        take_group(&mut self.table.query_typed::<CountItem>(QuerySpec::all(&range)).await?, id)
    }

    /// Returns the sum of a group's count shards. One `Query`.
    pub(in crate::store) async fn count_members(&self, id: &GroupId) -> Result<CountItem, Error> {
        let range = Range::Counts(*id);
        let shards = self.table.query_typed::<CountItem>(QuerySpec::all(&range)).await?.all()?;
        Ok(shards.into_iter().map(|Row { item, .. }| item).sum())
    }

    /// Returns the group, if it exists, with the copied counts of its row. One `GetItem`.
    pub(crate) async fn find_group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        read_group(self.table.get(&Key::group(id)).await?)
    }

    /// Returns those of the groups that exist, with the copied counts of their rows. A `BatchGetItem` for each hundred, side
    /// by side.
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
