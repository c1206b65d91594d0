//! Authorization of callers. A decision is a [`Granted`], which the store's public methods require: a handler that forgets to
//! authorize does not compile.

mod caller;
mod policy;

pub use caller::{Caller, Role, read_roles_claim};
pub use policy::{Administer, Denied, Granted, ManageMembers, Permission, Policy, Read};
