//! Search by any part of a name (docs/search.md). A name has a row for each of its characters, with the text from there
//! on. The index finds it by the first characters.

use std::collections::HashSet;

use crate::authz::{Granted, Read};
use crate::domain::{Cursor, Error, FoldedText, Group, GroupId, Limit, Page, SortKey};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key, ListKey, Range};
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::{GroupItem, PendingName, SuffixItem, from_row, suffix_rows};
use crate::store::table::{Commit, Condition, MAX_ACTIONS, QuerySpec, Update, Write, unreadable};

/// Rows read beyond those wanted, because some may not match the term for the first time.
const SPARE: usize = 4;

impl Store {
    /// Finds the groups with the term in their names, by the text from the first match on, then id. One `Query` on the
    /// index, eventually consistent, then a strongly consistent `BatchGetItem` for each hundred groups, side by side.
    /// Both repeat to replace groups that were deleted or renamed since the index was updated.
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
        // DynamoDB rejects a position outside the range: a forged cursor must not look like an internal error.
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
            // During a rename the index may have parts of both names.
            hits.retain(|(_, id)| seen.insert(*id));
            found.extend(self.matching_groups(term, hits).await?);
        }
        let page = cut_page(found, limit, &scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, group)| group).collect(), next: page.next })
    }

    /// The next places at which the index has the term for the first time in a name. Fewer than wanted only at the end.
    async fn hits(&self, term: &FoldedText, after: Option<&Place>, wanted: usize) -> Result<Vec<Place>, Error> {
        let length = term.char_count();
        let (mut hits, mut after) = (Vec::new(), after.cloned());
        let mut at_most = wanted + SPARE;
        while hits.len() < wanted {
            let range = Range::Search(term.clone(), after.take());
            let spec = QuerySpec { wanted: Some(at_most), ..QuerySpec::all(&range) };
            let (rows, last) = self.table.query_page(spec).await?;
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
            // Many names have the term twice, and the second match sorts before the first.
            at_most *= 8;
        }
        hits.truncate(wanted);
        Ok(hits)
    }

    /// The groups at these places that exist and still have the term in their names.
    async fn matching_groups(&self, term: &FoldedText, hits: Vec<Place>) -> Result<Vec<(Place, Group)>, Error> {
        let mut groups = self.find_groups(hits.iter().map(|(_, id)| *id)).await?;
        let matching = hits.into_iter().filter_map(|place| {
            let group = groups.remove(&place.1)?;
            group.profile.name.folded().contains(term).then_some((place, group))
        });
        Ok(matching.collect())
    }

    /// Returns a group's name, if searches do not have it yet. One `GetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn pending_name(&self, id: &GroupId) -> Result<Option<PendingName>, Error> {
        self.table.get(&Key::group(id)).await?.map_or(Ok(None), PendingName::read)
    }

    /// Makes searches find a group by its name and by no former one, if the group is still at this version. A later change
    /// has its own stream record. One transaction for each 99 parts of the name.
    ///
    /// Uses only the group's row as read before. A plain read of the parts may miss those of a transaction in progress,
    /// which would then stay.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn index_name(&self, name: &PendingName) -> Result<(), Error> {
        let PendingName { group, rows_before } = name;
        let rows = suffix_rows(&group.id, &group.profile.name)?;
        let count = rows.len();
        let mut writes: Vec<Write> = rows.into_iter().map(Write::put).collect();
        writes.extend((count..*rows_before).map(|number| Write::delete(Key::suffix(&group.id, number))));
        loop {
            let rest = writes.split_off(writes.len().min(MAX_ACTIONS - 1));
            let is_last = rest.is_empty();
            writes.push(record_name_rows(group, if is_last { count } else { count.max(*rows_before) }, is_last));
            match self.table.transact(writes).await? {
                Commit::Done if !is_last => writes = rest,
                Commit::Done | Commit::ConditionFailed(_) => return Ok(()),
            }
        }
    }

    /// Removes the name of a deleted group from searches. One `GetItem`, and a transaction for each hundred parts.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn purge_name(&self, group: &GroupId) -> Result<(), Error> {
        let Some(row) = self.table.get(&Key::group(group)).await? else { return Ok(()) };
        let (_, GroupItem { name_rows, .. }) = from_row(row)?;
        self.delete_suffixes((0..name_rows).map(|number| Key::suffix(group, number)).collect()).await
    }

    /// Makes searches find a group by its name, or not at all when it is gone, with any parts stored before. One `Query` more
    /// than [`Store::index_name`].
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_name(&self, group: &GroupId) -> Result<(), Error> {
        let rows = self.table.query(QuerySpec::all(&Range::Suffixes(*group))).await?;
        let keys: Vec<Key> = rows.iter().filter_map(Key::from_row).collect();
        match self.find_group(group).await? {
            None => self.delete_suffixes(keys).await,
            Some(group) => {
                let rows_before = keys.last().and_then(Key::as_suffix).map_or(0, |(_, number)| number + 1);
                self.index_name(&PendingName { group, rows_before }).await
            }
        }
    }

    async fn delete_suffixes(&self, keys: Vec<Key>) -> Result<(), Error> {
        for chunk in keys.chunks(MAX_ACTIONS) {
            // Without conditions nothing can fail but the request.
            let _ = self.table.transact(chunk.iter().cloned().map(Write::delete).collect()).await?;
        }
        Ok(())
    }
}

/// Writes the upper bound of name rows to the group's row; with the last rows, also removes the mark `name_pending`.
/// Requires the version, because a name may return.
fn record_name_rows(group: &Group, rows: usize, is_last: bool) -> Write {
    let update = Update::of(Key::group(&group.id))
        .set(Attribute::NameRows, i64::try_from(rows).unwrap_or(i64::MAX))
        .when(Condition::equals(Attribute::Version, group.version.0.cast_signed()));
    if is_last { update.remove(Attribute::NamePending).into() } else { update.into() }
}

/// Decodes the place of a part of a name in the order of searches.
fn read_suffix(row: Attributes) -> Result<(Place, SuffixItem), Error> {
    let text: SortKey = ListKey::text_of_row(&row).ok_or_else(|| unreadable("search row"))?;
    let (key, item) = from_row(row)?;
    let (group, _) = key.as_suffix().ok_or_else(|| unreadable("search row"))?;
    Ok(((text, group), item))
}
