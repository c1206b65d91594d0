//! Accounts that an administrator's system creates, changes and deletes by requests. The account system's events are the other source:
//! whichever change is later wins.

use super::{created_with, described, replace_texts};
use crate::authz::{Administer, Granted, Read};
use crate::domain::{
    AccountId, AccountName, AccountVersion, Error, ExternalId, Missing, Moment, ProvisionedAccount, Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Named, Range};
use crate::store::rows::NameReservation;
use crate::store::table::{Condition, QuerySpec};

impl Store {
    /// Returns an account. One `GetItem`.
    ///
    /// # Errors
    /// [`Missing::Account`].
    pub async fn provisioned_account(&self, _: &Granted<Read>, id: &AccountId) -> Result<ProvisionedAccount, Error> {
        let account = self.account_item(id).await?.and_then(|item| item.provisioned(id));
        account.ok_or_else(|| Missing::Account(id.to_string()).into())
    }

    /// Writes an account that is `before` as it was read, or new. Its name must be no other account's. Returns the account as written,
    /// at its version; `None` when it has changed meanwhile, or another account was given the name. Nothing is written where nothing
    /// changes. With a new name one `GetItem` and one `Query`; one transaction. The stream updates the account's memberships.
    ///
    /// # Errors
    /// [`Error::NameTaken`].
    pub async fn write_provisioned(
        &self,
        granted: &Granted<Administer>,
        before: Option<&ProvisionedAccount>,
        after: &ProvisionedAccount,
        now: Moment,
    ) -> Result<Option<ProvisionedAccount>, Error> {
        if before.is_some_and(|before| before.describes_the_same(after)) {
            return Ok(before.cloned());
        }
        let mut after = after.clone();
        let earlier = before.map_or(AccountVersion::EARLIEST, |before| before.account.version);
        let account = &mut after.account;
        account.version = AccountVersion::provisioned(earlier.moment_after(now), account);
        let id = &after.account.id;
        let mut writes = replace_texts(before, Some(&after));
        let name = AccountName::of(&after.account.name);
        if before.is_none_or(|before| AccountName::of(&before.account.name) != name) {
            writes.push(self.reserve_account_name(&name, id, now.into()).await?.write()?);
        }
        let unchanged = match before {
            Some(before) => Condition::equals(Attribute::Version, before.account.version),
            None => Condition::row_absent(),
        };
        let update = described(&after.account, granted.actor())
            .set_or_remove(Attribute::ExternalId, Some(after.external_id.as_ref().map(ExternalId::as_str)));
        let update = match before {
            Some(_) => update,
            None => {
                after.created_at = Some(after.account.version.moment().into());
                created_with(update, after.account.version)
            }
        };
        writes.push(update.when(unchanged).into());
        let is_done = self.table.transact(writes).await?.is_done();
        Ok(is_done.then_some(after))
    }

    /// Deletes an account, unless a version much later than the one that was read is stored. Returns whether it is deleted. The requests
    /// of [`Store::delete_account`].
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn delete_provisioned(
        &self,
        granted: &Granted<Administer>,
        account: &ProvisionedAccount,
        now: Moment,
    ) -> Result<bool, Error> {
        let version = AccountVersion::deleted(account.account.version.moment_after(now));
        self.delete_account(granted.actor(), &account.account.id, version).await
    }

    /// Returns those of the ids that no account has. A `BatchGetItem` for each hundred, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn unknown_accounts(&self, _: &Granted<Read>, ids: &[AccountId]) -> Result<Vec<AccountId>, Error> {
        let known = self.find_accounts(ids).await?;
        Ok(ids.iter().filter(|id| !known.contains_key(id)).cloned().collect())
    }

    /// Finds out that no account but this one has the name.
    async fn reserve_account_name(
        &self,
        name: &AccountName,
        id: &AccountId,
        now: Timestamp,
    ) -> Result<NameReservation, Error> {
        let text = name.sort_key();
        let key = Key::unique_name(Named::Account, &text);
        let reservation = NameReservation::read(&self.table, key, now).await?;
        let range = Range::AccountsNamed(text);
        let places = self.all_places(QuerySpec::all(&range)).await?;
        let named = self.find_accounts(places.iter().map(|(_, id)| id)).await?.into_values().map(|it| it.account);
        let other = named.filter(|account| name.matches(account)).find(|account| account.id != *id);
        match other {
            Some(other) => Err(Error::NameTaken(format!("the account {}", other.id))),
            None => Ok(reservation),
        }
    }
}
