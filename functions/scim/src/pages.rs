//! Lists of the store, as a whole.

use shared::domain::{Cursor, Error, Page};

/// Returns the items of all pages. `read` returns the page after a cursor.
pub(crate) async fn all_pages<T, F>(read: impl Fn(Option<Cursor>) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = read(after).await?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}
