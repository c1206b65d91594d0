//! Cuts a list to a page.

use super::cursor::{Position, Scope};
use super::response_size::ResponseSize;
use crate::domain::{AccountId, GroupId, Limit, Page, SortKey};

/// A position in an order by name, or by the text from a match on; then by id.
pub(in crate::store) type Place = (SortKey, GroupId);

/// A position in a list of accounts: the text by which it is listed, then the id.
pub(in crate::store) type AccountPlace = (SortKey, AccountId);

/// Bytes of a page in Lambda's payload, at most. Lambda refuses a payload over 6 MB (AWS Lambda quotas, "invocation
/// payload"), and the caller would get no page at all.
const MAX_PAGE_BYTES: usize = 5 * 1024 * 1024;

/// Cuts items to a page, by the limit and by the size of the response. `items` has one past the page, if there is one.
pub(in crate::store) fn cut_page<T: ResponseSize, P: Position>(
    mut items: Vec<T>,
    limit: Limit,
    scope: &Scope,
    position: impl Fn(&T) -> P,
) -> Page<T> {
    let mut bytes = 0;
    let fitting = items.iter().take(limit.items()).take_while(|item| {
        bytes += item.response_bytes();
        bytes <= MAX_PAGE_BYTES
    });
    let size = fitting.count();
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|last| scope.cursor(&position(last)));
    Page { items, next }
}
