//! Conditions and updates, built from attributes and values: every name goes through a placeholder, so that none can
//! meet one of DynamoDB's reserved words.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::keys::Attribute;
use crate::domain::{AccountVersion, EdgeId};

/// A value in an expression.
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    Texts(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&BTreeSet<EdgeId>> for Value {
    fn from(edges: &BTreeSet<EdgeId>) -> Self {
        Self::Texts(edges.iter().map(EdgeId::to_string).collect())
    }
}

impl From<&BTreeSet<String>> for Value {
    fn from(texts: &BTreeSet<String>) -> Self {
        Self::Texts(texts.iter().cloned().collect())
    }
}

impl From<AccountVersion> for Value {
    fn from(version: AccountVersion) -> Self {
        Self::Text(version.to_string())
    }
}

impl From<EdgeId> for Value {
    fn from(edge: EdgeId) -> Self {
        Self::Text(edge.to_string())
    }
}

impl From<Value> for AttributeValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::S(text),
            Value::Number(number) => Self::N(number.to_string()),
            Value::Flag(flag) => Self::Bool(flag),
            Value::Texts(texts) => Self::Ss(texts),
        }
    }
}

/// The placeholders of one request's expressions.
#[derive(Default)]
pub(super) struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn name(&mut self, attribute: Attribute) -> String {
        let placeholder = format!("#{}", attribute.as_str());
        self.names.insert(placeholder.clone(), attribute.as_str().to_owned());
        placeholder
    }

    fn value(&mut self, value: impl Into<Value>) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value.into().into());
        placeholder
    }

    fn compare(&mut self, attribute: Attribute, operator: &str, value: impl Into<Value>) -> String {
        let (name, value) = (self.name(attribute), self.value(value));
        format!("{name} {operator} {value}")
    }

    /// The attribute has this value.
    pub(super) fn equal(&mut self, attribute: Attribute, value: impl Into<Value>) -> String {
        self.compare(attribute, "=", value)
    }

    /// The attribute has another value.
    pub(super) fn differs(&mut self, attribute: Attribute, value: impl Into<Value>) -> String {
        self.compare(attribute, "<>", value)
    }

    /// The attribute is less than this value.
    pub(super) fn less(&mut self, attribute: Attribute, value: impl Into<Value>) -> String {
        self.compare(attribute, "<", value)
    }

    /// The attribute is from the first value to the last, both included.
    pub(super) fn between(&mut self, attribute: Attribute, first: &str, last: &str) -> String {
        let (name, first, last) = (self.name(attribute), self.value(first), self.value(last));
        format!("{name} BETWEEN {first} AND {last}")
    }

    /// There is no such row.
    pub(super) fn no_row(&mut self) -> String {
        self.absent(Attribute::Pk)
    }

    /// There is such a row.
    pub(super) fn row(&mut self) -> String {
        self.present(Attribute::Pk)
    }

    /// The row has such an attribute.
    pub(super) fn present(&mut self, attribute: Attribute) -> String {
        format!("attribute_exists({})", self.name(attribute))
    }

    /// The set has this value in it.
    pub(super) fn contains(&mut self, attribute: Attribute, value: impl Into<Value>) -> String {
        let (name, value) = (self.name(attribute), self.value(value));
        format!("contains({name}, {value})")
    }

    /// An entry of a map: what stands for it in conditions and updates.
    pub(super) fn entry(&mut self, attribute: Attribute, key: impl Into<String>) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), key.into());
        format!("{}.{placeholder}", self.name(attribute))
    }

    /// The entry of a map has this value; also an update that sets it.
    pub(super) fn entry_equal(&mut self, entry: &str, value: impl Into<Value>) -> String {
        format!("{entry} = {}", self.value(value))
    }

    /// The map has no such entry of this value, or is not there.
    pub(super) fn no_entry(&mut self, attribute: Attribute, key: impl Into<String>, value: impl Into<Value>) -> String {
        let entry = self.entry(attribute, key);
        format!("attribute_not_exists({entry}) OR {entry} <> {}", self.value(value))
    }

    /// The row has no such attribute.
    pub(super) fn absent(&mut self, attribute: Attribute) -> String {
        format!("attribute_not_exists({})", self.name(attribute))
    }

    /// An update that sets the attribute.
    pub(super) fn set(&mut self, attribute: Attribute, value: impl Into<Value>) -> String {
        self.equal(attribute, value)
    }

    /// An update that adds to the number.
    pub(super) fn add(&mut self, attribute: Attribute, number: i64) -> String {
        let (name, value) = (self.name(attribute), self.value(number));
        format!("{name} {value}")
    }

    /// An update that takes the attribute away.
    pub(super) fn remove(&mut self, attribute: Attribute) -> String {
        self.name(attribute)
    }

    /// What stands for the names.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.names.clone()).filter(|names| !names.is_empty())
    }

    /// What stands for the values.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        Some(self.values.clone()).filter(|values| !values.is_empty())
    }
}
