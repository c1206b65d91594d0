//! Pages of lists: cursors, and the limits of a page in items and bytes.

mod cursor;
mod page;
mod response_size;

pub(super) use self::cursor::{HistoryPlace, Scope};
pub(super) use self::page::{AccountPlace, Place, cut_page};
#[cfg(test)]
pub(crate) use self::response_size::ResponseSize;
