//! Records of the table's stream, as typed changes.

mod change;
mod history;
mod record;

pub(crate) use self::change::{MemberRowChange, RowChange, RowId};
pub use self::record::{Record, read_records};
