//! Publishes events to EventBridge.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::time::Instant;

use crate::aws::retry::{Backoff, TimeLimit, internal, is_retryable, send_with_retry};
use crate::aws::{Connection, OmitSdkHeaders, into_ping};
use crate::config::Service;
use crate::domain::{Error, Timestamp};

const OPERATION: &str = "PutEvents";

/// The maximum number of entries in one request (Amazon EventBridge quotas).
const MAX_ENTRIES: usize = 10;
/// The total size of the entries must be below this number of bytes (Amazon EventBridge quotas).
const MAX_BYTES: usize = 256 * 1024;
/// The size of an entry's time, in bytes (Amazon EventBridge User Guide, "Calculating event entry size").
const TIME_BYTES: usize = 14;

/// Error codes of an entry that no retry can fix.
const PERMANENT_ERRORS: &[&str] = &["InvalidArgument", "MalformedDetail"];

/// The `source` of all events.
const SOURCE: &str = "groups";

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The kind of event, such as `Group Created`.
    pub detail_type: &'static str,
    /// The content, a JSON object.
    pub detail: String,
    /// The time of the change.
    pub time: Timestamp,
}

impl Entry {
    /// Returns the size that EventBridge counts.
    const fn bytes(&self) -> usize {
        TIME_BYTES + SOURCE.len() + self.detail_type.len() + self.detail.len()
    }
}

/// The result of publishing one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The bus accepted the entry, perhaps more than once.
    Done,
    /// The bus will never accept the entry; this is its error code.
    Refused(String),
    /// The bus did not accept the entry in time.
    Unavailable,
}

/// An EventBridge bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: Arc<str>,
    limit: TimeLimit,
}

impl EventBus {
    /// Returns the bus with this name. Each request has `time_budget`, retries included.
    #[must_use]
    pub fn connected(connection: &Connection, name: &str, time_budget: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::EventBridge)).interceptor(OmitSdkHeaders);
        Self {
            client: Client::from_conf(settings.build()),
            name: name.into(),
            limit: TimeLimit::PerRequest(time_budget),
        }
    }

    /// Opens the connection that later requests reuse. The response is ignored.
    pub async fn connect(&self) {
        let _ = self.client.put_events().customize().mutate_request(into_ping).send().await;
    }

    /// Returns the same bus with a deadline for all its requests.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { limit: TimeLimit::Until(deadline), ..self.clone() }
    }

    /// Publishes entries in order and returns one result for each. One `PutEvents` carries up to ten.
    ///
    /// Entries that fail are retried before the following ones are sent.
    pub async fn publish(&self, entries: &[Entry]) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(entries.len());
        for chunk in chunks(entries) {
            let mut of_chunk = vec![Delivery::Unavailable; chunk.len()];
            let result = self.publish_chunk(chunk, &mut of_chunk).await;
            // When a request has only one entry, an invalid request means an invalid entry.
            if let (Err(Error::Internal { code, .. }), [delivery]) = (&result, &mut of_chunk[..])
                && code == "ValidationException"
            {
                *delivery = Delivery::Refused(code.clone());
                deliveries.append(&mut of_chunk);
                continue;
            }
            deliveries.append(&mut of_chunk);
            if let Err(error) = result {
                tracing::warn!(reason = %error, "the bus does not take events");
                deliveries.resize(entries.len(), Delivery::Unavailable);
                break;
            }
        }
        deliveries
    }

    /// Sends the entries of one request until each has a result, and writes the results to `deliveries`.
    async fn publish_chunk(&self, entries: &[Entry], deliveries: &mut [Delivery]) -> Result<(), Error> {
        let deadline = self.limit.deadline();
        let mut backoff = Backoff::new(OPERATION, deadline);
        let mut pending: Vec<usize> = (0..entries.len()).collect();
        loop {
            let to_request = |at: &usize| self.request_entry(&entries[*at]);
            let request = self.client.put_events().set_entries(Some(pending.iter().map(to_request).collect()));
            let sent = send_with_retry(OPERATION, deadline, is_retryable, || request.clone().send()).await?;
            let results = sent.map_err(internal(OPERATION))?.entries.unwrap_or_default();
            if results.len() != pending.len() {
                return Err(Error::Internal { operation: OPERATION, code: "not one result per entry".into() });
            }
            let mut failed = Vec::new();
            for (at, result) in pending.into_iter().zip(results) {
                match result.error_code {
                    None => deliveries[at] = Delivery::Done,
                    Some(code) if PERMANENT_ERRORS.contains(&code.as_str()) => deliveries[at] = Delivery::Refused(code),
                    Some(_) => failed.push(at),
                }
            }
            if failed.is_empty() {
                return Ok(());
            }
            pending = failed;
            backoff.pause().await?;
        }
    }

    fn request_entry(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&*self.name)
            .source(SOURCE)
            .detail_type(entry.detail_type)
            .detail(&entry.detail)
            .time(DateTime::from_secs(entry.time.unix_seconds()))
            .build()
    }
}

/// Splits entries, in order, into requests within the quotas. An entry that is too large is alone in its request, which
/// the bus refuses.
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
