//! The rows by which accounts are listed and found. They have only keys.

use crate::domain::{AccountTexts, ProvisionedAccount};
use crate::store::keys::{AccountList, Attributes, Key};

/// The rows of an account: its place in the list, its e-mail address, its words, and its id in the system that provisions it.
pub(in crate::store) fn account_texts(provisioned: &ProvisionedAccount) -> Vec<Attributes> {
    let AccountTexts { name, email, words, external_id } = AccountTexts::of(provisioned);
    let all = std::iter::once((AccountList::All, name));
    let all = all.chain(email.map(|email| (AccountList::Emails, email)));
    let all = all.chain(words.into_iter().map(|word| (AccountList::Words, word)));
    let all = all.chain(external_id.map(|id| (AccountList::ExternalIds, id)));
    all.map(|(list, text)| Key::account_text(list, &text, &provisioned.account.id).to_attributes()).collect()
}
