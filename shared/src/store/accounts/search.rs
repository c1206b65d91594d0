//! Lists accounts, and finds them by the beginnings of words or by an e-mail address. Each account has a row for each of its words.

use std::collections::{BTreeSet, HashMap};

use crate::authz::{Granted, Read};
use crate::domain::account_search::external_id_text;
use crate::domain::{
    AccountId, AccountName, AccountTerm, AccountTexts, Cursor, EmailTerm, Error, ExternalId, Limit, Page,
    ProvisionedAccount, SortKey,
};
use crate::store::Store;
use crate::store::keys::{AccountList, Attributes, Key, Range};
use crate::store::pagination::{AccountPlace, Scope, cut_page};
use crate::store::rows::{AccountItem, from_row};
use crate::store::table::{QuerySpec, unreadable};

/// The accounts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Those with words that begin with these.
    pub term: Option<AccountTerm>,
    /// Those with this name.
    pub name: Option<AccountName>,
    /// Those with this e-mail address.
    pub email: Option<EmailTerm>,
    /// Those with this status.
    pub status: Option<String>,
    /// Those with this id in the system that provisions them.
    pub external_id: Option<ExternalId>,
}

/// Rows read beyond those wanted, because an account may have two words with the same beginning.
const SPARE: usize = 4;

/// The most rows read in one request to the table, and in one list request.
const MOST_ROWS: usize = 1_100;
const MOST_ROWS_IN_ALL: usize = 5_000;

impl AccountFilter {
    fn matches(&self, ProvisionedAccount { account, external_id, .. }: &ProvisionedAccount) -> bool {
        self.term.as_ref().is_none_or(|term| term.matches(account))
            && self.name.as_ref().is_none_or(|name| name.matches(account))
            && self.email.as_ref().is_none_or(|email| email.matches(account))
            && self.status.as_ref().is_none_or(|status| *status == account.status)
            && self.external_id.as_ref().is_none_or(|id| external_id.as_ref() == Some(id))
    }

    /// The list with the fewest rows that has every match; `None` where there can be none.
    fn list(&self) -> Option<(AccountList, Range)> {
        if let Some(id) = &self.external_id {
            return Some((AccountList::ExternalIds, Range::AccountExternalId(external_id_text(id))));
        }
        if let Some(name) = &self.name {
            return Some((AccountList::All, Range::AccountsNamed(name.sort_key())));
        }
        Some(match (&self.email, &self.term) {
            (Some(email), _) => (AccountList::Emails, Range::Email(email.sort_key())),
            (None, Some(term)) => (AccountList::Words, Range::Words(term.longest_word()?.to_owned())),
            (None, None) => (AccountList::All, Range::Accounts),
        })
    }

    /// Whether the account is listed at this place of this list, and not at another as well.
    fn is_at(&self, account: &ProvisionedAccount, list: AccountList, place: &AccountPlace) -> bool {
        let texts = AccountTexts::of(account);
        let right = match list {
            AccountList::All => Some(&texts.name),
            AccountList::Emails => texts.email.as_ref(),
            AccountList::ExternalIds => texts.external_id.as_ref(),
            AccountList::Words => {
                let word = self.term.as_ref().and_then(AccountTerm::longest_word);
                word.and_then(|word| texts.first_word_with(word))
            }
        };
        right == Some(&place.0)
    }

    fn scope(&self) -> Scope {
        let term = self.term.as_ref().map_or("", AccountTerm::as_str);
        let email = self.email.as_ref().map(EmailTerm::sort_key);
        let email = email.as_ref().map_or("", |email| email.as_str());
        let status = self.status.as_deref().unwrap_or_default();
        let name = self.name.as_ref().map(AccountName::sort_key);
        let external_id = self.external_id.as_ref().map(ExternalId::as_str);
        // A cursor of an earlier version has neither of these two.
        let others = [name.as_ref().map(SortKey::as_str), external_id].map(Option::unwrap_or_default);
        let others: &[&str] = if others == [""; 2] { &[] } else { &others };
        Scope::new("accounts", &[&[term, email, status], others].concat())
    }
}

