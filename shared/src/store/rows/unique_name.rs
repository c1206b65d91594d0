//! Names that must be unique, although others need not be. Each has a row that changes whenever it is given, so that of two requests that
//! give it at the same time only one succeeds.

use serde::{Deserialize, Serialize};

use super::{from_row, to_row};
use crate::domain::{Error, Timestamp};
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::table::{Condition, Table, Write, random_text};

/// How long the row of a name is kept: longer than any request takes.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// The last time that a name was given.
#[derive(Debug, Serialize, Deserialize)]
struct UniqueNameItem {
    /// Differs each time.
    change_id: String,
    /// Seconds since 1970, as DynamoDB's time to live needs it.
    expires_at: i64,
}

/// A name that was free a moment ago. A write with it fails when the name was given meanwhile.
#[derive(Debug, Clone)]
pub struct NameReservation {
    key: Key,
    /// The last time that the name was given, as read before it was found to be free.
    last: Option<String>,
    now: Timestamp,
}

impl NameReservation {
    /// Reads when a name was last given. Only after that may the name be looked up. One `GetItem`.
    pub(in crate::store) async fn read(table: &Table, key: Key, now: Timestamp) -> Result<Self, Error> {
        let row = table.get(&key).await?.map(from_row::<UniqueNameItem>).transpose()?;
        Ok(Self { key, last: row.map(|(_, item)| item.change_id), now })
    }

    /// The write that fails when the name was given meanwhile.
    pub(in crate::store) fn write(&self) -> Result<Write, Error> {
        let item = UniqueNameItem { change_id: random_text(), expires_at: self.now.unix_seconds() + KEPT_SECONDS };
        let unchanged = match &self.last {
            Some(last) => Condition::equals(Attribute::ChangeId, last.as_str()),
            None => Condition::row_absent(),
        };
        Ok(Write::Put(to_row(&self.key, &item)?, Some(unchanged)))
    }

    /// Requires that none of the rows that a failed transaction found is that of a unique name.
    pub(in crate::store) fn require_free(found: &[Option<Attributes>]) -> Result<(), Error> {
        let mut keys = found.iter().flatten().filter_map(Key::from_row);
        match keys.any(|key| key.is_unique_name()) {
            true => Err(Error::NameTaken("another one, written at the same moment,".into())),
            false => Ok(()),
        }
    }
}
