//! Groups: reading, writing, listing, searching and nesting them.

mod children;
pub(super) mod guard;
mod list;
mod managers;
pub(super) mod names;
pub(super) mod nesting;
mod of_account;
mod parents;
mod read;
mod search;
mod write;

pub use self::nesting::NestedGroup;
pub use self::write::IdempotencyKey;
