//! Accounts, as another system announces them.

use super::Store;
use super::keys::{Attribute, Key};
use super::rows::State;
use super::table::{Condition, Update, UpdateResult};
use crate::domain::{Account, AccountId, AccountVersion, Actor, Error};

impl Store {
    /// Stores an account, unless a newer version is stored: events arrive twice, late and out of order. Returns whether
    /// anything changed. One `UpdateItem`; the stream updates the account's memberships.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn put_account(&self, actor: &Actor, account: &Account) -> Result<bool, Error> {
        // `deleted_version` stays: memberships from before a deletion have ended.
        let update = newer_version(&account.id, account.version, State::Active, actor)
            .set(Attribute::Name, &*account.name)
            .set(Attribute::Email, &*account.email)
            .set(Attribute::Status, &*account.status);
        self.write_account(update).await
    }

    /// Deletes an account, unless a newer version is stored. Keeps its version, but not its name and address. Returns
    /// whether anything changed. One `UpdateItem`; the stream ends the account's memberships.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn delete_account(&self, actor: &Actor, id: &AccountId, version: AccountVersion) -> Result<bool, Error> {
        let update = newer_version(id, version, State::Deleted, actor)
            .set(Attribute::DeletedVersion, version)
            .remove(Attribute::Name)
            .remove(Attribute::Email)
            .remove(Attribute::Status);
        self.write_account(update).await
    }

    async fn write_account(&self, update: Update) -> Result<bool, Error> {
        Ok(matches!(self.table.update(update).await?, UpdateResult::Updated(_)))
    }
}

fn newer_version(id: &AccountId, version: AccountVersion, state: State, actor: &Actor) -> Update {
    Update::of(Key::account(id))
        .set(Attribute::Version, version)
        .set(Attribute::State, state.as_str())
        .set(Attribute::Actor, actor)
        .when(Condition::row_absent().or(Condition::less_than(Attribute::Version, version)))
}
