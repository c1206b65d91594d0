//! What follows from a commit: docs/propagation.md, rule by rule. The API functions have it done right after their own
//! commit, for as long as they have time; the table's stream has it done whatever becomes of them.
//!
//! Nothing here depends on when, in which order or how often it is called: every rule looks at what is, after the
//! commit that called for it, and writes only under conditions.

mod climb;
mod jobs;
mod records;

pub use records::propagate;

use crate::authz::{Granted, Settle};
use crate::domain::Timestamp;
use crate::store::Store;

/// What bringing things up to date needs.
#[derive(Debug, Clone, Copy)]
pub struct Propagation<'a> {
    /// The table.
    pub store: &'a Store,
    /// That it may.
    pub granted: &'a Granted<Settle>,
    /// Since when members are members that come about now.
    pub now: Timestamp,
}
