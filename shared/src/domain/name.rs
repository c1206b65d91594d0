//! Names of groups, and the folding by which names and search terms are compared.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

use super::InvalidValue;

/// A group's name: trimmed, 1 to 256 characters (Unicode scalar values), at least one of them visible, no control
/// characters. Need not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 256;
    /// The rule for a name, to follow "must be" in a message.
    pub const EXPECTED: &'static str = "1 to 256 characters";

    /// Trims and checks a name.
    ///
    /// # Errors
    /// The name is empty after trimming, longer than 256 characters, has a control character or no visible one.
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
        if !text.chars().any(is_visible) {
            return Err(InvalidValue::new("has invisible characters only", "a name with a visible character"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the position of this name in a list by name.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        self.folded().sort_key()
    }

    /// Returns the folded name.
    #[must_use]
    pub fn folded(&self) -> FoldedText {
        FoldedText::fold(&self.0)
    }

    /// Returns the trimmed text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_visible(character: char) -> bool {
    !character.is_whitespace() && !is_ignorable(character)
}

/// Whether Unicode recommends to ignore a character in comparisons: soft hyphens, joiners, marks of direction.
fn is_ignorable(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Text in the form used for comparison: `NFKC_Casefold` of its canonical decomposition (The Unicode Standard, section 3.13). It
/// has no ignorable characters, and case folding and NFKC leave it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedText(String);

impl FoldedText {
    /// The longest search term, in characters before folding.
    pub const MAX_TERM_CHARS: usize = 64;

    /// Folds a name or a search term.
    #[must_use]
    pub fn fold(text: &str) -> Self {
        if text.is_ascii() {
            return Self(text.to_ascii_lowercase());
        }
        let nfkc = const { ComposingNormalizerBorrowed::new_nfkc() };
        let nfkd = const { DecomposingNormalizerBorrowed::new_nfkd() };
        let mut folded = text.to_owned();
        // Folding may decompose a letter, whose parts compose again and may then fold further.
        loop {
            folded.retain(|character| !is_ignorable(character));
            let next = nfkc.normalize(&CaseMapper::new().fold_string(&nfkd.normalize(&folded))).into_owned();
            if next == folded {
                return Self(folded);
            }
            folded = next;
        }
    }

    /// Trims and folds a search term. Returns `None` for one without a visible character.
    ///
    /// # Errors
    /// The trimmed term is longer than 64 characters.
    pub fn search_term(text: &str) -> Result<Option<Self>, InvalidValue> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_TERM_CHARS {
            return Err(InvalidValue::new("is longer than 64 characters", "1 to 64 characters"));
        }
        Ok(text.chars().any(is_visible).then(|| Self::fold(text)))
    }

    /// Returns the position of this text in a list by name.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        SortKey::cut(&self.0)
    }

    /// Whether this text contains the term.
    #[must_use]
    pub fn contains(&self, term: &Self) -> bool {
        self.0.contains(&term.0)
    }

    /// Whether no name can contain this text, because it has a control character.
    #[must_use]
    pub fn is_in_no_name(&self) -> bool {
        self.0.chars().any(char::is_control)
    }

    /// Returns the number of characters (Unicode scalar values).
    #[must_use]
    pub fn char_count(&self) -> usize {
        self.0.chars().count()
    }

    /// Returns the parts by which searches find this name: one suffix per position and gram length, without duplicates.
    ///
    /// A search term is looked up in the rows of its own length, from one character to [`Suffix::LONGEST_GRAM`].
    #[must_use]
    pub fn suffixes(&self) -> Vec<Suffix> {
        let positions: Vec<_> = self.0.char_indices().map(|(start, _)| &self.0[start..]).zip(self.repeats()).collect();
        let suffixes_of = |gram: usize| {
            let candidates = positions.iter().filter(move |(text, repeats)| {
                // A term of one or two characters finds the name at its first occurrence only.
                text.chars().nth(gram - 1).is_some() && (*repeats < gram || gram == Suffix::LONGEST_GRAM)
            });
            let suffix = move |(text, repeats): &(&str, usize)| {
                let text = SortKey::cut(text);
                // A suffix that repeats an earlier one over the whole key would be a second row with the same key.
                (*repeats < text.as_str().chars().count()).then_some(Suffix { gram, text, repeats: *repeats })
            };
            candidates.filter_map(suffix)
        };
        (1..=Suffix::LONGEST_GRAM).flat_map(suffixes_of).collect()
    }

    /// Returns for each position how many of the characters that begin there also occur at an earlier position.
    fn repeats(&self) -> Vec<usize> {
        let text: Vec<char> = self.0.chars().collect();
        let mut repeats = vec![0; text.len()];
        // If two characters are equal, their common prefix is one longer than that of their successors.
        let mut common = vec![0; text.len()];
        for position in (0..text.len()).rev() {
            for earlier in 0..position {
                common[earlier] = if text[earlier] == text[position] { common[earlier + 1] + 1 } else { 0 };
                repeats[position] = repeats[position].max(common[earlier]);
            }
        }
        repeats
    }

    /// Returns the folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A folded name from one of its characters to its end: one search row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suffix {
    /// The length of the search terms that find the name by this row: 1, 2, or 3 and more characters.
    pub gram: usize,
    /// The suffix itself, which orders the results of a search.
    pub text: SortKey,
    /// The number of leading characters that also occur earlier in the name. A term of at most this length finds the
    /// name by the earlier row instead.
    pub repeats: usize,
}

