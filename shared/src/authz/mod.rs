//! Who may do what. Deciding makes a [`Granted`], which the store asks for: forgetting to decide does not compile.

mod caller;
mod policy;

pub use caller::{Caller, Role, read_roles_claim};
pub use policy::{Action, Administer, Denied, Granted, Ingest, Policy, Read, Settle};
