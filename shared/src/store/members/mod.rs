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
mod inherited;
mod list;
mod paths;
mod plan;
mod preview;
mod requests;

pub(super) use self::audit::{ChangeContext, require_unchanged, write_audit_record};
pub(super) use self::commit::{shard_of, subtract_indirect_member};
pub(crate) use self::edges::EdgeState;
pub use self::list::MemberFilter;
pub(crate) use self::plan::{Inheritance, Reach};