impl Suffix {
    /// Terms of this length and longer share their rows.
    pub const LONGEST_GRAM: usize = 3;
}

/// The position of a name in a list: at most [`SortKey::MAX_BYTES`] of its folded text. Names with the same sort key
/// are ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(String);

impl SortKey {
    /// A sort key of DynamoDB holds 1,024 bytes, of which a group id and a separator take 41.
    pub const MAX_BYTES: usize = 960;

    /// Cuts folded text to the maximum size, at a character boundary.
    #[must_use]
    pub fn cut(folded: &str) -> Self {
        Self(folded[..folded.floor_char_boundary(Self::MAX_BYTES)].to_owned())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folding_follows_unicode() {
        for (text, folded) in [
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("ﬁnance", "finance"),
            ("Ａ１", "a1"),
            ("e\u{301}", "é"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("İ", "i\u{307}"),
            ("𝔄", "a"),
            ("か\u{3099}", "が"),
            ("Μαΐου", "μαΐου"),
            ("ΜΑΪ\u{301}ΟΥ", "μαΐου"),
            ("ß\u{301}", "sś"),
            ("SS\u{301}", "sś"),
            ("soft\u{ad}hyphen", "softhyphen"),
            ("\u{200e}pasted\u{200b}", "pasted"),
        ] {
            assert_eq!(FoldedText::fold(text).as_str(), folded);
        }
    }

    /// Alone, and with marks that compose or change their order with it.
    #[test]
    fn every_letter_folds_as_its_upper_lower_and_title_case_do() {
        let mut letters = 0;
        let has_case = |letter: &char| {
            [letter.to_uppercase().to_string(), letter.to_lowercase().to_string()]
                != [letter.to_string(), letter.to_string()]
        };
        // Only the Turkic languages pair the dotless i with the Latin capital I. The iota below is a mark.
        let exceptions = ['ı', '\u{345}'];
        for letter in ('\0'..=char::MAX).filter(has_case).filter(|letter| !exceptions.contains(letter)) {
            for mark in ["", "\u{301}", "\u{308}\u{301}", "\u{301}\u{345}"] {
                let nfd = DecomposingNormalizerBorrowed::new_nfd();
                let text = nfd.normalize(&format!("{letter}{mark}")).into_owned();
                let title = format!("{}{mark}", CaseMapper::new().simple_titlecase(letter));
                for other in [text.to_uppercase(), text.to_lowercase(), title] {
                    letters += usize::from(other != text);
                    assert_eq!(FoldedText::fold(&other), FoldedText::fold(&text), "{letter:?} with {mark:?}");
                }
            }
        }
        assert!(letters > 10_000, "{letters}");
    }

    #[test]
    fn name_without_a_visible_character_is_invalid() {
        for name in ["\u{200b}", "\u{ad}\u{200e}", "\u{3164}", "\u{2060} \u{feff}"] {
            assert!(GroupName::parse(name).is_err(), "{name:?}");
            assert_eq!(FoldedText::search_term(name), Ok(None), "{name:?}");
        }
        assert_eq!(GroupName::parse("\u{200e}Finance").unwrap().as_str(), "\u{200e}Finance");
    }

    #[test]
    fn sort_key_is_cut_at_a_character_boundary() {
        assert_eq!(SortKey::cut(&"😀".repeat(300)).as_str(), "😀".repeat(240));
        assert_eq!(SortKey::cut(&"n".repeat(961)).as_str().len(), 960);
    }

    proptest! {
        #[test]
        fn folding_ignores_case_and_is_idempotent(text in "[a-zA-Zäöüß ]{0,20}") {
            let folded = FoldedText::fold(&text);
            prop_assert_eq!(&FoldedText::fold(&text.to_uppercase()), &folded);
            prop_assert_eq!(&FoldedText::fold(&text.to_lowercase()), &folded);
            prop_assert_eq!(&FoldedText::fold(folded.as_str()), &folded);
        }
    }
}
