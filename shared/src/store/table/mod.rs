//! Requests to the table: queries, conditions, writes, transactions. Knows keys, but no row type.

mod condition;
mod metering;
mod query;
mod requests;
mod row;
mod scan;
mod transaction;
mod typed_query;
mod write;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use tokio::time::Instant;

pub(super) use self::condition::Condition;
pub(super) use self::metering::Metering;
pub(super) use self::query::QuerySpec;
pub(super) use self::requests::UpdateResult;
pub(super) use self::row::Row;
pub(super) use self::transaction::{Attempt, Commit, ConflictLimit, MAX_ACTIONS, busy};
pub(super) use self::typed_query::TypedRows;
pub(super) use self::write::{Update, Write, replace_rows};
use crate::aws::retry::TimeLimit;
use crate::domain::Error;

/// Requests of one call that are sent side by side.
pub(super) const SIDE_BY_SIDE: usize = 16;

/// The table, and the time limit of requests to it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
    pub(super) time: TimeLimit,
}

impl Table {
    /// The deadline of a request that begins now.
    pub(super) fn deadline(&self) -> Instant {
        self.time.deadline()
    }
}

/// 128 random bits as text, to distinguish writes.
pub(super) fn random_text() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// The error of a row that cannot be read. `row` names its type.
pub(super) fn unreadable(row: &'static str) -> Error {
    Error::Internal { operation: row, code: "unreadable".into() }
}
