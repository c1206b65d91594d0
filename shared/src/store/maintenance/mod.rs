//! Reading the whole table, and repairing single rows, for `verify`.

mod first_design;
mod names;
mod repair;
mod scan;

pub use self::scan::{RowsDigest, ScannedAccount, ScannedGroup, ScannedMember, ScannedRow};