impl Store {
    /// Lists accounts: by name or, with a term, by the word that begins with its longest word; then by id. One `Query` and a
    /// `BatchGetItem` for each hundred accounts, side by side; strongly consistent. Both repeat while accounts that the index
    /// finds do not match, up to 5,000 rows: a page may then be short, or empty, and still have a cursor.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn list_accounts(
        &self,
        _: &Granted<Read>,
        filter: &AccountFilter,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<ProvisionedAccount>, Error> {
        let scope = filter.scope();
        let mut after: Option<AccountPlace> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let Some((list, range)) = filter.list() else { return Ok(Page { items: Vec::new(), next: None }) };
        // DynamoDB rejects a position outside the range: a forged cursor must not look like an internal error.
        if after.as_ref().is_some_and(|(text, id)| !range.contains(&Key::account_text(list, text, id))) {
            return Err(Error::ForeignCursor);
        }
        let wanted = limit.items() + 1;
        let (mut found, mut rows, mut there_are_more) = (Vec::new(), 0, true);
        while there_are_more && found.len() < wanted && rows < MOST_ROWS_IN_ALL {
            // Fewer than wanted match: reads more at once each time.
            let most = (wanted - found.len() + SPARE).max(4 * rows).min(MOST_ROWS);
            let places;
            (places, there_are_more) = self.account_places(list, &range, after.as_ref(), most).await?;
            rows += places.len();
            after = places.last().cloned().or(after);
            let mut accounts = self.find_accounts(places.iter().map(|(_, id)| id)).await?;
            for place in places {
                let here = |it: &ProvisionedAccount| filter.is_at(it, list, &place) && filter.matches(it);
                if accounts.get(&place.1).is_some_and(here) {
                    found.extend(accounts.remove(&place.1).map(|account| (place, account)));
                }
            }
        }
        let mut page = cut_page(found, limit, &scope, |(place, _)| place.clone());
        if there_are_more && page.next.is_none() {
            page.next = after.map(|place| scope.cursor(&place));
        }
        Ok(Page { items: page.items.into_iter().map(|(_, account)| account).collect(), next: page.next })
    }

    /// The next places of a list, and whether there are more.
    async fn account_places(
        &self,
        list: AccountList,
        range: &Range,
        after: Option<&AccountPlace>,
        most: usize,
    ) -> Result<(Vec<AccountPlace>, bool), Error> {
        let after = after.map(|(text, account)| Key::account_text(list, text, account));
        let (rows, last) =
            self.table.query_page(QuerySpec { after, wanted: Some(most), ..QuerySpec::all(range) }).await?;
        Ok((rows.iter().map(place_of).collect::<Result<_, _>>()?, last.is_some()))
    }

    /// All places that the spec selects.
    pub(super) async fn all_places(&self, spec: QuerySpec<'_>) -> Result<Vec<AccountPlace>, Error> {
        self.table.query(spec).await?.iter().map(place_of).collect()
    }

    /// Returns the accounts from the place `skip` of the list of all accounts by name on, and how many accounts there are. One `Query`
    /// for each megabyte of the list, of some 10,000 accounts; then a `BatchGetItem` for each hundred of the page, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub async fn numbered_accounts(
        &self,
        _: &Granted<Read>,
        skip: usize,
        count: usize,
    ) -> Result<(Vec<ProvisionedAccount>, usize), Error> {
        let all = self.all_places(QuerySpec::all(&Range::Accounts)).await?;
        let ids = || all.iter().skip(skip).take(count).map(|(_, id)| id);
        let mut accounts = self.find_accounts(ids()).await?;
        Ok((ids().filter_map(|id| accounts.remove(id)).collect(), all.len()))
    }

    /// Those of the accounts that exist, which are not deleted. Each is read once.
    pub(super) async fn find_accounts(
        &self,
        ids: impl IntoIterator<Item = &AccountId>,
    ) -> Result<HashMap<AccountId, ProvisionedAccount>, Error> {
        let ids: BTreeSet<&AccountId> = ids.into_iter().collect();
        let keys: Vec<Key> = ids.into_iter().map(Key::account).collect();
        let account = |row| {
            let (key, item): (_, AccountItem) = from_row(row)?;
            let id = key.as_account().ok_or_else(|| unreadable("account row"))?;
            Ok(item.provisioned(&id).map(|account| (id, account)))
        };
        let accounts: Result<Vec<_>, Error> = self.table.batch_get(&keys).await?.into_values().map(account).collect();
        Ok(accounts?.into_iter().flatten().collect())
    }
}

fn place_of(row: &Attributes) -> Result<AccountPlace, Error> {
    Key::from_row(row).and_then(|key| key.as_account_text()).ok_or_else(|| unreadable("row key"))
}
