//! Names that must be unique, although others need not be. Each has a row that changes whenever it is given, so that of two requests that
//! give it at the same time only one succeeds.

use super::Store;
use super::keys::{Key, Named};
use super::rows::{UniqueNameItem, from_row, to_row};
use super::table::{Condition, Write, random_text};
use crate::authz::{Administer, Granted};
use crate::domain::{Error, GroupId, GroupName, GroupSelection, Limit, Timestamp};
use crate::store::keys::{Attribute, Attributes};

/// How long the row of a name is kept: longer than any request takes.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// A name that no group had a moment ago. The group that is written with it is the only one.
#[derive(Debug, Clone)]
pub struct NameReservation {
    key: Key,
    /// The last time that the name was given, as read before it was found to be free.
    last: Option<String>,
    now: Timestamp,
}

impl NameReservation {
    /// The write that fails when the name was given meanwhile.
    pub(super) fn write(&self) -> Result<Write, Error> {
        let item = UniqueNameItem { change_id: random_text(), expires_at: self.now.unix_seconds() + KEPT_SECONDS };
        let unchanged = match &self.last {
            Some(last) => Condition::equals(Attribute::ChangeId, last.as_str()),
            None => Condition::row_absent(),
        };
        Ok(Write::Put(to_row(&self.key, &item)?, Some(unchanged)))
    }

    /// Requires that none of the rows that a failed transaction found is that of a unique name.
    pub(super) fn require_free(found: &[Option<Attributes>]) -> Result<(), Error> {
        let mut keys = found.iter().flatten().filter_map(Key::from_row);
        match keys.any(|key| key.is_unique_name()) {
            true => Err(Error::NameTaken("another one, written at the same moment,".into())),
            false => Ok(()),
        }
    }
}

impl Store {
    /// Finds out that no group but this one has the name, apart from case. One `GetItem`, then the requests of
    /// [`Store::list_groups_named`].
    ///
    /// # Errors
    /// [`Error::NameTaken`].
    pub async fn reserve_group_name(
        &self,
        granted: &Granted<Administer>,
        name: &GroupName,
        except: Option<&GroupId>,
        now: Timestamp,
    ) -> Result<NameReservation, Error> {
        let reservation = self.read_unique_name(Key::unique_name(Named::Group, &name.sort_key()), now).await?;
        let read = granted.to_read();
        let selection = GroupSelection::default();
        let named = self.list_groups_named(&read, &name.folded(), selection, Limit::DEFAULT, None).await?;
        match named.items.iter().find(|group| Some(&group.id) != except) {
            Some(other) => Err(Error::NameTaken(format!("the group {}", other.id))),
            None => Ok(reservation),
        }
    }

    /// Reads when a name was last given. Only then it may be looked up.
    pub(super) async fn read_unique_name(&self, key: Key, now: Timestamp) -> Result<NameReservation, Error> {
        let row = self.table.get(&key).await?.map(from_row::<UniqueNameItem>).transpose()?;
        Ok(NameReservation { key, last: row.map(|(_, item)| item.change_id), now })
    }
}
