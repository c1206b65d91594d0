//! The table's stream: tells other systems of every change of a group or a membership that was committed, and of no other.
//!
//! Takes a batch of records and names those that have to come again (`ReportBatchItemFailures`); an event that is sent
//! again has the same id. What can never be told goes to the queue of failures with its reason.

use shared::app::{Outlet, StreamFunction};
use shared::bus::{DeadLetter, Delivery, Entry};
use shared::events::entry;
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<Outlet> =
    StreamFunction::new("publish-events", |outlet, records| Box::pin(handler(outlet, records)));

/// Works through records; gives the sequence numbers of those that have to come again.
pub async fn handler(outlet: &Outlet, records: Vec<Record>) -> Vec<String> {
    let mut again = Vec::new();
    let (mut told, mut entries): (Vec<&Record>, Vec<Entry>) = Default::default();
    for record in &records {
        match record.announcement().and_then(|announcement| announcement.as_ref().map(entry).transpose()) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                told.push(record);
                entries.push(entry);
            }
            // It will not be more readable later.
            Err(error) if gives_up(outlet, record, "{}", &error.to_string()).await => {}
            Err(_) => again.push(record.sequence_number.clone()),
        }
    }
    let deliveries = outlet.bus.publish(&entries).await;
    for ((record, entry), delivery) in told.into_iter().zip(&entries).zip(deliveries) {
        let is_done = match delivery {
            Delivery::Done => true,
            Delivery::Unavailable => false,
            Delivery::Refused(code) => gives_up(outlet, record, &entry.detail, &code).await,
        };
        again.extend((!is_done).then(|| record.sequence_number.clone()));
    }
    again
}

/// Puts what cannot be told where an operator finds it, with the record's place in the stream. Gives whether it is there.
async fn gives_up(outlet: &Outlet, record: &Record, body: &str, reason: &str) -> bool {
    let reason = format!("record {}: {reason}", record.sequence_number);
    outlet.dead_letters.put(&DeadLetter { body, reason }).await.is_ok()
}
