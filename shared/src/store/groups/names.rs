//! Writes the rows by which lists and searches find a group, so that they are those of its name.

use std::collections::BTreeSet;

use crate::domain::{Error, Group, GroupId, GroupName, GroupProfile};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::rows::{GroupItem, PendingName, from_row, list_entries, search_rows};
use crate::store::table::{Commit, Condition, MAX_ACTIONS, Update, Write, replace_rows};

/// The writes that move a group in the lists, and to other lists. None where it has the same places.
pub(super) fn replace_list_entries(group: &GroupId, former: &GroupProfile, profile: &GroupProfile) -> Vec<Write> {
    replace_rows(list_entries(group, former), list_entries(group, profile))
}

/// The writes that replace the search rows of a group with other fields. None where searches find it alike.
pub(super) fn replace_search_rows(
    group: &GroupId,
    former: &GroupProfile,
    profile: &GroupProfile,
) -> Result<Vec<Write>, Error> {
    Ok(replace_rows(search_rows(group, former)?, search_rows(group, profile)?))
}

impl Store {
    /// Returns a group's name, if searches do not have it yet. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn pending_name(&self, id: &GroupId) -> Result<Option<PendingName>, Error> {
        self.table.get(&Key::group(id)).await?.map_or(Ok(None), PendingName::read)
    }

    /// Makes searches find a group by its name and not by the former one, if the group is still at this version. A later
    /// change has its own stream record. One transaction for each 99 rows.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn complete_name(&self, name: &PendingName) -> Result<(), Error> {
        let PendingName { group, former_name } = name;
        let of_name = |name: &GroupName| {
            let profile = GroupProfile { name: name.clone(), ..group.profile.clone() };
            search_rows(&group.id, &profile)
        };
        // The other fields that the rows of the former name have are not known: only their keys count.
        let former = former_name.as_ref().map_or_else(|| Ok(Vec::new()), of_name)?;
        let former = former.iter().filter_map(Key::from_row).map(|key| key.to_attributes());
        let rows: Vec<Attributes> = search_rows(&group.id, &group.profile)?;
        self.write_rows_of_name(group, replace_rows(former.collect(), rows)).await
    }

    /// Writes rows of a group's name while the group is at this version. The last transaction marks the name as complete.
    pub(in crate::store) async fn write_rows_of_name(
        &self,
        group: &Group,
        mut writes: Vec<Write>,
    ) -> Result<(), Error> {
        let (key, is_at_version) = (Key::group(&group.id), is_at_version(group));
        loop {
            let rest = writes.split_off(writes.len().min(MAX_ACTIONS - 1));
            let is_last = rest.is_empty();
            writes.push(if is_last {
                let complete = Update::of(key.clone()).remove(Attribute::NamePending).remove(Attribute::FormerName);
                complete.when(is_at_version.clone()).into()
            } else {
                Write::Check(key.clone(), is_at_version.clone())
            });
            match self.table.transact(writes).await? {
                Commit::Done if !is_last => writes = rest,
                Commit::Done | Commit::ConditionFailed(_) => return Ok(()),
            }
        }
    }

    /// Removes a deleted group from lists and searches. One `GetItem`, and a transaction for each hundred rows.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn purge_name(&self, group: &GroupId) -> Result<(), Error> {
        let Some(row) = self.table.get(&Key::group(group)).await? else { return Ok(()) };
        let (key, item): (_, GroupItem) = from_row(row)?;
        // Both names may have the same row, and a transaction takes a key once.
        let mut keys = BTreeSet::new();
        let present = item.group(&key)?.profile;
        for name in item.names()? {
            let profile = GroupProfile { name, ..present.clone() };
            let rows = list_entries(group, &profile).into_iter().chain(search_rows(group, &profile)?);
            keys.extend(rows.filter_map(|row| Key::from_row(&row)));
        }
        self.delete_rows(keys).await
    }

    /// Deletes rows unconditionally. One transaction for each hundred.
    pub(in crate::store) async fn delete_rows(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Error> {
        let keys: Vec<Key> = keys.into_iter().collect();
        for chunk in keys.chunks(MAX_ACTIONS) {
            // Without conditions nothing can fail but the request.
            let _ = self.table.transact(chunk.iter().cloned().map(Write::delete).collect()).await?;
        }
        Ok(())
    }
}

/// The condition that the group's own fields are unchanged. A name alone would not do, because it may return.
pub(super) fn is_at_version(group: &Group) -> Condition {
    Condition::equals(Attribute::Version, group.version.0.cast_signed())
}
