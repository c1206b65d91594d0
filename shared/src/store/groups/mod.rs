//! Groups: one by one, by the page, by a part of their names, and nested in each other.

mod list;
pub(super) mod nesting;
mod read;
mod search;
mod write;

pub use self::nesting::NestedGroup;
pub use self::write::IdempotencyKey;
