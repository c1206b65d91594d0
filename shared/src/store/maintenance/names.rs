//! Repairs the rows by which groups and accounts are listed and found.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::scan::group_of_name;
use crate::domain::{AccountId, Error, GroupId};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::rows::{AccountItem, GroupItem, account_texts, external_id_row, from_row, list_entries, search_rows};
use crate::store::table::{Condition, MAX_ACTIONS, SIDE_BY_SIDE, Write, replace_rows};

impl Store {
    /// Makes the list entries and search rows of these groups those of their names, or removes them where a group is gone.
    /// A `Scan`, then one `GetItem` for each group and one transaction for each 99 wrong rows.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_names(&self, groups: &BTreeSet<GroupId>) -> Result<(), Error> {
        if groups.is_empty() {
            return Ok(());
        }
        let keep = |row: Attributes, found: &mut Vec<_>| {
            let group = Key::from_row(&row).and_then(|key| group_of_name(&key, &row));
            found.extend(group.filter(|group| groups.contains(group)).map(|group| (group, row)));
        };
        let mut rows: BTreeMap<GroupId, Vec<Attributes>> = BTreeMap::new();
        for (group, row) in self.table.scan(keep).await? {
            rows.entry(group).or_default().push(row);
        }
        let found = groups.iter().map(|group| (group, rows.remove(group).unwrap_or_default()));
        let repairs: Vec<_> = found.map(|(group, rows)| self.repair_name(group, rows)).collect();
        stream::iter(repairs).buffer_unordered(SIDE_BY_SIDE).try_collect().await
    }

    /// Replaces the rows found for a group. Requires that the group has not changed since it was read here.
    async fn repair_name(&self, id: &GroupId, found: Vec<Attributes>) -> Result<(), Error> {
        let Some(row) = self.table.get(&Key::group(id)).await? else {
            let writes = replace_rows(found, Vec::new());
            return self.delete_rows_of_missing_group(id, writes).await;
        };
        // A person decides about a row that cannot be decoded. The job of a group that is being deleted removes its rows.
        let group = from_row(row).and_then(|(key, item): (_, GroupItem)| item.active(&key));
        let Ok(Some(group)) = group else { return Ok(()) };
        let mut right = search_rows(id, &group.profile)?;
        right.extend(list_entries(id, &group.profile));
        if let Some(external_id) = &group.profile.external_id {
            right.push(external_id_row(external_id, id)?);
        }
        self.write_rows_of_name(&group, replace_rows(found, right)).await
    }

    /// Makes the rows by which these accounts are found those of their names and addresses. A `Scan`, then one `GetItem` and one
    /// transaction for each account.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_account_texts(&self, accounts: &BTreeSet<AccountId>) -> Result<(), Error> {
        if accounts.is_empty() {
            return Ok(());
        }
        let keep = |row: Attributes, found: &mut Vec<_>| {
            let account = Key::from_row(&row).and_then(|key| key.as_account_text()).map(|(_, account)| account);
            found.extend(account.filter(|account| accounts.contains(account)).map(|account| (account, row)));
        };
        let mut rows: BTreeMap<AccountId, Vec<Attributes>> = BTreeMap::new();
        for (account, row) in self.table.scan(keep).await? {
            rows.entry(account).or_default().push(row);
        }
        let found = accounts.iter().map(|account| (account, rows.remove(account).unwrap_or_default()));
        let repairs: Vec<_> = found.map(|(account, rows)| self.repair_texts_of(account, rows)).collect();
        stream::iter(repairs).buffer_unordered(SIDE_BY_SIDE).try_collect().await
    }

    /// Replaces the rows found for an account. Requires that the account has not changed since it was read here.
    async fn repair_texts_of(&self, id: &AccountId, found: Vec<Attributes>) -> Result<(), Error> {
        let key = Key::account(id);
        // A person decides about a row that cannot be decoded.
        let Ok(read) = self.table.get(&key).await?.map(from_row::<AccountItem>).transpose() else { return Ok(()) };
        let unchanged = match &read {
            Some((_, item)) => Condition::equals(Attribute::Version, item.version),
            None => Condition::row_absent(),
        };
        let account = read.and_then(|(_, item)| item.provisioned(id));
        let mut writes = replace_rows(found, account.as_ref().map(account_texts).unwrap_or_default());
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(MAX_ACTIONS - 1));
            writes.push(Write::Check(key.clone(), unchanged.clone()));
            if !self.table.transact(writes).await?.is_done() {
                return Ok(());
            }
            writes = rest;
        }
        Ok(())
    }

    async fn delete_rows_of_missing_group(&self, id: &GroupId, mut writes: Vec<Write>) -> Result<(), Error> {
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(MAX_ACTIONS - 1));
            writes.push(Write::require_no_row(Key::group(id)));
            if !self.table.transact(writes).await?.is_done() {
                return Ok(());
            }
            writes = rest;
        }
        Ok(())
    }
}
