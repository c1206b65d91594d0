//! Search by any part of a name: a row for each part that begins at one of the name's characters, found through the
//! index by how it begins (docs/search.md).

use std::collections::HashSet;

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

/// Rows that are read beside those wanted, as some may not stand for the term.
const SPARE: usize = 4;

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
        // Forged, it may be outside of what is searched, which the table takes for a fault of ours.
        if after.as_ref().is_some_and(|(text, _)| !text.as_str().starts_with(term.sort_key().as_str())) {
            return Err(Error::ForeignCursor);
        }
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
        let length = term.char_count();
        let (mut hits, mut after) = (Vec::new(), after.cloned());
        let mut at_most = wanted + SPARE;
        while hits.len() < wanted {
            let range = Range::Search(term.clone(), after.take());
            let (rows, last) = self.table.query_page(Rows { wanted: Some(at_most), ..Rows::all(&range) }).await?;
            for row in rows {
                let (place, SuffixItem { repeats }) = read_suffix(row)?;
                if repeats < length {
                    hits.push(place.clone());
                }
                after = Some(place);
            }
            if last.is_none() {
                break;
            }
            // Where many names have the term twice, and the second time before the first in this order.
            at_most *= 8;
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

    /// The group's name, if the search does not have it yet. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn pending_name(&self, _: &Granted<Settle>, id: &GroupId) -> Result<Option<PendingName>, Error> {
        self.table.get(&Key::group(id)).await?.map_or(Ok(None), PendingName::read)
    }

    /// Has a search find the group by its name and by no other, if the group is still at this version; a change that
    /// came meanwhile has a record of its own to do the same. One transaction for 99 parts of the name.
    ///
    /// Reads nothing but what came with the group's row: a plain read may not see yet what another transaction has made
    /// of the name's rows, and what it does not see would stay.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn index_name(&self, _: &Granted<Settle>, name: &PendingName) -> Result<(), Error> {
        let PendingName { group, rows_before } = name;
        let rows = suffix_rows(&group.id, &group.profile.name)?;
        let count = rows.len();
        let mut actions: Vec<Action> = rows.into_iter().map(Action::put_any).collect();
        actions.extend((count..*rows_before).map(|place| Action::delete_any(Key::suffix(&group.id, place))));
        loop {
            let rest = actions.split_off(actions.len().min(MAX_ACTIONS - 1));
            let is_done = rest.is_empty();
            actions.push(note_rows(group, if is_done { count } else { count.max(*rows_before) }, is_done));
            match self.table.transact(actions).await? {
                Commit::Done if !is_done => actions = rest,
                Commit::Done | Commit::Refused(_) => return Ok(()),
            }
        }
    }

    /// Takes the name of a deleted group out of the search. One `GetItem`, one transaction for a hundred parts of the name.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn purge_name(&self, _: &Granted<Settle>, group: &GroupId) -> Result<(), Error> {
        let Some(row) = self.table.get(&Key::group(group)).await? else { return Ok(()) };
        let (_, GroupItem { name_rows, .. }) = from_row(row)?;
        self.delete_suffixes((0..name_rows).map(|place| Key::suffix(group, place)).collect()).await
    }

    /// Has a search find the group by its name, or no more where it is gone, whatever rows there are. One `Query` besides.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_name(&self, granted: &Granted<Settle>, group: &GroupId) -> Result<(), Error> {
        let rows = self.table.query(Rows::all(&Range::Suffixes(*group))).await?;
        let keys: Vec<Key> = rows.iter().filter_map(Key::of_row).collect();
        match self.find_group(group).await? {
            None => self.delete_suffixes(keys).await,
            Some(group) => {
                let last = keys.last().and_then(Key::as_suffix).map_or(0, |(_, place)| place + 1);
                self.index_name(granted, &PendingName { group, rows_before: last }).await
            }
        }
    }

    async fn delete_suffixes(&self, keys: Vec<Key>) -> Result<(), Error> {
        for some in keys.chunks(MAX_ACTIONS) {
            self.table.transact(some.iter().cloned().map(Action::delete_any).collect()).await?;
        }
        Ok(())
    }
}

/// A group's name that the search does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingName {
    group: Group,
    /// How many rows there may be of names before.
    rows_before: usize,
}

impl PendingName {
    /// Of a group that has no such rows at all.
    pub(super) const fn first(group: Group) -> Self {
        Self { group, rows_before: 0 }
    }

    /// In the row of a group, unless the search has it or the group is being deleted.
    pub(super) fn read(row: Attributes) -> Result<Option<Self>, Error> {
        let (key, item): (_, GroupItem) = from_row(row)?;
        if !item.name_pending {
            return Ok(None);
        }
        let rows_before = item.name_rows;
        Ok(item.active(&key)?.map(|group| Self { group, rows_before }))
    }
}

/// Notes in the group, at its version, how many rows of names there may be at most; when all is done, also that the
/// search has the name. The version, for a name may come again, and with it a mark that stands for another writing.
fn note_rows(group: &Group, rows: usize, is_done: bool) -> Action {
    let mut e = Expression::default();
    let condition = e.equal(Attribute::Version, group.version.0.cast_signed());
    let mut update = format!("SET {}", e.set(Attribute::NameRows, i64::try_from(rows).unwrap_or(i64::MAX)));
    if is_done {
        update = format!("{update} REMOVE {}", e.remove(Attribute::NamePending));
    }
    Action::Update { key: Key::group(&group.id), e, update, condition }
}

/// The rows that a search finds a group of this name by.
pub(super) fn suffix_rows(group: &GroupId, name: &GroupName) -> Result<Vec<Attributes>, Error> {
    let suffixes = name.folded().suffixes().into_iter().enumerate();
    suffixes
        .map(|(number, suffix)| {
            let mut row = to_row(&Key::suffix(group, number), &SuffixItem { repeats: suffix.repeats })?;
            row.extend(ListKey::suffix(&suffix, group).to_attributes());
            Ok(row)
        })
        .collect()
}

/// Reads at which place in the order of searches a part of a name is.
fn read_suffix(row: Attributes) -> Result<(Place, SuffixItem), Error> {
    let unreadable = || Error::Internal { operation: "search row", code: "unreadable".into() };
    let text: SortKey = ListKey::text_of_row(&row).ok_or_else(unreadable)?;
    let (key, item) = from_row(row)?;
    let (group, _) = key.as_suffix().ok_or_else(unreadable)?;
    Ok(((text, group), item))
}
