//! Lists accounts, and finds them by the beginnings of words or by an e-mail address. Each account has a row for each of its words.

use std::collections::{BTreeSet, HashMap};

use crate::authz::{Granted, Read};
use crate::domain::{Account, AccountId, AccountTerm, AccountTexts, Cursor, EmailTerm, Error, Limit, Page};
use crate::store::Store;
use crate::store::keys::{AccountList, Key, Range};
use crate::store::pagination::{AccountPlace, Scope, cut_page};
use crate::store::rows::{AccountItem, from_row};
use crate::store::table::{QuerySpec, unreadable};

/// The accounts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Those with words that begin with these.
    pub term: Option<AccountTerm>,
    /// Those with this e-mail address.
    pub email: Option<EmailTerm>,
    /// Those with this status.
    pub status: Option<String>,
}

/// Rows read beyond those wanted, because an account may have two words with the same beginning.
const SPARE: usize = 4;

/// The most rows read in one request to the table, and in one list request.
const MOST_ROWS: usize = 1_100;
const MOST_ROWS_IN_ALL: usize = 5_000;

impl AccountFilter {
    fn matches(&self, account: &Account) -> bool {
        self.term.as_ref().is_none_or(|term| term.matches(account))
            && self.email.as_ref().is_none_or(|email| email.matches(account))
            && self.status.as_ref().is_none_or(|status| *status == account.status)
    }

    /// The list with the fewest rows that has every match; `None` where there can be none.
    fn list(&self) -> Option<(AccountList, Range)> {
        Some(match (&self.email, &self.term) {
            (Some(email), _) => (AccountList::Emails, Range::Email(email.sort_key())),
            (None, Some(term)) => (AccountList::Words, Range::Words(term.longest_word()?.to_owned())),
            (None, None) => (AccountList::All, Range::Accounts),
        })
    }

    /// Whether the account is listed at this place, and not at another as well.
    fn is_at(&self, account: &Account, place: &AccountPlace) -> bool {
        let texts = AccountTexts::of(account);
        let right = match (&self.email, &self.term) {
            (Some(_), _) => texts.email.as_ref(),
            (None, Some(term)) => term.longest_word().and_then(|word| texts.first_word_with(word)),
            (None, None) => Some(&texts.name),
        };
        right == Some(&place.0)
    }

    fn scope(&self) -> Scope {
        let term = self.term.as_ref().map_or("", AccountTerm::as_str);
        let email = self.email.as_ref().map(EmailTerm::sort_key);
        let email = email.as_ref().map_or("", |email| email.as_str());
        Scope::new("accounts", &[term, email, self.status.as_deref().unwrap_or_default()])
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
    ) -> Result<Page<Account>, Error> {
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
            let mut accounts = self.find_accounts(&places).await?;
            for place in places {
                let here = |account: &Account| filter.is_at(account, &place) && filter.matches(account);
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
        let place = |row| Key::from_row(row).and_then(|key| key.as_account_text()).ok_or_else(|| unreadable("row key"));
        Ok((rows.iter().map(place).collect::<Result<_, _>>()?, last.is_some()))
    }

    /// The accounts at these places, without those that were deleted.
    async fn find_accounts(&self, places: &[AccountPlace]) -> Result<HashMap<AccountId, Account>, Error> {
        let ids: BTreeSet<&AccountId> = places.iter().map(|(_, id)| id).collect();
        let keys: Vec<Key> = ids.into_iter().map(Key::account).collect();
        let account = |row| {
            let (key, item): (_, AccountItem) = from_row(row)?;
            let id = key.as_account().ok_or_else(|| unreadable("account row"))?;
            Ok(item.active(&id).map(|account| (id, account)))
        };
        let accounts: Result<Vec<_>, Error> = self.table.batch_get(&keys).await?.into_values().map(account).collect();
        Ok(accounts?.into_iter().flatten().collect())
    }
}
