//! The row of an idempotency key.

use serde::{Deserialize, Serialize};

use crate::domain::{GroupId, Timestamp};

/// The first request with an idempotency key. Its response can be rebuilt from this and the request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct IdempotencyItem {
    pub(in crate::store) request_hash: String,
    pub(in crate::store) response_id: GroupId,
    pub(in crate::store) created_at: Timestamp,
    /// Seconds since 1970, as DynamoDB's time to live needs it.
    pub(in crate::store) expires_at: i64,
}
