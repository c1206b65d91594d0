//! Events on their way out.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::time::Instant;

use crate::aws::retry::{Backoff, Time, attempt, internal, is_transient};
use crate::aws::{Connection, OmitSdkHeaders, into_ping};
use crate::config::Service;
use crate::domain::{Error, Timestamp};

const OPERATION: &str = "PutEvents";

/// Entries in one request, at most, and what the bytes of all of them together must be less than (Amazon EventBridge
/// quotas).
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 256 * 1024;
/// What an entry's time counts for (Amazon EventBridge User Guide, "Calculating event entry size").
const TIME_BYTES: usize = 14;

/// What is wrong with an entry itself: it will not go through later either.
const FAULTY: &[&str] = &["InvalidArgument", "MalformedDetail"];

/// Who is told to send the events.
const SOURCE: &str = "groups";

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind of event it is.
    pub detail_type: &'static str,
    /// What it tells, as a JSON object.
    pub detail: String,
    /// When that happened.
    pub time: Timestamp,
}

impl Entry {
    const fn bytes(&self) -> usize {
        TIME_BYTES + SOURCE.len() + self.detail_type.len() + self.detail.len()
    }
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The bus has it; perhaps twice.
    Done,
    /// The bus will never take it, for this reason.
    Refused(String),
    /// The bus did not take it in time.
    Unavailable,
}

/// A bus of EventBridge.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: Arc<str>,
    time: Time,
}

impl EventBus {
    /// The bus of that name; each request to it has so much time, its repetitions included.
    #[must_use]
    pub fn connected(connection: &Connection, name: &str, patience: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::EventBridge)).interceptor(OmitSdkHeaders);
        Self { client: Client::from_conf(settings.build()), name: name.into(), time: Time::Each(patience) }
    }

    /// Opens the connection that later requests use, whatever the bus says.
    pub async fn connect(&self) {
        let _ = self.client.put_events().customize().mutate_request(into_ping).send().await;
    }

    /// The same bus, given up at the deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { time: Time::Until(deadline), ..self.clone() }
    }

    /// Publishes entries, in their order; those that the bus does not take are sent again, before the ones behind them.
    /// Gives what became of each. One `PutEvents` for up to ten.
    pub async fn publish(&self, entries: &[Entry]) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(entries.len());
        for chunk in chunks(entries) {
            let mut of_chunk = vec![Delivery::Unavailable; chunk.len()];
            let outcome = self.publish_chunk(chunk, &mut of_chunk).await;
            // What is wrong with a request of one entry is wrong with the entry.
            if let (Err(Error::Internal { code, .. }), [delivery]) = (&outcome, &mut of_chunk[..])
                && code == "ValidationException"
            {
                *delivery = Delivery::Refused(code.clone());
                deliveries.append(&mut of_chunk);
                continue;
            }
            deliveries.append(&mut of_chunk);
            if let Err(error) = outcome {
                tracing::warn!(reason = %error, "the bus does not take events");
                deliveries.resize(entries.len(), Delivery::Unavailable);
                break;
            }
        }
        deliveries
    }

    async fn publish_chunk(&self, entries: &[Entry], deliveries: &mut [Delivery]) -> Result<(), Error> {
        let deadline = self.time.deadline();
        let mut backoff = Backoff::new(OPERATION, deadline);
        let mut waiting: Vec<usize> = (0..entries.len()).collect();
        loop {
            let of_entry = |at: &usize| self.entry(&entries[*at]);
            let request = self.client.put_events().set_entries(Some(waiting.iter().map(of_entry).collect()));
            let sent = attempt(OPERATION, deadline, is_transient, || request.clone().send()).await?;
            let results = sent.map_err(internal(OPERATION))?.entries.unwrap_or_default();
            if results.len() != waiting.len() {
                return Err(Error::Internal { operation: OPERATION, code: "not told of each entry".into() });
            }
            let mut again = Vec::new();
            for (at, result) in waiting.into_iter().zip(results) {
                match result.error_code {
                    None => deliveries[at] = Delivery::Done,
                    Some(code) if FAULTY.contains(&code.as_str()) => deliveries[at] = Delivery::Refused(code),
                    Some(_) => again.push(at),
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            waiting = again;
            backoff.pause().await?;
        }
    }

    fn entry(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&*self.name)
            .source(SOURCE)
            .detail_type(entry.detail_type)
            .detail(&entry.detail)
            .time(DateTime::from_secs(entry.time.unix_seconds()))
            .build()
    }
}

/// Entries, in their order, by as many as one request takes. One that is too large stands alone, for the bus to refuse.
fn chunks(entries: &[Entry]) -> Vec<&[Entry]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        if at > start && (at - start == MAX_ENTRIES || bytes + entry.bytes() >= MAX_BYTES) {
            chunks.push(&entries[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += entry.bytes();
    }
    chunks.push(&entries[start..]);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}
