//! Decides the effects of a change: docs/propagation.md, rule by rule. The store executes it. API functions start right
//! after their commit, within their time budget. The table's stream finishes the rest.
//!
//! The result does not depend on when, in which order or how often this is called. Each rule reads the rows as they are after
//! the commit, and writes only under conditions.

mod jobs;
mod members;
mod records;

pub use self::records::propagate;

use crate::domain::{Actor, Timestamp};
use crate::store::Store;

/// The context of a propagation.
#[derive(Debug, Clone, Copy)]
pub struct Propagation<'a> {
    /// The table.
    pub store: &'a Store,
    /// The actor of the changes; `None` for the actor of the change that each follows from.
    pub actor: Option<&'a Actor>,
    /// The time at which new members are added.
    pub now: Timestamp,
}
