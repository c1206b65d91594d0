//! Lists of entries, newest first.

use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, GroupId, HistoryEntry, Limit, Missing, Page, Period};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::pagination::{HistoryPlace, Scope, cut_page};
use crate::store::rows::HistoryItem;
use crate::store::table::{Condition, QuerySpec, Row, unreadable};

/// The most megabytes of rows that a list with a filter reads for one response: some 100,000 entries.
const MAX_MEGABYTES: usize = 32;

impl Store {
    /// Lists the changes of a group, of its members and of its nestings, newest first, also of a group that was deleted. With `account`,
    /// only those of its membership, from the account's history: a page may then have fewer entries than wanted, or none, and still a
    /// cursor. One `Query`; one `BatchGetItem` more when there is no entry.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_group_history(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        account: Option<&AccountId>,
        period: Period,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<HistoryEntry>, Error> {
        let of_account = account.map_or("", AccountId::as_str);
        let scope = scope("history of group", &[&group.to_string(), of_account], period);
        let page = match account {
            None => {
                let key = |place: &str| Key::in_group_history(group, place);
                self.page_of_history(Range::GroupHistory(*group, period), None, key, limit, &scope, after).await?
            }
            Some(account) => {
                let key = |place: &str| Key::in_account_history(account, place);
                let filter = Some(Condition::equals(Attribute::GroupId, group.to_string()));
                let range = Range::AccountHistory(account.clone(), period);
                self.page_of_history(range, filter, key, limit, &scope, after).await?
            }
        };
        if page.items.is_empty() {
            let rows = self.table.batch_get(&[Key::group(group), Key::deleted_group(group)]).await?;
            if rows.is_empty() {
                return Err(Missing::Group.into());
            }
        }
        Ok(page)
    }

    /// Lists the changes of an account's memberships, newest first, also of an account that was deleted. One `Query`; one `GetItem`
    /// more when there is no entry.
    ///
    /// # Errors
    /// [`Missing::Account`], [`Error::ForeignCursor`].
    pub async fn list_account_history(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        period: Period,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<HistoryEntry>, Error> {
        let scope = scope("history of account", &[account.as_str()], period);
        let key = |place: &str| Key::in_account_history(account, place);
        let range = Range::AccountHistory(account.clone(), period);
        let page = self.page_of_history(range, None, key, limit, &scope, after).await?;
        if page.items.is_empty() && self.table.get(&Key::account(account)).await?.is_none() {
            return Err(Missing::Account(account.to_string()).into());
        }
        Ok(page)
    }

    async fn page_of_history(
        &self,
        range: Range,
        filter: Option<Condition>,
        key: impl Fn(&str) -> Key,
        limit: Limit,
        scope: &Scope,
        after: Option<&Cursor>,
    ) -> Result<Page<HistoryEntry>, Error> {
        let after: Option<HistoryPlace> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let after = after.map(|place| key(place.as_str()));
        // DynamoDB rejects a position outside the range: a forged cursor must not look like an internal error.
        if after.as_ref().is_some_and(|after| !range.contains(after)) {
            return Err(Error::ForeignCursor);
        }
        let wanted = limit.items() + 1;
        let spec = QuerySpec {
            after,
            wanted: Some(wanted),
            pages: MAX_MEGABYTES,
            filter,
            is_reversed: true,
            ..QuerySpec::all(&range)
        };
        let (rows, last) = self.table.query_typed_part::<HistoryItem>(spec).await?;
        let entry = |row: Row<HistoryItem>| {
            let place = row.key.history_position().map(HistoryPlace::new).ok_or_else(|| unreadable("history row"))?;
            Ok((place, HistoryItem::entry(row)?))
        };
        let entries = rows.all()?.into_iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
        let page = cut_page(entries, limit, scope, |(place, _)| place.clone());
        // More entries follow that were not read, even where none of those read is selected.
        let last = last.as_ref().and_then(Key::history_position).map(HistoryPlace::new);
        let next = page.next.or_else(|| last.map(|place| scope.cursor(&place)));
        Ok(Page { items: page.items.into_iter().map(|(_, entry)| entry).collect(), next })
    }
}

/// The scope of a history: the list, and the period.
fn scope(list: &str, filters: &[&str], Period { since, until }: Period) -> Scope {
    let [since, until] = [since, until].map(|bound| bound.map_or_else(String::new, |bound| bound.to_string()));
    Scope::new(list, &[filters, &[&since, &until]].concat())
}
