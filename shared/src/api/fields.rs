//! Reads the fields of a JSON object and collects every fault on the way.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use crate::domain::InvalidValue;

/// One thing wrong with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field, parameter or header.
    pub field: String,
    /// What is wrong and what would be right.
    pub invalid: InvalidValue,
}

impl FieldError {
    /// A fault of the field, parameter or header.
    #[must_use]
    pub fn new(field: impl Into<String>, invalid: InvalidValue) -> Self {
        Self { field: field.into(), invalid }
    }
}

/// Everything wrong with what was sent; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationErrors(pub Vec<FieldError>);

impl From<FieldError> for ValidationErrors {
    fn from(error: FieldError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ValidationErrors {
    /// One sentence that says what would be right, for every field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, FieldError { field, invalid }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field} must be {}", invalid.expected)?;
        }
        Ok(())
    }
}

const OBJECT: &str = "a JSON object";

/// The fields of one JSON object, taken out one after the other.
#[derive(Debug)]
pub struct Fields {
    prefix: &'static str,
    left: Vec<(String, Value)>,
    errors: Vec<FieldError>,
}

/// A JSON object as its fields in order, repeated ones included: a map would keep the last of them in silence.
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
    /// Reads the object that a body holds.
    ///
    /// # Errors
    /// Empty, not JSON, or JSON of another type.
    pub fn of_body(body: &[u8]) -> Result<Self, ValidationErrors> {
        let invalid_body = |reason| ValidationErrors::from(FieldError::new("body", InvalidValue::new(reason, OBJECT)));
        if body.is_empty() {
            return Err(invalid_body("is empty"));
        }
        let Object(left) = serde_json::from_slice(body).map_err(|error| {
            invalid_body(if error.is_data() { "is JSON of another type" } else { "is not readable as JSON" })
        })?;
        Ok(Self::of_pairs("", left))
    }

    /// Takes the fields of an object inside another; `prefix` goes before their names in errors.
    ///
    /// # Errors
    /// JSON of another type.
    pub fn of_value(value: Value, name: &'static str, prefix: &'static str) -> Result<Self, ValidationErrors> {
        match value {
            Value::Object(map) => Ok(Self::of_pairs(prefix, map.into_iter().collect())),
            _ => Err(FieldError::new(name, InvalidValue::new("is JSON of another type", OBJECT)).into()),
        }
    }

    fn of_pairs(prefix: &'static str, pairs: Vec<(String, Value)>) -> Self {
        let mut fields = Self { prefix, left: Vec::with_capacity(pairs.len()), errors: Vec::new() };
        let mut seen = HashSet::with_capacity(pairs.len());
        for (name, value) in pairs {
            if seen.insert(name.clone()) {
                fields.left.push((name, value));
            } else {
                fields.error(&name, InvalidValue::new("is given more than once", "given once"));
            }
        }
        fields
    }

    /// Notes a fault of a field.
    pub fn error(&mut self, name: &str, invalid: InvalidValue) {
        let field = format!("{}{name}", self.prefix);
        self.errors.push(FieldError { field, invalid });
    }

    /// Takes a field out; `None` when it is not there.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.left.iter().position(|(field, _)| field == name)?;
        Some(self.left.remove(index).1)
    }

    /// Takes a text out and reads it; `None` when it is not there or is at fault.
    pub fn text<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let result = match self.take(name)? {
            Value::String(text) => read(&text),
            Value::Null => Err(InvalidValue::new("is null", expected)),
            _ => Err(InvalidValue::new("is not a string", expected)),
        };
        result.map_err(|invalid| self.error(name, invalid)).ok()
    }

    /// As [`Self::text`], for a text that must be there.
    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        if !self.left.iter().any(|(field, _)| field == name) {
            self.error(name, InvalidValue::new("is missing", expected));
        }
        self.text(name, expected, read)
    }

    /// Takes a boolean out; `None` when it is not there or is at fault.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        if value.as_bool().is_none() {
            self.error(name, InvalidValue::new("is not a boolean", "true or false"));
        }
        value.as_bool()
    }

    /// Takes a list of texts out; empty when it is not there or is at fault.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        serde_json::from_value(value).unwrap_or_else(|_| {
            self.error(name, InvalidValue::new("is not a list of strings", "a list of account ids"));
            Vec::new()
        })
    }

    /// Gives what was read, or all errors; fields that are left are among these, but where `others` says not to mind.
    /// `value` is `None` only where a field that must be there is at fault.
    ///
    /// # Errors
    /// Anything was at fault.
    pub fn finish<T>(mut self, others: Others<'_>, value: Option<T>) -> Result<T, ValidationErrors> {
        if let Others::Refused { read_only } = others {
            for (name, _) in std::mem::take(&mut self.left) {
                let reason = if read_only.contains(&name.as_str()) { "is read-only" } else { "is not known here" };
                self.error(&name, InvalidValue::new(reason, "left out"));
            }
        }
        value.filter(|_| self.errors.is_empty()).ok_or(ValidationErrors(self.errors))
    }
}

/// What becomes of fields that nobody took.
#[derive(Debug, Clone, Copy)]
pub enum Others<'a> {
    /// They are errors; those in `read_only` are known, but not to be written.
    Refused {
        /// Fields that only answers have.
        read_only: &'a [&'a str],
    },
    /// They are none of our business.
    Ignored,
}
