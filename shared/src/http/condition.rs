//! Reads preconditions on the state of a resource: `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use std::fmt::Display;

use lambda_http::Request;
use lambda_http::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::ApiError;
use crate::api::{FieldError, ValidationErrors};
use crate::domain::{Error, GroupTag, InvalidValue, Precondition};

/// The maximum number of entity tags in a header: each may become part of a condition expression, whose size is limited.
pub const MAX_ENTITY_TAGS: usize = 20;

/// The entity tags in a header.
enum Tags {
    /// `*`: whichever state there is.
    Any,
    Some(Vec<EntityTag>),
}

impl Tags {
    fn contain(&self, state: &impl Display, weakly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Some(tags) => {
                let state = state.to_string();
                tags.iter().any(|it| it.text == state && (weakly || !it.is_weak))
            }
        }
    }
}

struct EntityTag {
    is_weak: bool,
    /// Without the quotes.
    text: String,
}

/// Returns the preconditions of a request that writes to a group.
///
/// # Errors
/// `If-Match` is not a list of up to 20 entity tags, or `If-None-Match` is not `*`.
pub fn precondition(request: &Request) -> Result<Precondition, ValidationErrors> {
    let only_at = match tags(request, &IF_MATCH)? {
        None | Some(Tags::Any) => None,
        // A weak tag never matches (RFC 9110, section 13.1.1).
        Some(Tags::Some(tags)) => {
            let strong = tags.iter().filter(|it| !it.is_weak);
            Some(strong.filter_map(|it| GroupTag::parse(&it.text)).collect())
        }
    };
    let only_new = match tags(request, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Some(_)) => {
            let invalid = InvalidValue::new("has entity tags in a request that writes", "*");
            return Err(FieldError::new(IF_NONE_MATCH_NAME, invalid).into());
        }
    };
    Ok(Precondition { only_at, only_new })
}

/// Checks the preconditions of a request that creates a group: no state of it can match yet.
///
/// # Errors
/// [`Error::VersionMismatch`] with `If-Match`; a header is not as [`precondition`] requires.
pub fn require_creation(request: &Request) -> Result<(), ApiError> {
    precondition(request)?;
    match tags(request, &IF_MATCH)? {
        Some(_) => Err(Error::VersionMismatch.into()),
        None => Ok(()),
    }
}

/// The preconditions of a request on the state that a resource has when it is read.
pub struct Conditions {
    only_at: Option<Tags>,
    only_unless_at: Option<Tags>,
}

impl Conditions {
    /// Reads `If-Match` and `If-None-Match`.
    ///
    /// # Errors
    /// A header is not a list of up to 20 entity tags.
    pub fn of(request: &Request) -> Result<Self, ValidationErrors> {
        Ok(Self { only_at: tags(request, &IF_MATCH)?, only_unless_at: tags(request, &IF_NONE_MATCH)? })
    }

    /// Returns whether the client of a request that reads already has the resource in this state.
    ///
    /// # Errors
    /// `changed`, when `If-Match` names other states.
    pub fn is_not_modified(&self, state: impl Display, changed: Error) -> Result<bool, Error> {
        if self.only_at.as_ref().is_some_and(|tags| !tags.contain(&state, false)) {
            return Err(changed);
        }
        Ok(self.only_unless_at.as_ref().is_some_and(|tags| tags.contain(&state, true)))
    }

    /// Checks that a request may write to the resource in this state.
    ///
    /// # Errors
    /// `changed`, when `If-Match` names other states; [`Error::Exists`], when `If-None-Match` names this one.
    pub fn check(&self, state: impl Display, changed: Error) -> Result<(), Error> {
        if self.is_not_modified(state, changed)? { Err(Error::Exists) } else { Ok(()) }
    }
}

const IF_MATCH_NAME: &str = "If-Match";
const IF_NONE_MATCH_NAME: &str = "If-None-Match";

fn tags(request: &Request, header: &HeaderName) -> Result<Option<Tags>, ValidationErrors> {
    let lines: Vec<&str> =
        request.headers().get_all(header).iter().map(|value| value.to_str().unwrap_or("not ASCII")).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let text = lines.join(",");
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let name = if header == IF_MATCH { IF_MATCH_NAME } else { IF_NONE_MATCH_NAME };
    let invalid = InvalidValue::new("is not a list of up to 20 entity tags", "an ETag, up to 20 of them, or *");
    let tags = entity_tags(&text).filter(|tags| (1..=MAX_ENTITY_TAGS).contains(&tags.len()));
    tags.map(|tags| Some(Tags::Some(tags))).ok_or_else(|| FieldError::new(name, invalid).into())
}

/// Parses a list of entity tags, which may have empty elements (RFC 9110, section 5.6.1). Returns `None` for a malformed one.
fn entity_tags(text: &str) -> Option<Vec<EntityTag>> {
    let mut tags = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            continue;
        }
        let is_weak = rest.starts_with("W/");
        let (opaque, after) = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        tags.push(EntityTag { is_weak, text: opaque.to_owned() });
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    Some(tags)
}
