//! Pages of lists: where one goes on, and how much of a list fits into a response.

mod cursor;
mod page;
mod response_size;

pub(super) use self::cursor::Scope;
pub(super) use self::page::{Place, cut_page};
#[cfg(test)]
pub(crate) use self::response_size::ResponseSize;
