//! Conditions of writes and filters of queries, as values. A request replaces all names and values with placeholders.
//! So expressions can be combined, and no name is a reserved word of DynamoDB.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{AccountVersion, Actor, EdgeId, GroupId, Timestamp};
use crate::store::keys::Attribute;

/// A value in an expression.
#[derive(Debug, Clone)]
pub(in crate::store) struct Value(AttributeValue);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(AttributeValue::S(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(AttributeValue::S(text))
    }
}

impl From<&Actor> for Value {
    fn from(actor: &Actor) -> Self {
        actor.as_str().into()
    }
}

impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Self {
        String::from(timestamp).into()
    }
}

impl From<AccountVersion> for Value {
    fn from(version: AccountVersion) -> Self {
        version.to_string().into()
    }
}

impl From<EdgeId> for Value {
    fn from(edge: EdgeId) -> Self {
        edge.to_string().into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(AttributeValue::N(number.to_string()))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self(AttributeValue::Bool(flag))
    }
}

impl From<&BTreeSet<EdgeId>> for Value {
    fn from(edges: &BTreeSet<EdgeId>) -> Self {
        Self(AttributeValue::Ss(edges.iter().map(EdgeId::to_string).collect()))
    }
}

impl From<&BTreeSet<String>> for Value {
    fn from(texts: &BTreeSet<String>) -> Self {
        Self(AttributeValue::Ss(texts.iter().cloned().collect()))
    }
}

/// An attribute of a row, an entry of an attribute that is a map, or the attribute that has a group's id as its name.
#[derive(Debug, Clone)]
pub(in crate::store) enum Path {
    Attribute(Attribute),
    Entry(Attribute, String),
    Group(GroupId),
}

impl From<Attribute> for Path {
    fn from(attribute: Attribute) -> Self {
        Self::Attribute(attribute)
    }
}

impl From<(Attribute, String)> for Path {
    fn from((map, entry): (Attribute, String)) -> Self {
        Self::Entry(map, entry)
    }
}

impl From<GroupId> for Path {
    fn from(group: GroupId) -> Self {
        Self::Group(group)
    }
}

/// A condition on a row.
#[derive(Debug, Clone)]
pub(in crate::store) enum Condition {
    Compare(Path, &'static str, Value),
    Between(Attribute, Value, Value),
    Contains(Attribute, Value),
    Exists(Path),
    Absent(Path),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Condition {
    /// The row exists.
    pub(in crate::store) fn row_exists() -> Self {
        Self::Exists(Attribute::Pk.into())
    }

    /// The row does not exist.
    pub(in crate::store) fn row_absent() -> Self {
        Self::Absent(Attribute::Pk.into())
    }

    /// The attribute is absent.
    pub(in crate::store) fn absent(path: impl Into<Path>) -> Self {
        Self::Absent(path.into())
    }

    /// The attribute has this value.
    pub(in crate::store) fn equals(path: impl Into<Path>, value: impl Into<Value>) -> Self {
        Self::Compare(path.into(), "=", value.into())
    }

    /// The attribute has this value or, where there is none, is absent.
    pub(in crate::store) fn equals_or_absent(attribute: Attribute, value: Option<impl Into<Value>>) -> Self {
        value.map_or_else(|| Self::absent(attribute), |value| Self::equals(attribute, value))
    }

    /// The attribute counts this many. Where it is absent, it counts none.
    pub(in crate::store) fn counts(attribute: Attribute, number: i64) -> Self {
        let equals = Self::equals(attribute, number);
        if number == 0 { Self::absent(attribute).or(equals) } else { equals }
    }

    /// The attribute is there and has another value.
    pub(in crate::store) fn differs(path: impl Into<Path>, value: impl Into<Value>) -> Self {
        Self::Compare(path.into(), "<>", value.into())
    }

    /// The attribute is less than this value.
    pub(in crate::store) fn less_than(attribute: Attribute, value: impl Into<Value>) -> Self {
        Self::Compare(attribute.into(), "<", value.into())
    }

    /// The attribute is at most this value.
    pub(in crate::store) fn at_most(attribute: Attribute, value: impl Into<Value>) -> Self {
        Self::Compare(attribute.into(), "<=", value.into())
    }

    /// The attribute is from `first` to `last`, both included.
    pub(in crate::store) fn between(attribute: Attribute, first: &str, last: &str) -> Self {
        Self::Between(attribute, first.into(), last.into())
    }

    /// The set has this value.
    pub(in crate::store) fn contains(set: Attribute, value: impl Into<Value>) -> Self {
        Self::Contains(set, value.into())
    }

    /// All of the conditions hold; `None` where there is none.
    pub(in crate::store) fn all(conditions: impl IntoIterator<Item = Self>) -> Option<Self> {
        conditions.into_iter().reduce(Self::and)
    }

    /// Both conditions hold.
    pub(in crate::store) fn and(self, other: Self) -> Self {
        match self {
            Self::All(mut all) => {
                all.push(other);
                Self::All(all)
            }
            one => Self::All(vec![one, other]),
        }
    }

    /// One of the two conditions holds.
    pub(in crate::store) fn or(self, other: Self) -> Self {
        Self::Any(vec![self, other])
    }

    /// Writes the condition in DynamoDB's expression language.
    pub(super) fn render(&self, placeholders: &mut Placeholders) -> String {
        match self {
            Self::Compare(path, operator, value) => {
                let (path, value) = (placeholders.path(path), placeholders.value(value));
                format!("{path} {operator} {value}")
            }
            Self::Between(attribute, first, last) => {
                let name = placeholders.name(*attribute);
                let (first, last) = (placeholders.value(first), placeholders.value(last));
                format!("{name} BETWEEN {first} AND {last}")
            }
            Self::Contains(set, value) => {
                let (name, value) = (placeholders.name(*set), placeholders.value(value));
                format!("contains({name}, {value})")
            }
            Self::Exists(path) => format!("attribute_exists({})", placeholders.path(path)),
            Self::Absent(path) => format!("attribute_not_exists({})", placeholders.path(path)),
            Self::All(conditions) => join(conditions, " AND ", placeholders),
            Self::Any(conditions) => join(conditions, " OR ", placeholders),
        }
    }
}

fn join(conditions: &[Condition], operator: &str, placeholders: &mut Placeholders) -> String {
    let part = |condition: &Condition| match condition {
        // A single comparison needs no parentheses, and DynamoDB refuses redundant ones.
        Condition::All(_) | Condition::Any(_) => format!("({})", condition.render(placeholders)),
        single => single.render(placeholders),
    };
    conditions.iter().map(part).collect::<Vec<_>>().join(operator)
}

/// Attribute names by placeholder.
type Names = HashMap<String, String>;
/// Values by placeholder.
type Values = HashMap<String, AttributeValue>;

/// The placeholders of one request's expressions.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: Names,
    values: Values,
}

impl Placeholders {
    pub(super) fn name(&mut self, attribute: Attribute) -> String {
        let placeholder = format!("#{}", attribute.as_str());
        self.names.insert(placeholder.clone(), attribute.as_str().to_owned());
        placeholder
    }

