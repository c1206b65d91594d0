//! The row that changes whenever a name is given that must be unique.

use serde::{Deserialize, Serialize};

/// The last time that the name was given. Two requests that give the same name at the same time conflict by it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct UniqueNameItem {
    /// Differs each time.
    pub(in crate::store) change_id: String,
    /// Seconds since 1970, as DynamoDB's time to live needs it.
    pub(in crate::store) expires_at: i64,
}
