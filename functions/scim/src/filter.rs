//! Filters (RFC 7644, section 3.4.2.2). The whole grammar is parsed; `eq` and `and` are answered, on the attributes that have an index.

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, PatchPath};

use crate::error::ScimError;

/// An attribute that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    ExternalId,
    UserName,
    DisplayName,
    Email,
}

/// A condition: the field has this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) field: Field,
    pub(crate) value: String,
}

const ANSWERED: &str = "only eq, joined by and, on id, externalId, userName, displayName and emails.value, such as userName eq \"jane@example.com\"";

impl Field {
    fn of(path: &AttrPath) -> Option<Self> {
        let sub = path.sub_attr.as_deref().unwrap_or_default();
        let name = format!("{}.{sub}", path.name).to_ascii_lowercase();
        Some(match name.as_str() {
            "id." => Self::Id,
            "externalid." => Self::ExternalId,
            "username." => Self::UserName,
            "displayname." => Self::DisplayName,
            "emails." | "emails.value" => Self::Email,
            _ => return None,
        })
    }
}

/// Parses a filter. All of its conditions must hold.
pub(crate) fn conditions(text: &str) -> Result<Vec<Condition>, ScimError> {
    let invalid = |filter: &str| ScimError::bad_request("invalidFilter", format!("{filter} must have {ANSWERED}"));
    let filter: Filter = quote_bare_words(text).parse().map_err(|_| invalid("filter cannot be parsed; it"))?;
    let mut conditions = Vec::new();
    collect(filter, &mut conditions).ok_or_else(|| invalid("filter"))?;
    Ok(conditions)
}

fn collect(filter: Filter, conditions: &mut Vec<Condition>) -> Option<()> {
    match filter {
        Filter::And(parts) => parts.into_iter().try_for_each(|part| collect(part, conditions)),
        Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(value))) => {
            conditions.push(Condition { field: Field::of(&path)?, value });
            Some(())
        }
        _ => None,
    }
}

/// Parses the path of a patch operation.
pub(crate) fn path(text: &str) -> Result<PatchPath, ScimError> {
    let must_be = "it must be an attribute, such as displayName, or values of one, such as members[value eq \"id\"]";
    let invalid = |_| ScimError::bad_request("invalidPath", format!("path {text} cannot be parsed; {must_be}"));
    quote_bare_words(text).parse().map_err(invalid)
}

/// Quotes the values of comparisons that are bare words: Microsoft Entra sends `externalId eq jyoung`.
fn quote_bare_words(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    let mut follows_operator = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            _ if first.is_whitespace() || "()[]".contains(first) => first.len_utf8(),
            _ => rest.find(|c: char| c.is_whitespace() || "()[]".contains(c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        let is_literal = first == '"' || matches!(token, "true" | "false" | "null") || token.parse::<f64>().is_ok();
        let is_gap = first.is_whitespace();
        if follows_operator && !is_gap && !is_literal && !"()[]".contains(first) {
            quoted.push_str(&serde_json::Value::from(token).to_string());
        } else {
            quoted.push_str(token);
        }
        follows_operator = (is_gap && follows_operator) || (!is_gap && is_operator(token));
        rest = after;
    }
    quoted
}

/// The length of the string that a text begins with, with its quotes.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        if character == '"' && !is_escaped {
            return index + 1;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    text.len()
}

fn is_operator(token: &str) -> bool {
    ["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"].contains(&token.to_ascii_lowercase().as_str())
}
