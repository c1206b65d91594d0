//! Conditional writes, each as one value: the row, its changes and the condition.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update as UpdateAction,
};

use super::condition::{Condition, Path, Placeholders, Value};
use crate::store::keys::{Attribute, Attributes, Key};

/// Sets the table, the condition and the placeholders, for which the SDK's builders have no common trait.
macro_rules! with_condition {
    ($builder:expr, $table:expr, $condition:expr, $placeholders:expr) => {{
        let mut placeholders = $placeholders;
        let condition = $condition.map(|condition| condition.render(&mut placeholders));
        let (names, values) = placeholders.into_parts();
        $builder
            .table_name($table)
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
    }};
}
pub(super) use with_condition;

/// A write of one row, under a condition where it has one.
#[derive(Debug)]
pub(in crate::store) enum Write {
    Put(Attributes, Option<Condition>),
    Update(Update),
    Delete(Key, Option<Condition>),
    /// Writes nothing: the transaction fails unless the condition holds.
    Check(Key, Condition),
}

impl Write {
    /// Puts a row that must not exist yet.
    pub(in crate::store) fn insert(row: Attributes) -> Self {
        Self::Put(row, Some(Condition::row_absent()))
    }

    /// Puts a row, in place of one that exists.
    pub(in crate::store) const fn put(row: Attributes) -> Self {
        Self::Put(row, None)
    }

    /// Deletes a row, if it exists.
    pub(in crate::store) const fn delete(key: Key) -> Self {
        Self::Delete(key, None)
    }

    /// Deletes a row for which the condition must hold.
    pub(in crate::store) const fn delete_when(key: Key, condition: Condition) -> Self {
        Self::Delete(key, Some(condition))
    }

    /// Requires that a row exists.
    pub(in crate::store) fn require_row(key: Key) -> Self {
        Self::Check(key, Condition::row_exists())
    }

    /// Requires that no such row exists.
    pub(in crate::store) fn require_no_row(key: Key) -> Self {
        Self::Check(key, Condition::row_absent())
    }

    /// The write as an action of a transaction.
    pub(super) fn into_action(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let mut placeholders = Placeholders::default();
        let item = TransactWriteItem::builder();
        let item = match self {
            Self::Put(row, condition) => {
                let put = with_condition!(Put::builder(), table, condition, placeholders).set_item(Some(row));
                let found = ReturnValuesOnConditionCheckFailure::AllOld;
                item.put(put.return_values_on_condition_check_failure(found).build()?)
            }
            Self::Update(Update { key, changes, condition }) => {
                let update = changes.render(&mut placeholders);
                let action = with_condition!(UpdateAction::builder(), table, condition, placeholders);
                item.update(action.set_key(Some(key.to_attributes())).update_expression(update).build()?)
            }
            Self::Delete(key, condition) => {
                let action = with_condition!(Delete::builder(), table, condition, placeholders);
                item.delete(action.set_key(Some(key.to_attributes())).build()?)
            }
            Self::Check(key, condition) => {
                let action = with_condition!(ConditionCheck::builder(), table, Some(condition), placeholders);
                item.condition_check(action.set_key(Some(key.to_attributes())).build()?)
            }
        };
        Ok(item.build())
    }
}

/// The writes that turn some rows into others. Equal rows are left alone.
pub(in crate::store) fn replace_rows(before: Vec<Attributes>, after: Vec<Attributes>) -> Vec<Write> {
    let by_key = |row: Attributes| Some((Key::from_row(&row)?, row));
    let mut before: BTreeMap<Key, Attributes> = before.into_iter().filter_map(by_key).collect();
    let after = after.into_iter().filter_map(by_key);
    let mut writes: Vec<Write> =
        after.filter(|(key, row)| before.remove(key).as_ref() != Some(row)).map(|(_, row)| Write::put(row)).collect();
    writes.extend(before.into_keys().map(Write::delete));
    writes
}

