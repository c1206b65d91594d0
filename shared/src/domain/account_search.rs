//! The texts by which accounts are listed and found.

use std::collections::BTreeSet;

use super::{Account, ExternalId, FoldedText, InvalidValue, ProvisionedAccount, SortKey};

/// The texts under which an account is listed and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTexts {
    /// The folded name: the place in the list of all accounts.
    pub name: SortKey,
    /// The folded e-mail address, if there is one.
    pub email: Option<SortKey>,
    /// The words of the name and of the address before its `@`, up to [`AccountTexts::MAX_WORDS`].
    pub words: BTreeSet<SortKey>,
    /// The id in the system that provisions it, as it is spelled.
    pub external_id: Option<SortKey>,
}

impl AccountTexts {
    /// The most words by which an account is found.
    pub const MAX_WORDS: usize = 16;
    /// The longest text, in bytes: a sort key has 1,024, of which an account id and a separator take 129.
    pub const MAX_BYTES: usize = 880;

    /// Returns the texts of an account.
    #[must_use]
    pub fn of(ProvisionedAccount { account, external_id, .. }: &ProvisionedAccount) -> Self {
        let (name, email) = (fold(&account.name), fold(&account.email));
        let all = words(&name).into_iter().chain(words(local_part(&email)));
        let mut words = BTreeSet::new();
        for word in all.map(cut) {
            if words.len() < Self::MAX_WORDS {
                words.insert(word);
            }
        }
        let external_id = external_id.as_ref().map(external_id_text);
        Self { name: cut(&name), email: (!email.is_empty()).then(|| cut(&email)), words, external_id }
    }

    /// Returns the first word that begins with this text: the one by which a search finds the account.
    #[must_use]
    pub fn first_word_with(&self, prefix: &str) -> Option<&SortKey> {
        self.words.iter().find(|word| word.as_str().starts_with(prefix))
    }
}

/// A term to search accounts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTerm {
    /// As folded.
    text: String,
}

impl AccountTerm {
    /// Trims and folds a term. Returns `None` for one without a visible character.
    ///
    /// # Errors
    /// The trimmed term is longer than 64 characters.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        let folded = FoldedText::search_term(text)?;
        Ok(folded.map(|folded| Self { text: without_controls(folded.as_str()) }))
    }

    /// Returns the folded term.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the longest word, which probably begins the fewest words of accounts. `None` for a term of nothing but punctuation.
    #[must_use]
    pub fn longest_word(&self) -> Option<&str> {
        words(local_part(&self.text)).into_iter().max_by_key(|word| word.len())
    }

    /// Whether each word of the term begins a word of the account's name or of its address before the `@`; for a term with an `@`,
    /// also whether the whole term begins the address.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        let (name, email) = (fold(&account.name), fold(&account.email));
        let of_account: Vec<&str> = words(&name).into_iter().chain(words(local_part(&email))).collect();
        let begins_one = |term: &str| of_account.iter().any(|word| word.starts_with(term));
        let is_address = self.text.contains('@');
        words(local_part(&self.text)).into_iter().all(begins_one) && (!is_address || email.starts_with(&self.text))
    }
}

/// An e-mail address to find accounts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailTerm(String);

impl EmailTerm {
    /// The longest address, in characters (RFC 5321, section 4.5.3.1.3, without the brackets).
    pub const MAX_CHARS: usize = 254;

    /// Trims and folds an address.
    ///
    /// # Errors
    /// The address is empty or longer than 254 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is empty or longer than 254 characters", "an e-mail address"));
        }
        Ok(Self(fold(text)))
    }

    /// Returns the text under which accounts with the address are found.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        cut(&self.0)
    }

    /// Whether the account has the address, in any case.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        fold(&account.email) == self.0
    }
}

/// The name of an account, to find it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Trims and folds a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(fold(name))
    }

    /// Returns the text under which accounts with the name are listed.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        cut(&self.0)
    }

    /// Whether the account has the name, in any case.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        fold(&account.name) == self.0
    }
}

/// Returns the text under which accounts with this external id are found.
#[must_use]
pub fn external_id_text(id: &ExternalId) -> SortKey {
    cut(id.as_str())
}

/// Folds a text of another system.
fn fold(text: &str) -> String {
    without_controls(FoldedText::fold(text.trim()).as_str())
}

/// Control characters separate the parts of keys.
fn without_controls(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn cut(text: &str) -> SortKey {
    SortKey::cut(&text[..text.floor_char_boundary(AccountTexts::MAX_BYTES)])
}

fn local_part(email: &str) -> &str {
    email.split_once('@').map_or(email, |(local, _)| local)
}

/// Marks and symbols beyond ASCII belong to words: in many scripts, words would fall apart without them.
fn words(text: &str) -> Vec<&str> {
    let is_between = |letter: char| letter.is_whitespace() || letter.is_ascii_punctuation();
    text.split(is_between).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, AccountVersion};

    fn account(name: &str, email: &str) -> ProvisionedAccount {
        let account = Account {
            id: AccountId::parse("acc-1").unwrap(),
            name: name.into(),
            email: email.into(),
            status: "active".into(),
            version: AccountVersion::EARLIEST,
        };
        ProvisionedAccount { account, external_id: None, created_at: None }
    }

    #[test]
    fn words_are_those_of_the_name_and_of_the_address_before_the_at() {
        let texts = AccountTexts::of(&account("Éva O'Neil-Kovács", "Eva.Kovacs+hr@company.com"));
        let words: Vec<&str> = texts.words.iter().map(SortKey::as_str).collect();
        assert_eq!(words, ["eva", "hr", "kovacs", "kovács", "neil", "o", "éva"]);
        assert_eq!(
            (texts.name.as_str(), texts.email.unwrap().as_str()),
            ("éva o'neil-kovács", "eva.kovacs+hr@company.com")
        );
    }

    #[test]
    fn texts_of_any_account_fit_a_key() {
        let long = "é".repeat(2_000);
        let texts = AccountTexts::of(&account(&long, &format!("{long}@x")));
        let sizes =
            [&texts.name, texts.email.as_ref().unwrap(), texts.words.first().unwrap()].map(|it| it.as_str().len());
        assert!(sizes.iter().all(|size| (800..=880).contains(size)), "{sizes:?}");
        let many: String = (0..100).map(|number| format!("word{number:03} ")).collect();
        assert_eq!(AccountTexts::of(&account(&many, "")).words.len(), AccountTexts::MAX_WORDS);
        assert_eq!(AccountTexts::of(&account("a\u{1}b", "")).name.as_str(), "a b");
    }

    #[test]
    fn term_matches_beginnings_of_words() {
        let jane = account("Jane Smith", "j.smith@company.com");
        let matches = |term: &str| AccountTerm::parse(term).unwrap().unwrap().matches(&jane.account);
        for term in ["jane", "SMI", "smith jane", "j.smith", "j.smith@comp", "jane smith", "J.Smith@company.com"] {
            assert!(matches(term), "{term}");
        }
        for term in ["ane", "company", "jane x", "smith@company", "j.smith@other"] {
            assert!(!matches(term), "{term}");
        }
        assert_eq!(AccountTerm::parse("j. smith@c").unwrap().unwrap().longest_word(), Some("smith"));
        assert_eq!(AccountTerm::parse("--").unwrap().unwrap().longest_word(), None);
    }
}
