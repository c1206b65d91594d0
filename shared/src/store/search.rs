//! Search by any part of a name: a row for each part that begins at one of the name's characters, found through the
//! index by how it begins (docs/search.md).

use std::collections::{BTreeMap, HashSet};

use super::Store;
use super::cursor::Scope;
use super::expression::Expression;
use super::items::{GroupItem, SuffixItem, from_row, read_group, to_row};
use super::keys::{Attribute, Attributes, Key, ListKey, Range};
use super::lists::{Place, page};
use super::table::Rows;
use super::transact::{Action, Commit, MAX_ACTIONS};
use crate::authz::{Granted, Read, Settle};
use crate::domain::{Cursor, Error, FoldedText, Group, GroupId, GroupName, Limit, Page, SortKey};

impl Store {
    /// The groups with the term in their names, by the text from the first match on, then id. One `Query` on the index,
    /// eventually consistent, then a strongly consistent `BatchGetItem` for each hundred groups, side by side; again for
    /// as many as were deleted or renamed since the index saw them.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn search_groups(
        &self,
        _: &Granted<Read>,
        term: &FoldedText,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = Scope::new("search", &[term.as_str()]);
        let mut after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let wanted = limit.items() + 1;
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut there_may_be_more = !term.is_in_no_name();
        while there_may_be_more && found.len() < wanted {
            let missing = wanted - found.len();
            let mut hits = self.hits(term, after.as_ref(), missing).await?;
            there_may_be_more = hits.len() == missing;
            after = hits.last().cloned().or(after);
            // While a group is renamed, parts of both names may be there.
            hits.retain(|(_, id)| seen.insert(*id));
            found.extend(self.groups_hit(term, hits).await?);
        }
        let page = page(found, limit, &scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, group)| group).collect(), next: page.next })
    }

    /// The first places after one at which the index has the term for the first time in a name; fewer than wanted only
    /// where there are no more.
    async fn hits(&self, term: &FoldedText, after: Option<&Place>, wanted: usize) -> Result<Vec<Place>, Error> {
        let length = term.chars();
        // Many a name has a character twice, few have more of the term twice.
        let spare = if length == 1 { wanted } else { wanted / 8 + 4 };
        let (mut hits, mut after) = (Vec::new(), after.cloned());
        while hits.len() < wanted {
            let range = Range::Search(term.clone(), after.take());
            let at_most = wanted - hits.len() + spare;
            let rows = self.table.query(Rows { wanted: Some(at_most), ..Rows::all(&range) }).await?;
            let is_all = rows.len() < at_most;
            for row in rows {
                let (place, SuffixItem { repeats }) = read_suffix(row)?;
                if repeats < length {
                    hits.push(place.clone());
                }
                after = Some(place);
            }
            if is_all {
                break;
            }
        }
        hits.truncate(wanted);
        Ok(hits)
    }

    /// The groups at these places that are there and have the term in their names still.
    async fn groups_hit(&self, term: &FoldedText, hits: Vec<Place>) -> Result<Vec<(Place, Group)>, Error> {
        let keys: Vec<Key> = hits.iter().map(|(_, id)| Key::group(id)).collect();
        let mut rows = self.table.batch_get(&keys).await?;
        let mut found = Vec::with_capacity(hits.len());
        for place in hits {
            let group = read_group(rows.remove(&Key::group(&place.1)))?;
            let group = group.filter(|group| group.profile.name.folded().contains(term));
            found.extend(group.map(|group| (place, group)));
        }
        Ok(found)
    }

    /// The group whose name the search does not have yet, if that is so. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn pending_name(&self, _: &Granted<Settle>, id: &GroupId) -> Result<Option<Group>, Error> {
        let Some(row) = self.table.get(&Key::group(id)).await? else { return Ok(None) };
        let (key, item): (_, GroupItem) = from_row(row)?;
        if item.name_pending { item.active(&key) } else { Ok(None) }
    }

    /// Brings the search up to the group's name, if it is still at this version; a change that came meanwhile has a
    /// record of its own to do the same. One `Query`, one transaction for 99 parts of the name.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn index_name(&self, _: &Granted<Settle>, group: &Group) -> Result<(), Error> {
        let mut wanted = suffix_rows(&group.id, &group.profile.name)?;
        let mut actions = Vec::new();
        for row in self.table.query(Rows::all(&Range::Suffixes(group.id))).await? {
            match Key::of_row(&row) {
                Some(key) if wanted.get(&key).is_some_and(|right| *right == row) => drop(wanted.remove(&key)),
                Some(key) if !wanted.contains_key(&key) => actions.push(Action::delete_any(key)),
                _ => {}
            }
        }
        actions.extend(wanted.into_values().map(Action::put_any));
        loop {
            let rest = actions.split_off(actions.len().min(MAX_ACTIONS - 1));
            actions.push(at_version(group, rest.is_empty()));
            match self.table.transact(actions).await? {
                Commit::Done if !rest.is_empty() => actions = rest,
                _ => return Ok(()),
            }
        }
    }

    /// Takes a group's name out of the search. One `Query`, one transaction for a hundred parts of the name.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn purge_name(&self, _: &Granted<Settle>, group: &GroupId) -> Result<(), Error> {
        let rows = self.table.query(Rows::all(&Range::Suffixes(*group))).await?;
        let keys: Vec<Key> = rows.iter().filter_map(Key::of_row).collect();
        for some in keys.chunks(MAX_ACTIONS) {
            self.table.transact(some.iter().cloned().map(Action::delete_any).collect()).await?;
        }
        Ok(())
    }
}

/// Holds that the group is at its version; with `is_done`, also notes that the search has its name. The version, for a
/// name may come again, and with it a mark that stands for another writing.
fn at_version(group: &Group, is_done: bool) -> Action {
    let (key, mut e) = (Key::group(&group.id), Expression::default());
    let condition = e.equal(Attribute::Version, group.version.0.cast_signed());
    if is_done {
        let update = format!("REMOVE {}", e.remove(Attribute::NamePending));
        Action::Update { key, e, update, condition }
    } else {
        Action::Check { key, e, condition }
    }
}

/// The rows that a search finds a group of this name by.
pub(super) fn suffix_rows(group: &GroupId, name: &GroupName) -> Result<BTreeMap<Key, Attributes>, Error> {
    let suffixes = name.folded().suffixes().into_iter().enumerate();
    suffixes
        .map(|(place, suffix)| {
            let key = Key::suffix(group, place);
            let mut row = to_row(&key, &SuffixItem { repeats: suffix.repeats })?;
            row.extend(ListKey::suffix(&suffix.text, group).to_attributes());
            Ok((key, row))
        })
        .collect()
}

/// Reads at which place in the order of searches a part of a name is.
fn read_suffix(row: Attributes) -> Result<(Place, SuffixItem), Error> {
    let unreadable = || Error::Internal { operation: "search row", code: "unreadable".into() };
    let text: SortKey = ListKey::text_of_row(&row).ok_or_else(unreadable)?;
    let (key, item) = from_row(row)?;
    let group = key.as_suffix().ok_or_else(unreadable)?;
    Ok(((text, group), item))
}