/// An update of a row: `Update::of(key).set(…).add(…).when(…)`. Without a condition it also creates the row.
#[derive(Debug)]
pub(in crate::store) struct Update {
    pub(super) key: Key,
    pub(super) changes: Changes,
    pub(super) condition: Option<Condition>,
}

/// The changes to a row's attributes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    set: Vec<(Path, Value)>,
    add: Vec<(Attribute, i64)>,
    remove: Vec<Path>,
}

impl Update {
    /// An update of this row that changes nothing yet.
    pub(in crate::store) fn of(key: Key) -> Self {
        Self { key, changes: Changes::default(), condition: None }
    }

    /// Sets an attribute, or an entry of a map.
    pub(in crate::store) fn set(mut self, path: impl Into<Path>, value: impl Into<Value>) -> Self {
        self.changes.set.push((path.into(), value.into()));
        self
    }

    /// Sets an attribute where there is a value, otherwise leaves it unchanged.
    pub(in crate::store) fn set_some(self, path: impl Into<Path>, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(path, value),
            None => self,
        }
    }

    /// Sets an attribute, removes it for `Some(None)`, and leaves it unchanged for `None`.
    pub(in crate::store) fn set_or_remove(
        self,
        path: impl Into<Path>,
        value: Option<Option<impl Into<Value>>>,
    ) -> Self {
        match value {
            Some(Some(value)) => self.set(path, value),
            Some(None) => self.remove(path),
            None => self,
        }
    }

    /// Adds to a number.
    pub(in crate::store) fn add(mut self, attribute: Attribute, number: i64) -> Self {
        self.changes.add.push((attribute, number));
        self
    }

    /// Removes an attribute, or an entry of a map.
    pub(in crate::store) fn remove(mut self, path: impl Into<Path>) -> Self {
        self.changes.remove.push(path.into());
        self
    }

    /// Requires the condition as well.
    pub(in crate::store) fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }
}

impl From<Update> for Write {
    fn from(update: Update) -> Self {
        Self::Update(update)
    }
}

impl Changes {
    /// Writes the changes in DynamoDB's expression language.
    pub(super) fn render(&self, placeholders: &mut Placeholders) -> String {
        let set = self.set.iter().map(|(path, value)| {
            let (path, value) = (placeholders.path(path), placeholders.value(value));
            format!("{path} = {value}")
        });
        let set: Vec<String> = set.collect();
        let add = self.add.iter().map(|(attribute, number)| {
            let (name, value) = (placeholders.name(*attribute), placeholders.value(&Value::from(*number)));
            format!("{name} {value}")
        });
        let add: Vec<String> = add.collect();
        let remove: Vec<String> = self.remove.iter().map(|path| placeholders.path(path)).collect();
        let mut text = String::new();
        for (keyword, parts) in [("SET", set), ("REMOVE", remove), ("ADD", add)] {
            if !parts.is_empty() {
                // Writing to a string does not fail.
                let _ = write!(text, "{keyword} {} ", parts.join(", "));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::GroupId;

    #[test]
    fn update_and_its_condition_share_no_placeholder() {
        let update = Update::of(Key::group(&GroupId::new(1, 2)))
            .set(Attribute::Name, "Finance")
            .set_some(Attribute::Description, None::<&str>)
            .remove(Attribute::NamePending)
            .add(Attribute::Version, 1)
            .when(Condition::equals(Attribute::State, "ACTIVE"))
            .when(Condition::equals(Attribute::Version, 3));
        let mut placeholders = Placeholders::default();
        let changes = update.changes.render(&mut placeholders);
        let condition = update.condition.map(|condition| condition.render(&mut placeholders));
        assert_eq!(changes.trim_end(), "SET #name = :0 REMOVE #name_pending ADD #version :1");
        assert_eq!(condition.as_deref(), Some("#state = :2 AND #version = :3"));
    }
}
