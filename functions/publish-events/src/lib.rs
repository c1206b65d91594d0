//! The stream consumer that writes history and publishes events: for each committed change of a group or a membership, before a
//! membership ends, and for nothing else.
//!
//! Takes a batch of records and returns those to retry (`ReportBatchItemFailures`). History comes first, so that no published change
//! is missing there. A repeated record writes the same rows, and its event has the same id. A change that can never be
//! published becomes a dead letter with its reason.

use shared::app::{PublishEventsDeps, StreamFunction};
use shared::bus::{DeadLetter, Delivery, Entry};
use shared::domain::{Error, HistoryEntry};
use shared::events::{announcement_of, event_of};
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<PublishEventsDeps> =
    StreamFunction::new("publish-events", |deps, records| Box::pin(handler(deps, records)));

/// Handles a batch of records. Returns the sequence numbers of those to retry.
pub async fn handler(deps: &PublishEventsDeps, records: Vec<Record>) -> Vec<String> {
    let changes: Vec<Result<Option<HistoryEntry>, Error>> = records.iter().map(Record::history).collect();
    let history = changes.iter().flatten().flatten();
    if let Err(error) = deps.app.store.write_history(history, deps.app.history_retention()).await {
        tracing::warn!(reason = %error, "history is not written");
        return records.into_iter().map(|record| record.sequence_number).collect();
    }
    let event = |(record, change): (&Record, Result<Option<HistoryEntry>, Error>)| match change? {
        Some(entry) => event_of(&entry),
        None => record.announcement()?.as_ref().map(announcement_of).transpose(),
    };
    let decoded: Vec<Result<Option<Entry>, Error>> = records.iter().zip(changes).map(event).collect();
    let entries: Vec<Entry> = decoded.iter().flatten().flatten().cloned().collect();
    let mut deliveries = deps.bus.publish(&entries).await.into_iter();
    let mut failed = Vec::new();
    for (record, entry) in records.iter().zip(decoded) {
        let permanent_failure = match &entry {
            Ok(None) => continue,
            // A retry would not make it readable.
            Err(error) => Some(error.to_string()),
            Ok(Some(_)) => match deliveries.next() {
                Some(Delivery::Done) => continue,
                Some(Delivery::Refused(code)) => Some(code),
                Some(Delivery::Unavailable) | None => None,
            },
        };
        let body = entry.ok().flatten().map_or_else(|| "{}".into(), |entry| entry.detail);
        // Lambda retries all records after the first failed one.
        let is_dead_letter = match permanent_failure {
            Some(reason) if failed.is_empty() => put_dead_letter(deps, record, &body, &reason).await,
            _ => false,
        };
        failed.extend((!is_dead_letter).then(|| record.sequence_number.clone()));
    }
    failed
}

/// Keeps a change that cannot be published as a dead letter, with the record's sequence number. Returns whether it is kept.
async fn put_dead_letter(deps: &PublishEventsDeps, record: &Record, body: &str, reason: &str) -> bool {
    let reason = format!("record {}: {reason}", record.sequence_number);
    deps.dead_letters.put(&DeadLetter { body, reason }).await.is_ok()
}
