//! History: an entry for each change in the partition of its group and, for a membership, in that of its account. `publish-events`
//! writes it from the stream. Lists of entries, and memberships at a point in time, are read from it.

mod at;
mod list;

pub use self::at::PointInTime;
use std::collections::BTreeMap;

use super::Store;
use super::keys::{Attributes, Key};
use super::rows::{DeletedGroupItem, HistoryItem, to_row};
use crate::domain::{Error, HistoryChange, HistoryEntry, HistoryRetention};

impl Store {
    /// Writes the entries of changes, and the last state of groups that were deleted. Writing an entry again writes the same rows. A
    /// `BatchWriteItem` for each 25 rows, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn write_history<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a HistoryEntry>,
        retention: HistoryRetention,
    ) -> Result<(), Error> {
        let mut rows = Vec::new();
        for entry in entries {
            rows.extend(rows_of(entry, retention)?);
        }
        // A batch of records may have the same record twice, and a request takes a key once.
        let by_key = |row: Attributes| Some((Key::from_row(&row)?, row));
        let rows: BTreeMap<Key, Attributes> = rows.into_iter().filter_map(by_key).collect();
        self.table.batch_put(rows.into_values().collect()).await
    }
}

fn rows_of(entry: &HistoryEntry, retention: HistoryRetention) -> Result<Vec<Attributes>, Error> {
    let HistoryEntry { revision, at, change, .. } = entry;
    let in_group = |group, subject: &str| Key::group_history(group, *at, subject, *revision);
    let keys = match change {
        HistoryChange::Group { group, .. } => vec![in_group(group, &group.to_string())],
        HistoryChange::Member { group, account, .. } => {
            vec![in_group(group, account.as_str()), Key::account_history(account, *at, group, *revision)]
        }
        HistoryChange::Nesting { parent, child, .. } => {
            vec![in_group(parent, &child.to_string()), in_group(child, &parent.to_string())]
        }
    };
    let item = HistoryItem::new(entry, retention);
    let mut rows = keys.iter().map(|key| to_row(key, &item)).collect::<Result<Vec<_>, _>>()?;
    if let Some((group, item)) = DeletedGroupItem::of(entry, retention) {
        rows.push(to_row(&Key::deleted_group(&group), &item)?);
    }
    Ok(rows)
}
