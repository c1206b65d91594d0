//! Accounts, as another system announces them, and the search for them.

mod provision;
mod search;

pub use self::search::AccountFilter;
use super::Store;
use super::keys::{Attribute, Key};
use super::rows::{AccountItem, State, account_texts, from_row};
use super::table::{Attempt, Condition, ConflictLimit, Update, UpdateResult, Write, replace_rows};
use crate::domain::{Account, AccountId, AccountVersion, Actor, Error, ProvisionedAccount, Timestamp};

impl Store {
    /// Stores an account as an event describes it, unless a newer version is stored: events arrive twice, late and out of order. Returns whether
    /// anything changed. One `GetItem`; one `UpdateItem` or, where the account is listed and found by other texts now, one
    /// transaction. The stream updates the account's memberships.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn put_account(&self, actor: &Actor, account: &Account) -> Result<bool, Error> {
        // `deleted_version` stays: memberships from before a deletion have ended.
        let update = || described(account, actor);
        self.write_account(&account.id, account.version, Some(account), update).await
    }

    /// Deletes an account, unless a newer version is stored. Keeps its version, but not its name and address. Returns
    /// whether anything changed. The requests of [`Store::put_account`]; the stream ends the account's memberships.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn delete_account(&self, actor: &Actor, id: &AccountId, version: AccountVersion) -> Result<bool, Error> {
        let update = || {
            new_version(id, version, State::Deleted, actor)
                .set(Attribute::DeletedVersion, version)
                .remove(Attribute::Name)
                .remove(Attribute::Email)
                .remove(Attribute::Status)
                .remove(Attribute::ExternalId)
                .remove(Attribute::CreatedAt)
        };
        self.write_account(id, version, None, update).await
    }

    /// Writes a version of an account, which is `after` or deleted, with the rows by which it is found.
    async fn write_account(
        &self,
        id: &AccountId,
        version: AccountVersion,
        after: Option<&Account>,
        update: impl Fn() -> Update + Sync,
    ) -> Result<bool, Error> {
        let update = &update;
        let attempt = || async move {
            let read = self.account_item(id).await?;
            if read.as_ref().is_some_and(|read| read.version >= version) {
                return Ok(Attempt::Done(false));
            }
            let unchanged = match &read {
                Some(read) => Condition::equals(Attribute::Version, read.version),
                None => Condition::row_absent(),
            };
            let before = read.and_then(|read| read.provisioned(id));
            let is_new = before.is_none() && after.is_some();
            let provisioned = |account: &Account| ProvisionedAccount {
                account: account.clone(),
                external_id: before.as_ref().and_then(|before| before.external_id.clone()),
                created_at: None,
            };
            let after = after.map(provisioned);
            let mut writes = replace_texts(before.as_ref(), after.as_ref());
            let update = update().when(unchanged);
            let update = if is_new { created_with(update, version) } else { update };
            if writes.is_empty() {
                let updated = self.table.update(update).await?;
                return Ok(Attempt::when(matches!(updated, UpdateResult::Updated(_)), true));
            }
            writes.push(update.into());
            Ok(self.table.transact(writes).await?.attempt(true))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, attempt).await
    }

    /// Reads the row of an account, which may be deleted. One `GetItem`.
    async fn account_item(&self, id: &AccountId) -> Result<Option<AccountItem>, Error> {
        let row = self.table.get(&Key::account(id)).await?;
        Ok(row.map(from_row::<AccountItem>).transpose()?.map(|(_, item)| item))
    }
}

/// The writes that replace the rows by which an account is listed and found.
fn replace_texts(before: Option<&ProvisionedAccount>, after: Option<&ProvisionedAccount>) -> Vec<Write> {
    let [before, after] = [before, after].map(|account| account.map(account_texts).unwrap_or_default());
    replace_rows(before, after)
}

/// Writes the fields of an account at its version.
fn described(account: &Account, actor: &Actor) -> Update {
    new_version(&account.id, account.version, State::Active, actor)
        .set(Attribute::Name, &*account.name)
        .set(Attribute::Email, &*account.email)
        .set(Attribute::Status, &*account.status)
}

/// Notes the moment of an account's first version.
fn created_with(update: Update, version: AccountVersion) -> Update {
    update.set(Attribute::CreatedAt, Timestamp::from(version.moment()))
}

fn new_version(id: &AccountId, version: AccountVersion, state: State, actor: &Actor) -> Update {
    Update::of(Key::account(id))
        .set(Attribute::Version, version)
        .set(Attribute::State, state.as_str())
        .set(Attribute::Actor, actor)
}
