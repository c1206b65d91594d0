//! Reading the whole table, and repairing single rows, for `verify`.

mod repair;
mod scan;

pub use self::scan::{RowsDigest, ScannedAccount, ScannedGroup, ScannedMember, ScannedRow};
