//! The table's stream: tells other systems of every change of a group or a membership that was committed, and of no other.
//!
//! Takes a batch of records and names those that have to come again (`ReportBatchItemFailures`); an event that is sent
//! again has the same id. What can never be told goes to the queue of failures with its reason.

use shared::app::{PublishEventsDeps, StreamFunction};
use shared::bus::{DeadLetter, Delivery, Entry};
use shared::domain::Error;
use shared::events::entry;
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<PublishEventsDeps> =
    StreamFunction::new("publish-events", |outlet, records| Box::pin(handler(outlet, records)));

/// Works through records; gives the sequence numbers of those that have to come again.
pub async fn handler(outlet: &PublishEventsDeps, records: Vec<Record>) -> Vec<String> {
    let entry = |record: &Record| record.announcement()?.as_ref().map(entry).transpose();
    let read: Vec<Result<Option<Entry>, Error>> = records.iter().map(entry).collect();
    let entries: Vec<Entry> = read.iter().flatten().flatten().cloned().collect();
    let mut deliveries = outlet.bus.publish(&entries).await.into_iter();
    let mut again = Vec::new();
    for (record, entry) in records.iter().zip(read) {
        let refusal = match &entry {
            Ok(None) => continue,
            // It will not be more readable later.
            Err(error) => Some(error.to_string()),
            Ok(Some(_)) => match deliveries.next() {
                Some(Delivery::Done) => continue,
                Some(Delivery::Refused(code)) => Some(code),
                Some(Delivery::Unavailable) | None => None,
            },
        };
        let body = entry.ok().flatten().map_or_else(|| "{}".into(), |entry| entry.detail);
        // Behind one that comes again, all come again.
        let is_put_aside = match refusal {
            Some(reason) if again.is_empty() => put_aside(outlet, record, &body, &reason).await,
            _ => false,
        };
        again.extend((!is_put_aside).then(|| record.sequence_number.clone()));
    }
    again
}

/// Puts what cannot be told where an operator finds it, with the record's place in the stream. Gives whether it is there.
async fn put_aside(outlet: &PublishEventsDeps, record: &Record, body: &str, reason: &str) -> bool {
    let reason = format!("record {}: {reason}", record.sequence_number);
    outlet.dead_letters.put(&DeadLetter { body, reason }).await.is_ok()
}
