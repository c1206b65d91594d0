//! The rows by which accounts are listed and found. They have only keys.

use crate::domain::{Account, AccountTexts};
use crate::store::keys::{AccountList, Attributes, Key};

/// The rows of an account: its place in the list, its e-mail address, and its words.
pub(in crate::store) fn account_texts(account: &Account) -> Vec<Attributes> {
    let AccountTexts { name, email, words } = AccountTexts::of(account);
    let all = std::iter::once((AccountList::All, name));
    let all = all.chain(email.map(|email| (AccountList::Emails, email)));
    let all = all.chain(words.into_iter().map(|word| (AccountList::Words, word)));
    all.map(|(list, text)| Key::account_text(list, &text, &account.id).to_attributes()).collect()
}
