//! Members of groups: listed, changed by administrators and by other systems' requests, inherited from nested groups, with
//! an audit record for each change.

mod accounts;
mod audit;
mod change;
mod deletion;
mod edges;
mod inherited;
mod list;
mod requests;

pub(super) use self::audit::{ChangeContext, require_unchanged, write_audit_record};
pub(crate) use self::edges::EdgeState;
pub(super) use self::inherited::add_to_member_count;
pub(crate) use self::inherited::{AncestorEffect, Inheritance, Reconciled};
