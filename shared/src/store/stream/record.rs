//! A record of the table's stream: a row before and after a write.

use aws_lambda_events::event::dynamodb::EventRecord;
use serde_dynamo::Item;
use serde_json::Value;

use crate::domain::Error;
use crate::store::keys::Key;
use crate::store::rows::{AnyRow, decode_image};
use crate::store::table::unreadable;

/// A record of the stream. Each is decoded by itself: an unreadable one does not block the others.
#[derive(Debug, Clone)]
pub struct Record {
    /// Identifies the record in the stream, in logs, and in the report of failures to Lambda: decimal digits. Empty for anything else,
    /// which is not logged; Lambda retries the whole batch of one that fails.
    pub sequence_number: String,
    /// When the change was made, in milliseconds since 1970. The stream has seconds.
    pub happened_at: Option<u64>,
    keys: Option<Item>,
    record: Option<EventRecord>,
}

/// A row before and after a write; `None` where it did not exist. Decoded only when needed: few records need both.
pub(super) struct Images {
    pub(super) key: Key,
    before: Option<Item>,
    after: Option<Item>,
}

impl Images {
    /// Whether the row existed before the write.
    pub(super) const fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// Whether the row exists after the write.
    pub(super) const fn has_after(&self) -> bool {
        self.after.is_some()
    }

    /// Decodes the row before the write, once.
    pub(super) fn take_before(&mut self) -> Result<Option<AnyRow>, Error> {
        self.before.take().map(|image| decode_image(&self.key, image)).transpose()
    }

    /// Decodes the row after the write, once.
    pub(super) fn take_after(&mut self) -> Result<Option<AnyRow>, Error> {
        self.after.take().map(|image| decode_image(&self.key, image)).transpose()
    }
}

/// Reads the records of a batch, in Lambda's form.
///
/// # Errors
/// The event is not one of a table's stream.
pub fn read_records(mut event: Value) -> Result<Vec<Record>, Error> {
    let Some(Value::Array(records)) = event.get_mut("Records").map(Value::take) else {
        return Err(unreadable("stream event"));
    };
    Ok(records.into_iter().map(Record::read).collect())
}

impl Record {
    fn read(record: Value) -> Self {
        let number =
            record["dynamodb"]["SequenceNumber"].as_str().filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let sequence_number = number.unwrap_or_default().to_owned();
        let keys = serde_json::from_value(record["dynamodb"]["Keys"].clone()).ok();
        let seconds = record["dynamodb"]["ApproximateCreationDateTime"].as_f64();
        let happened_at = seconds.map(|seconds| (seconds * 1_000.0) as u64);
        Self { sequence_number, happened_at, keys, record: serde_json::from_value(record).ok() }
    }

    /// The key of the row, which may be readable where the row is not.
    pub(super) fn key(&self) -> Option<Key> {
        self.keys.clone().and_then(key)
    }

    pub(super) fn images(&self) -> Result<Images, Error> {
        let change = self.record.clone().ok_or_else(|| unreadable("stream record"))?.change;
        let key = key(change.keys).ok_or_else(|| unreadable("stream record key"))?;
        // The image of a row that did not exist is empty.
        let image = |image: Item| Some(image).filter(|image| !image.inner().is_empty());
        Ok(Images { key, before: image(change.old_image), after: image(change.new_image) })
    }
}

fn key(keys: Item) -> Option<Key> {
    Key::from_row(&keys.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sequence_number(text: &str) -> String {
        let event = json!({ "Records": [{ "dynamodb": { "SequenceNumber": text } }] });
        read_records(event).unwrap().remove(0).sequence_number
    }

    #[test]
    fn only_digits_are_a_sequence_number() {
        assert_eq!(sequence_number("4421584500000000017450439091"), "4421584500000000017450439091");
        assert_eq!(sequence_number("GROUP#x"), "");
    }
}
