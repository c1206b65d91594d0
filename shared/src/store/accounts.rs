//! Accounts, as another system tells of them.

use super::Store;
use super::expression::Expression;
use super::items::{AccountItem, State, to_row};
use super::keys::{Attribute, Key};
use super::table::Written;
use crate::authz::{Granted, Ingest};
use crate::domain::{Account, AccountId, AccountVersion, Error};

impl Store {
    /// Takes the account in, if this is the newest that was told of it: events may come twice, late or reordered. Gives
    /// whether anything changed. One `PutItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn put_account(&self, _: &Granted<Ingest>, account: &Account) -> Result<bool, Error> {
        let mut e = Expression::default();
        let newer = format!("{} OR {}", e.no_row(), e.less(Attribute::Version, account.version.0));
        self.write_account(&account.id, &AccountItem::active(account), e, newer).await
    }

    /// Takes in that the account is gone, if nothing newer was told of it; of two events of one moment, the deletion
    /// stands. Its version stays, its name and address do not. Gives whether anything changed. One `PutItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn delete_account(
        &self,
        _: &Granted<Ingest>,
        id: &AccountId,
        version: AccountVersion,
    ) -> Result<bool, Error> {
        let mut e = Expression::default();
        let newer = format!(
            "{} OR {} OR ({} AND {})",
            e.no_row(),
            e.less(Attribute::Version, version.0),
            e.equal(Attribute::Version, version.0),
            e.equal(Attribute::State, State::Active.as_str()),
        );
        self.write_account(id, &AccountItem::deleted(version), e, newer).await
    }

    async fn write_account(
        &self,
        id: &AccountId,
        item: &AccountItem,
        e: Expression,
        newer: String,
    ) -> Result<bool, Error> {
        let row = to_row(&Key::account(id), item)?;
        let written = self.table.put(row, e, newer).await?;
        Ok(matches!(written, Written::Done(_)))
    }
}
