//! Search by any part of a name (docs/search.md). A name has a row for each of its characters, with the text from there
//! on, in the partition of the text's first characters.

use super::list::{GroupList, scope};
use crate::authz::{Granted, Read};
use crate::domain::{Cursor, Error, FoldedText, Group, GroupSelection, Limit, Page};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key, Range};
use crate::store::pagination::Place;
use crate::store::rows::{SearchItem, from_row, selects_search_rows};
use crate::store::table::{Condition, QuerySpec, unreadable};

/// Rows read beyond those wanted, because some may not match the term for the first time.
const SPARE: usize = 4;

impl Store {
    /// Finds the groups with the term in their names that the filter selects, by the text from the first match on, then id. One
    /// `Query`, with a filter one for each megabyte, until the page is full; then a `BatchGetItem` for each hundred groups, side by
    /// side; strongly consistent. Both repeat to replace groups that were renamed or deleted meanwhile.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn search_groups(
        &self,
        _: &Granted<Read>,
        term: &FoldedText,
        selection: GroupSelection,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = scope("search", &[term.as_str()], selection);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        // DynamoDB rejects a position outside the range: a forged cursor must not look like an internal error.
        if after.as_ref().is_some_and(|(text, _)| !text.as_str().starts_with(term.sort_key().as_str())) {
            return Err(Error::ForeignCursor);
        }
        if term.is_in_no_name() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        self.page_of_groups(GroupList::Search(term), selection, limit, &scope, after).await
    }

    /// The next places at which names have the term for the first time. Fewer than wanted only at the end.
    pub(super) async fn hits(
        &self,
        term: &FoldedText,
        selection: GroupSelection,
        after: Option<&Place>,
        wanted: usize,
    ) -> Result<Vec<Place>, Error> {
        let (length, range) = (term.char_count(), Range::Search(term.clone()));
        let (mut hits, mut after) = (Vec::new(), after.cloned());
        let is_reversed = selection.order.is_descending();
        let mut at_most = wanted + SPARE;
        while hits.len() < wanted {
            let start = after.as_ref().map(|(text, group)| Key::search_hit(term, text, group));
            let first_match = || Condition::less_than(Attribute::Repeats, i64::try_from(length).unwrap_or(i64::MAX));
            let filter = selects_search_rows(selection.filter).map(|filter| filter.and(first_match()));
            // A limit counts rows before the filter: with a filter, a whole page is the better size.
            let limit = filter.is_none().then_some(at_most);
            let spec = QuerySpec { after: start, wanted: limit, filter, is_reversed, ..QuerySpec::all(&range) };
            let (rows, last) = self.table.query_page(spec).await?;
            for row in rows {
                let (place, SearchItem { repeats, .. }) = read_search_row(row)?;
                if repeats < length {
                    hits.push(place.clone());
                }
                after = Some(place);
            }
            let Some(last) = last else { break };
            after = last.as_search_row().or(after);
            // Many names have the term twice, and the second match sorts before the first.
            at_most *= 8;
        }
        hits.truncate(wanted);
        Ok(hits)
    }
}

/// Decodes the place of a search row in the order of searches.
fn read_search_row(row: Attributes) -> Result<(Place, SearchItem), Error> {
    let (key, item) = from_row(row)?;
    Ok((key.as_search_row().ok_or_else(|| unreadable("search row"))?, item))
}
