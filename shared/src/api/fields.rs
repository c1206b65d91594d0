//! Parses the fields of a JSON object and collects all validation errors.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use crate::domain::InvalidValue;

/// One validation error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field, parameter or header.
    pub field: String,
    /// The defect and the rule.
    pub invalid: InvalidValue,
}

impl FieldError {
    /// Returns an error of this field, parameter or header.
    #[must_use]
    pub fn new(field: impl Into<String>, invalid: InvalidValue) -> Self {
        Self { field: field.into(), invalid }
    }
}

/// All validation errors of a request; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationErrors(pub Vec<FieldError>);

impl From<FieldError> for ValidationErrors {
    fn from(error: FieldError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ValidationErrors {
    /// Writes one sentence with the rule for every invalid field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, FieldError { field, invalid }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field} must be {}", invalid.expected)?;
        }
        Ok(())
    }
}

const OBJECT: &str = "a JSON object";

/// The fields of one JSON object, to be taken out one by one.
#[derive(Debug)]
pub struct Fields {
    prefix: &'static str,
    remaining: Vec<(String, Value)>,
    /// The fields that the parser asked for.
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

/// A JSON object as its fields in order, duplicates included: a map would silently keep the last of them.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(OBJECT)
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

impl Fields {
    /// Parses a body that holds a JSON object.
    ///
    /// # Errors
    /// The body is empty, not JSON, or JSON of another type.
    pub fn from_body(body: &[u8]) -> Result<Self, ValidationErrors> {
        let invalid_body = |reason| ValidationErrors::from(FieldError::new("body", InvalidValue::new(reason, OBJECT)));
        if body.is_empty() {
            return Err(invalid_body("is empty"));
        }
        let Object(pairs) =
            serde_json::from_slice(body).map_err(|error| FieldError::new("body", invalid_json(&error)))?;
        Ok(Self::from_pairs("", pairs))
    }

    /// Reads an object inside another one. In errors, `prefix` is put before the names of its fields.
    ///
    /// # Errors
    /// The value is not an object.
    pub fn from_value(value: Value, name: &'static str, prefix: &'static str) -> Result<Self, ValidationErrors> {
        match value {
            Value::Object(map) => Ok(Self::from_pairs(prefix, map.into_iter().collect())),
            _ => Err(FieldError::new(name, InvalidValue::new("is JSON of another type", OBJECT)).into()),
        }
    }

    fn from_pairs(prefix: &'static str, pairs: Vec<(String, Value)>) -> Self {
        let remaining = Vec::with_capacity(pairs.len());
        let mut fields = Self { prefix, remaining, known: Vec::new(), errors: Vec::new() };
        let mut seen = HashSet::with_capacity(pairs.len());
        for (name, value) in pairs {
            if seen.insert(name.clone()) {
                fields.remaining.push((name, value));
            } else {
                fields.error(&name, InvalidValue::new("is given more than once", "given once"));
            }
        }
        fields
    }

    /// Adds an error of a field.
    pub fn error(&mut self, name: &str, invalid: InvalidValue) {
        let field = format!("{}{name}", self.prefix);
        self.errors.push(FieldError { field, invalid });
    }

    /// Takes a field out. Returns `None` when it is absent.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let index = self.remaining.iter().position(|(field, _)| field == name)?;
        Some(self.remaining.remove(index).1)
    }

    /// Takes a string out and parses it. Returns `None` when it is absent or invalid.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let result = match self.take(name)? {
            Value::String(text) => parse(&text),
            Value::Null => Err(InvalidValue::new("is null", expected)),
            _ => Err(InvalidValue::new("is not a string", expected)),
        };
        result.map_err(|invalid| self.error(name, invalid)).ok()
    }

    /// Like [`Self::optional`], but an absent field is an error.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        if !self.remaining.iter().any(|(field, _)| field == name) {
            self.error(name, InvalidValue::new("is missing", expected));
        }
        self.optional(name, expected, parse)
    }

    /// Takes a string out that may be null, for none. Returns `None` when it is absent or invalid.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<Option<T>> {
        match self.remaining.iter().any(|(field, value)| field == name && value.is_null()) {
            true => self.take(name).map(|_| None),
            false => self.optional(name, expected, parse).map(Some),
        }
    }

    /// Takes a boolean out. Returns `None` when it is absent or invalid.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        if value.as_bool().is_none() {
            self.error(name, InvalidValue::new("is not a boolean", "true or false"));
        }
        value.as_bool()
    }

    /// Takes a list of strings out. Returns an empty list when it is absent or invalid.
    pub fn strings(&mut self, name: &'static str) -> Vec<String> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        serde_json::from_value(value).unwrap_or_else(|_| {
            self.error(name, InvalidValue::new("is not a list of strings", "a list of account ids"));
            Vec::new()
        })
    }

    /// Takes a list of strings out that must be there. Returns `None` when it is absent or invalid.
    pub fn required_strings(&mut self, name: &'static str, expected: &'static str) -> Option<Vec<String>> {
        let Some(value) = self.take(name) else {
            self.error(name, InvalidValue::new("is missing", expected));
            return None;
        };
        let strings = serde_json::from_value(value).ok();
        if strings.is_none() {
            self.error(name, InvalidValue::new("is not a list of strings", expected));
        }
        strings
    }

    /// Returns `value` when there was no error. `unknown` says how to handle the fields that were not taken.
    ///
    /// `value` may be `None` only when a required field is invalid.
    ///
    /// # Errors
    /// All errors collected so far.
    pub fn finish<T>(mut self, unknown: UnknownFields<'_>, value: Option<T>) -> Result<T, ValidationErrors> {
        if let UnknownFields::Rejected { read_only } = unknown {
            for (name, _) in std::mem::take(&mut self.remaining) {
                let is_read_only = read_only.contains(&name.as_str());
                let read_only = InvalidValue::new("is read-only", "left out");
                self.error(&name, if is_read_only { read_only } else { unknown_name(&name, &self.known) });
            }
        }
        value.filter(|_| self.errors.is_empty()).ok_or(ValidationErrors(self.errors))
    }
}

fn invalid_json(error: &serde_json::Error) -> InvalidValue {
    if error.is_data() {
        return InvalidValue::new("is JSON of another type", OBJECT);
    }
    let place = format!("is not readable as JSON at line {}, column {}", error.line(), error.column());
    InvalidValue::because(place, OBJECT)
}

/// The error of a field or parameter that has none of the known names. Suggests one that is written in a similar way.
#[must_use]
pub fn unknown_name(name: &str, known: &[&str]) -> InvalidValue {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let plain_name = plain(name);
    let similar = known.iter().filter_map(|known| {
        let plain_known = plain(known);
        let distance = strsim::osa_distance(&plain_name, &plain_known);
        (distance * 3 <= plain_known.len()).then_some((distance, known))
    });
    match similar.min_by_key(|(distance, _)| *distance) {
        Some((_, known)) => InvalidValue::because(format!("is not known here; did you mean {known}?"), "left out"),
        None => InvalidValue::new("is not known here", "left out"),
    }
}

/// The handling of fields that the parser did not take.
#[derive(Debug, Clone, Copy)]
pub enum UnknownFields<'a> {
    /// Each is an error.
    Rejected {
        /// Fields that exist in responses only; their error says so.
        read_only: &'a [&'a str],
    },
    /// They are skipped.
    Ignored,
}
