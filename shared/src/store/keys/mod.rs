//! The one place that spells keys and attributes. Pure.

mod attribute;
mod job;
mod key;
mod range;
#[cfg(test)]
mod tests;

pub use self::attribute::Attribute;
pub use self::key::{AccountList, Attributes, COUNT_SHARDS, DUE_PARTITIONS, JOB_PARTITIONS, Key, Named, spread};
pub use self::range::{Bounds, Range};
