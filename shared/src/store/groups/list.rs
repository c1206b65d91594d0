//! Lists of groups, in pages.

use std::collections::HashSet;

use crate::authz::{Administer, Granted, Read};
use crate::domain::{
    Cursor, Error, ExternalId, FoldedText, Group, GroupFilter, GroupId, GroupName, GroupSelection, Limit, Page,
    Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Key, Named, Range};
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::{ExternalIdItem, ListEntryItem, NameReservation, from_row};
use crate::store::table::{QuerySpec, Row, unreadable};

/// A list whose rows have the places of groups, and no more.
#[derive(Debug, Clone, Copy)]
pub(super) enum GroupList<'a> {
    /// All groups, by name.
    All,
    /// The groups with exactly this name, apart from case.
    Named(&'a FoldedText),
    /// The groups with this term in their names, by the text from the first match on.
    Search(&'a FoldedText),
}

impl Store {
    /// Lists all groups that the filter selects, by name without case, then id. One `Query`, then a `BatchGetItem` for each hundred
    /// groups, side by side; strongly consistent. Both repeat to replace groups that were deleted meanwhile.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn list_groups(
        &self,
        _: &Granted<Read>,
        selection: GroupSelection,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = scope("groups", &[], selection);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        self.page_of_groups(GroupList::All, selection, limit, &scope, after).await
    }

    /// Returns the groups from the place `skip` of the list of all groups by name on, with copied counts, and how many groups there are.
    /// One `Query` for each megabyte of the list, of some 7,000 groups; then a `BatchGetItem` for each hundred of the page, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn numbered_groups(
        &self,
        _: &Granted<Read>,
        skip: usize,
        count: usize,
    ) -> Result<(Vec<Group>, usize), Error> {
        let range = Range::Groups(GroupFilter::default());
        let all = self.table.query(QuerySpec::all(&range)).await?;
        let place =
            |row| Key::from_row(row).and_then(|key| key.as_list_entry()).ok_or_else(|| unreadable("list entry"));
        let places: Vec<Place> = all.iter().skip(skip).take(count).map(place).collect::<Result<_, _>>()?;
        let mut groups = self.find_groups(places.iter().map(|(_, id)| *id)).await?;
        Ok((places.iter().filter_map(|(_, id)| groups.remove(id)).collect(), all.len()))
    }

    /// Lists the groups with exactly this name, apart from case, by id: names need not be unique. The requests of
    /// [`Store::list_groups`].
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn list_groups_named(
        &self,
        _: &Granted<Read>,
        name: &FoldedText,
        selection: GroupSelection,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = scope("groups named", &[name.as_str()], selection);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        // DynamoDB rejects a position outside the range: a forged cursor must not look like an internal error.
        if after.as_ref().is_some_and(|(text, _)| *text != name.sort_key()) {
            return Err(Error::ForeignCursor);
        }
        self.page_of_groups(GroupList::Named(name), selection, limit, &scope, after).await
    }

    /// Finds out that no group but this one has the name, apart from case. One `GetItem`, then the requests of
    /// [`Store::list_groups_named`].
    ///
    /// # Errors
    /// [`Error::NameTaken`].
    pub async fn reserve_group_name(
        &self,
        granted: &Granted<Administer>,
        name: &GroupName,
        except: Option<&GroupId>,
        now: Timestamp,
    ) -> Result<NameReservation, Error> {
        let key = Key::unique_name(Named::Group, &name.sort_key());
        let reservation = NameReservation::read(&self.table, key, now).await?;
        let (name, selection) = (name.folded(), GroupSelection::default());
        let named = self.list_groups_named(&granted.to_read(), &name, selection, Limit::DEFAULT, None).await?;
        match named.items.iter().find(|group| Some(&group.id) != except) {
            Some(other) => Err(Error::NameTaken(format!("the group {}", other.id))),
            None => Ok(reservation),
        }
    }

    /// Lists the group with this external id, if there is one, the filter selects it, and its name contains `term`. One `GetItem`,
    /// then one `Query`; strongly consistent.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`] for any cursor: there is one page at most.
    pub async fn list_groups_by_external_id(
        &self,
        _: &Granted<Read>,
        id: &ExternalId,
        term: Option<FoldedText>,
        selection: GroupSelection,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        if after.is_some() {
            return Err(Error::ForeignCursor);
        }
        let Some(row) = self.table.get(&Key::external_id(id)).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let (_, ExternalIdItem { group_id }) = from_row(row)?;
        let is_selected = |group: &Group| {
            group.profile.external_id.as_ref() == Some(id)
                && selection.filter.matches(&group.profile)
                && term.as_ref().is_none_or(|term| group.profile.name.folded().contains(term))
        };
        let group = self.exact_group(&group_id).await?.filter(is_selected);
        Ok(Page { items: group.into_iter().collect(), next: None })
    }

    /// Reads the places of a list, then the groups there, until the page is full.
    pub(super) async fn page_of_groups(
        &self,
        list: GroupList<'_>,
        selection: GroupSelection,
        limit: Limit,
        scope: &Scope,
        mut after: Option<Place>,
    ) -> Result<Page<Group>, Error> {
        let wanted = limit.items() + 1;
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut there_may_be_more = true;
        while there_may_be_more && found.len() < wanted {
            let missing = wanted - found.len();
            let mut places = self.places(list, selection, after.as_ref(), missing).await?;
            there_may_be_more = places.len() == missing;
            after = places.last().cloned().or(after);
            // During a rename a group may have rows of both names.
            places.retain(|(_, id)| seen.insert(*id));
            found.extend(self.groups_at(list, selection, places).await?);
        }
        let page = cut_page(found, limit, scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, group)| group).collect(), next: page.next })
    }

    /// The next places in a list. Fewer than wanted only at the end.
    async fn places(
        &self,
        list: GroupList<'_>,
        selection: GroupSelection,
        after: Option<&Place>,
        wanted: usize,
    ) -> Result<Vec<Place>, Error> {
        let GroupSelection { filter, order } = selection;
        let range = match list {
            GroupList::All => Range::Groups(filter),
            GroupList::Named(name) => Range::GroupsNamed(filter, name.sort_key()),
            GroupList::Search(term) => return self.hits(term, selection, after, wanted).await,
        };
        let after = after.map(|(name, group)| Key::list_entry(filter, name, group));
        let is_reversed = order.is_descending();
        let spec = QuerySpec { after, wanted: Some(wanted), is_reversed, ..QuerySpec::all(&range) };
        let entries = self.table.query_typed::<ListEntryItem>(spec).await?.all()?.into_iter();
        entries.map(|Row { key, .. }| key.as_list_entry().ok_or_else(|| unreadable("list entry"))).collect()
    }

    /// The groups at these places, without those that were deleted, or changed so that they are not in the list.
    async fn groups_at(
        &self,
        list: GroupList<'_>,
        selection: GroupSelection,
        places: Vec<Place>,
    ) -> Result<Vec<(Place, Group)>, Error> {
        let mut groups = self.find_groups(places.iter().map(|(_, id)| *id)).await?;
        let belongs = |group: &Group| {
            selection.filter.matches(&group.profile)
                && match list {
                    GroupList::All => true,
                    GroupList::Named(name) => group.profile.name.folded() == *name,
                    GroupList::Search(term) => group.profile.name.folded().contains(term),
                }
        };
        let found = places.into_iter().filter_map(|place| Some((groups.remove(&place.1).filter(belongs)?, place)));
        Ok(found.map(|(group, place)| (place, group)).collect())
    }
}

/// The scope of a list of groups. A cursor of an earlier version has no selection.
pub(super) fn scope(list: &str, parts: &[&str], selection: GroupSelection) -> Scope {
    let GroupSelection { filter, order } = selection;
    if selection == GroupSelection::default() {
        return Scope::new(list, parts);
    }
    let [group_type, is_privileged] = filter.names().map(Option::unwrap_or_default);
    let order = if order.is_descending() { "descending" } else { "" };
    Scope::new(list, &[parts, &[group_type, is_privileged, order]].concat())
}