    pub(super) fn path(&mut self, path: &Path) -> String {
        match path {
            Path::Attribute(attribute) => self.name(*attribute),
            Path::Entry(map, entry) => {
                let entry = self.unspelled(entry.clone());
                format!("{}.{entry}", self.name(*map))
            }
            Path::Group(group) => self.unspelled(group.to_string()),
        }
    }

    /// A placeholder for a name that is no [`Attribute`].
    fn unspelled(&mut self, name: String) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), name);
        placeholder
    }

    pub(super) fn value(&mut self, value: &Value) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value.0.clone());
        placeholder
    }

    /// The names and the values as a request takes them: `None` where there are none.
    pub(super) fn into_parts(self) -> (Option<Names>, Option<Values>) {
        (Some(self.names).filter(|names| !names.is_empty()), Some(self.values).filter(|values| !values.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(condition: &Condition) -> (String, Placeholders) {
        let mut placeholders = Placeholders::default();
        (condition.render(&mut placeholders), placeholders)
    }

    #[test]
    fn alternatives_inside_a_conjunction_have_parentheses() {
        let is_newer = Condition::row_absent().or(Condition::less_than(Attribute::Version, 7));
        let condition = Condition::equals(Attribute::State, "ACTIVE").and(is_newer).and(Condition::row_exists());
        let (text, _) = render(&condition);
        assert_eq!(text, "#state = :0 AND (attribute_not_exists(#PK) OR #version < :1) AND attribute_exists(#PK)");
    }

    #[test]
    fn every_name_and_value_is_a_placeholder() {
        let entry = (Attribute::Parents, "a group".to_owned());
        let (text, placeholders) = render(&Condition::equals(entry, "an edge"));
        assert_eq!(text, "#parents.#0 = :0");
        let (names, values) = placeholders.into_parts();
        let names = names.unwrap();
        assert_eq!((names["#parents"].as_str(), names["#0"].as_str()), ("parents", "a group"));
        assert_eq!(values.unwrap()[":0"], AttributeValue::S("an edge".into()));
    }

    #[test]
    fn condition_on_a_missing_value_requires_that_the_attribute_is_absent() {
        let (text, placeholders) = render(&Condition::equals_or_absent(Attribute::Via, None::<&str>));
        assert_eq!(text, "attribute_not_exists(#via)");
        assert_eq!(placeholders.into_parts().1, None);
    }
}
