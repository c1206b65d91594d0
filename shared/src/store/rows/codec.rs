//! Encoding and decoding of rows whose type is known.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::Error;
use crate::store::keys::{Attributes, Key};
use crate::store::table::unreadable;

/// Encodes a row.
pub(in crate::store) fn to_row(key: &Key, item: &impl Serialize) -> Result<Attributes, Error> {
    let mut row: Attributes = serde_dynamo::to_item(item).map_err(|_| unreadable("row to store"))?;
    row.extend(key.to_attributes());
    Ok(row)
}

/// Decodes a row whose type is known.
pub(in crate::store) fn from_row<T: DeserializeOwned>(row: Attributes) -> Result<(Key, T), Error> {
    let key = Key::from_row(&row).ok_or_else(|| unreadable("row key"))?;
    Ok((key, decode(row)?))
}

/// Decodes the attributes of a row whose type is known.
pub(super) fn decode<T: DeserializeOwned>(row: Attributes) -> Result<T, Error> {
    if row.values().any(is_unknown) {
        return Err(unreadable("row"));
    }
    serde_dynamo::from_item(row).map_err(|_| unreadable("row"))
}

/// Whether a value has a type that this SDK does not know. `serde_dynamo` panics on one.
fn is_unknown(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::L(values) => values.iter().any(is_unknown),
        AttributeValue::M(values) => values.values().any(is_unknown),
        value => value.is_unknown(),
    }
}
