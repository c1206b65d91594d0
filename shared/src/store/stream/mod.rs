//! Records of the table's stream, as typed changes.

mod announcement;
mod change;
mod record;

pub use self::announcement::{Announcement, Subject};
pub(crate) use self::change::{MemberRowChange, RowChange, RowId};
pub use self::record::{Record, read_records};
