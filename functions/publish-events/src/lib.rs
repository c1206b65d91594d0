//! The table's stream: tells other systems of every change of a group or a membership that was committed, and of no other.
//!
//! Takes a batch of records and names those that have to come again (`ReportBatchItemFailures`); an event that is sent
//! again has the same id.

use std::collections::BTreeSet;

use shared::app::{Outlet, StreamFunction};
use shared::bus::{DeadLetter, Delivery, Entry};
use shared::domain::Error;
use shared::events::entry;
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<Outlet> =
    StreamFunction::new("publish-events", |outlet, records| Box::pin(handler(outlet, records)));

/// Works through records; gives the sequence numbers of those that have to come again.
pub async fn handler(outlet: &Outlet, records: Vec<Record>) -> Vec<String> {
    let mut again = BTreeSet::new();
    let (mut told, mut entries): (Vec<&Record>, Vec<Entry>) = Default::default();
    for record in &records {
        match record.announcement().and_then(|announcement| announcement.as_ref().map(entry).transpose()) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                told.push(record);
                entries.push(entry);
            }
            // It will not be more readable later.
            Err(error) => note(record, give_up(outlet, record, "{}", &error.to_string()).await, &mut again),
        }
    }
    let deliveries = outlet.bus.publish(&entries).await;
    for ((record, entry), delivery) in told.into_iter().zip(&entries).zip(deliveries) {
        match delivery {
            Delivery::Done => {}
            Delivery::Unavailable => drop(again.insert(record.sequence_number.clone())),
            Delivery::Refused(code) => note(record, give_up(outlet, record, &entry.detail, &code).await, &mut again),
        }
    }
    again.into_iter().collect()
}

/// Puts what cannot be told where an operator finds it, with the record's place in the stream.
async fn give_up(outlet: &Outlet, record: &Record, body: &str, reason: &str) -> Result<(), Error> {
    let reason = format!("record {}: {reason}", record.sequence_number);
    outlet.dead_letters.put(&DeadLetter { body, reason }).await
}

fn note(record: &Record, outcome: Result<(), Error>, again: &mut BTreeSet<String>) {
    if outcome.is_err() {
        again.insert(record.sequence_number.clone());
    }
}
