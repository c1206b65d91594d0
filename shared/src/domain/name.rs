//! Names of groups, and the one way that names and search terms are compared.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;

use super::InvalidValue;

/// A group's name: trimmed, 1 to 256 characters (Unicode scalar values), no control characters. Need not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// Characters in the longest name.
    pub const MAX_CHARS: usize = 256;
    /// What a name is, after "must be".
    pub const EXPECTED: &'static str = "1 to 256 characters";

    /// Trims and checks a name.
    ///
    /// # Errors
    /// Empty after trimming, longer than 256 characters, or with a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidValue::new("is empty", Self::EXPECTED));
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidValue::new("is longer than 256 characters", Self::EXPECTED));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidValue::new("has a control character", "free of control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Its place in an order by name.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        self.folded().sort_key()
    }

    /// The name as it is compared.
    #[must_use]
    pub fn folded(&self) -> FoldedText {
        FoldedText::of(&self.0)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text as it is compared: Unicode NFKC (UAX #15), then full case folding (The Unicode Standard, section 3.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedText(String);

impl FoldedText {
    /// Characters in the longest search term.
    pub const MAX_TERM_CHARS: usize = 64;

    /// Folds a name or a search term.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let normal = const { ComposingNormalizerBorrowed::new_nfkc() }.normalize(text);
        Self(CaseMapper::new().fold_string(&normal).into_owned())
    }

    /// Folds a search term after trimming: `None` when nothing is left.
    ///
    /// # Errors
    /// Longer than 64 characters.
    pub fn search_term(text: &str) -> Result<Option<Self>, InvalidValue> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_TERM_CHARS {
            return Err(InvalidValue::new("is longer than 64 characters", "1 to 64 characters"));
        }
        Ok((!text.is_empty()).then(|| Self::of(text)))
    }

    /// The place of this text in an order by name.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        SortKey::cut(&self.0)
    }

    /// Whether the term is any part of this text.
    #[must_use]
    pub fn contains(&self, term: &Self) -> bool {
        self.0.contains(&term.0)
    }

    /// Whether no name holds this text: it has a character that names are free of.
    #[must_use]
    pub fn is_in_no_name(&self) -> bool {
        self.0.chars().any(char::is_control)
    }

    /// Its characters (Unicode scalar values).
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// What a search may find it by: the text from each of its characters on, for terms of one character, of two, and of
    /// three and more.
    #[must_use]
    pub fn suffixes(&self) -> Vec<Suffix> {
        let places: Vec<_> = self.0.char_indices().map(|(start, _)| &self.0[start..]).zip(self.repeats()).collect();
        let of_gram = |gram: usize| {
            let stand = places.iter().filter(move |(text, repeats)| {
                // Who is looked for by less than three characters is found at the first place that has them.
                text.chars().nth(gram - 1).is_some() && (*repeats < gram || gram == Suffix::LONGEST_GRAM)
            });
            let suffix = move |(text, repeats): &(&str, usize)| {
                let text = SortKey::cut(text);
                // What begins earlier as far as a key can tell has its key there: no two rows of a name have the same.
                (*repeats < text.as_str().chars().count()).then_some(Suffix { gram, text, repeats: *repeats })
            };
            stand.filter_map(suffix)
        };
        (1..=Suffix::LONGEST_GRAM).flat_map(of_gram).collect()
    }

    /// For each character, how much of what begins there begins earlier in the text as well.
    fn repeats(&self) -> Vec<usize> {
        let text: Vec<char> = self.0.chars().collect();
        let mut repeats = vec![0; text.len()];
        // What two places have in common is one more than what the places behind them have, where they agree.
        let mut common = vec![0; text.len()];
        for place in (0..text.len()).rev() {
            for earlier in 0..place {
                common[earlier] = if text[earlier] == text[place] { common[earlier + 1] + 1 } else { 0 };
                repeats[place] = repeats[place].max(common[earlier]);
            }
        }
        repeats
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name from one of its characters on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suffix {
    /// Characters of the terms that find the name here: one, two, or three and more.
    pub gram: usize,
    /// Its place in the order of a search.
    pub text: SortKey,
    /// Characters at its beginning that occur earlier in the name as well: a term of no more than these finds the name
    /// there, and not here.
    pub repeats: usize,
}

impl Suffix {
    /// From so many characters on, terms have their places in common.
    pub const LONGEST_GRAM: usize = 3;
}

/// The place of a name in an order: folded text, at most [`SortKey::MAX_BYTES`] of it. Names that agree so far are
/// ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(String);

impl SortKey {
    /// A sort key of DynamoDB holds 1,024 bytes; a group id and a separator want 41 of them.
    pub const MAX_BYTES: usize = 960;

    /// The text, cut at a character boundary.
    #[must_use]
    pub fn cut(folded: &str) -> Self {
        Self(folded[..folded.floor_char_boundary(Self::MAX_BYTES)].to_owned())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
