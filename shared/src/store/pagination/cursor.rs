//! Cursors: the position after which a list goes on, bound to that list.
//!
//! A cursor is URL-safe base64 of a position and the first 16 bytes of SHA-256 over the list's scope and that position.
//! The digest no longer matches when a cursor is altered, truncated or used for another list. It needs no secret: a forged
//! position only starts elsewhere in a list that its caller may read from the beginning (docs/decisions/0003).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::{AccountId, AccountTexts, Cursor, Error, GroupId, SortKey};

const DIGEST_BYTES: usize = 16;

/// The list that a cursor belongs to, with its filters. The page's size is not part of it.
pub(in crate::store) struct Scope(Sha256);

impl Scope {
    /// The scope of the list of that name with these filters.
    pub(in crate::store) fn new(list: &str, filters: &[&str]) -> Self {
        let mut digest = Sha256::new_with_prefix("groups-api cursor 1");
        for part in std::iter::once(&list).chain(filters) {
            // The lengths separate the parts.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest)
    }

    fn digest(&self, position: &[u8]) -> [u8; DIGEST_BYTES] {
        let digest = self.0.clone().chain_update(position).finalize();
        let mut first = [0; DIGEST_BYTES];
        first.copy_from_slice(&digest[..DIGEST_BYTES]);
        first
    }

    /// The cursor for the page after this position.
    pub(in crate::store) fn cursor(&self, position: &impl Position) -> Cursor {
        let position = position.to_bytes();
        let bytes = [self.digest(&position).as_slice(), &position].concat();
        Cursor(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position in the cursor.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub(in crate::store) fn position<P: Position>(&self, cursor: &Cursor) -> Result<P, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(&cursor.0).map_err(|_| Error::ForeignCursor)?;
        let (digest, position) = bytes.split_at_checked(DIGEST_BYTES).ok_or(Error::ForeignCursor)?;
        let own = digest == self.digest(position).as_slice();
        own.then(|| P::from_bytes(position)).flatten().ok_or(Error::ForeignCursor)
    }
}

/// A position in a list.
pub(in crate::store) trait Position: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Position for (SortKey, GroupId) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.1.as_bytes(), self.0.as_str().as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, key) = bytes.split_first_chunk::<16>()?;
        Some((SortKey::cut(str::from_utf8(key).ok()?), GroupId::from_bytes(*id)))
    }
}

impl Position for (SortKey, AccountId) {
    fn to_bytes(&self) -> Vec<u8> {
        // No id has a space.
        format!("{} {}", self.1, self.0.as_str()).into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, key) = str::from_utf8(bytes).ok()?.split_once(' ')?;
        (key.len() <= AccountTexts::MAX_BYTES).then_some((SortKey::cut(key), AccountId::parse(id)?))
    }
}

/// A position in a history: its time, then the subject and the number of its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct HistoryPlace(String);

impl HistoryPlace {
    /// A time, an account id and a number, with two separators.
    const MAX_BYTES: usize = 20 + AccountId::MAX_CHARS + 12 + 2;

    pub(in crate::store) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(in crate::store) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Position for HistoryPlace {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        str::from_utf8(bytes).ok().filter(|text| text.len() <= Self::MAX_BYTES).map(Self::new)
    }
}

impl Position for GroupId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }
}

impl Position for AccountId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::parse(str::from_utf8(bytes).ok()?)
    }
}
