//! Accounts, as another system tells of them.

use super::Store;
use super::expression::Expression;
use super::items::State;
use super::keys::{Attribute, Key};
use super::table::Written;
use crate::authz::{Granted, Ingest};
use crate::domain::{Account, AccountId, AccountVersion, Error};

impl Store {
    /// Takes the account in, if this is the newest that was told of it: events may come twice, late or reordered. Gives
    /// whether anything changed. One `UpdateItem`; its memberships follow by the table's stream.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn put_account(&self, granted: &Granted<Ingest>, account: &Account) -> Result<bool, Error> {
        let mut e = Expression::default();
        let newer = format!("{} OR {}", e.no_row(), e.less(Attribute::Version, account.version));
        let set = [
            e.set(Attribute::Name, &*account.name),
            e.set(Attribute::Email, &*account.email),
            e.set(Attribute::Status, &*account.status),
            e.set(Attribute::Version, account.version),
            e.set(Attribute::State, State::Active.as_str()),
            e.set(Attribute::Actor, granted.actor()),
        ];
        // At which version it was last deleted stays: what it was a member of before that, it is not any more.
        self.write_account(&account.id, e, format!("SET {}", set.join(", ")), newer).await
    }

    /// Takes in that the account is gone, if nothing newer was told of it. Its version stays, its name and address do not. Gives whether anything changed. One `UpdateItem`; it
    /// leaves its groups by the table's stream.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn delete_account(
        &self,
        granted: &Granted<Ingest>,
        id: &AccountId,
        version: AccountVersion,
    ) -> Result<bool, Error> {
        let mut e = Expression::default();
        let newer = format!("{} OR {}", e.no_row(), e.less(Attribute::Version, version));
        let set = [
            e.set(Attribute::Version, version),
            e.set(Attribute::DeletedVersion, version),
            e.set(Attribute::State, State::Deleted.as_str()),
            e.set(Attribute::Actor, granted.actor()),
        ];
        let remove = [e.remove(Attribute::Name), e.remove(Attribute::Email), e.remove(Attribute::Status)];
        let update = format!("SET {} REMOVE {}", set.join(", "), remove.join(", "));
        self.write_account(id, e, update, newer).await
    }

    async fn write_account(&self, id: &AccountId, e: Expression, update: String, newer: String) -> Result<bool, Error> {
        let written = self.table.update(&Key::account(id), e, update, newer).await?;
        Ok(matches!(written, Written::Done(_)))
    }
}
