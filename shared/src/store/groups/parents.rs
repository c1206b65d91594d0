//! The groups that contain a group.

use std::collections::{BTreeMap, BTreeSet};

use crate::authz::{Granted, Read};
use crate::domain::{Cursor, Error, Group, GroupId, Limit, Missing, Page};
use crate::store::Store;
use crate::store::keys::Key;
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::Snapshot;

impl Store {
    /// Lists the groups that contain a group, by name without case, then id: its parents or, where `transitive`, all its ancestors.
    /// Each has its distance, the number of nestings on the shortest way up. One `BatchGetItem`, and one for each level;
    /// strongly consistent.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_parents(
        &self,
        _: &Granted<Read>,
        id: &GroupId,
        transitive: bool,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<(Group, u64)>, Error> {
        let scope = Scope::new("groups above", &[&id.to_string(), if transitive { "transitive" } else { "" }]);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let rows = Snapshot::read(&self.table, &[Key::group(id), Key::nesting(id)]).await?;
        rows.group(id)?.ok_or(Missing::Group)?;
        let mut found: BTreeMap<GroupId, (Group, u64)> = BTreeMap::new();
        let mut level: BTreeSet<GroupId> = rows.parents(id)?.iter().map(|edge| edge.parent).collect();
        for distance in 1.. {
            level.retain(|group| !found.contains_key(group) && group != id);
            if level.is_empty() {
                break;
            }
            let nestings = level.iter().filter(|_| transitive).map(Key::nesting);
            let keys: Vec<Key> = level.iter().map(Key::group).chain(nestings).collect();
            let rows = Snapshot::read(&self.table, &keys).await?;
            let mut above = BTreeSet::new();
            for parent in level {
                // A group that is being deleted contains nothing any more, nor do groups above contain anything through it.
                let Some(group) = rows.group(&parent)? else { continue };
                above.extend(rows.parents(&parent)?.iter().map(|edge| edge.parent));
                found.insert(parent, (group, distance));
            }
            level = above;
        }
        let mut groups: Vec<(Group, u64)> = found.into_values().collect();
        groups.retain(|(group, _)| after.as_ref().is_none_or(|after| group.list_position() > *after));
        groups.sort_by_cached_key(|(group, _)| group.list_position());
        Ok(cut_page(groups, limit, &scope, |(group, _)| group.list_position()))
    }
}
