//! The groups nested directly in a group.

use crate::authz::{Granted, Read};
use crate::domain::{Cursor, Error, Group, GroupId, Limit, Missing, Page, SortKey};
use crate::store::Store;
use crate::store::keys::{Key, Range};
use crate::store::pagination::{Scope, cut_page};
use crate::store::rows::read_group;
use crate::store::table::QuerySpec;

impl Store {
    /// Lists the groups nested directly in a group, by name without case, then id. One `Query`, then one `BatchGetItem`;
    /// strongly consistent.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_nested_groups(
        &self,
        _: &Granted<Read>,
        parent: &GroupId,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = Scope::new("nested groups", &[&parent.to_string()]);
        let after: Option<(SortKey, GroupId)> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let range = Range::ChildrenAndGroup(*parent);
        let mut rows = self.table.query(QuerySpec::all(&range)).await?;
        let group = rows.pop().filter(|row| Key::from_row(row) == Some(Key::group(parent)));
        read_group(group)?.ok_or(Missing::Group)?;
        let children = rows.iter().filter_map(|row| Key::from_row(row)?.as_child()).map(|(_, child)| child);

        let mut groups: Vec<Group> = self.find_groups(children).await?.into_values().collect();
        groups.retain(|group| after.as_ref().is_none_or(|after| group.list_position() > *after));
        groups.sort_by_cached_key(Group::list_position);
        Ok(cut_page(groups, limit, &scope, Group::list_position))
    }
}
