//! Members of groups: listed, changed by administrators and by other systems' requests, inherited from nested groups, with
//! an audit record for each change.

mod accounts;
mod ancestors;
mod audit;
mod change;
mod commit;
mod counts;
mod deletion;
mod edges;
mod expiry;
mod inherited;
mod list;
mod paths;
mod plan;
mod preview;
mod requests;
mod schedule;

pub(super) use self::audit::{ChangeContext, require_unchanged, write_audit_record};
pub(super) use self::commit::{look_from, shard_of, subtract_indirect_member};
pub(crate) use self::edges::EdgeState;
pub use self::expiry::DueMembership;
pub use self::list::MemberFilter;
pub(crate) use self::plan::{Inheritance, Reach};
