//! A function that nobody calls: it works through batches of what happened, from the table's stream or from a queue.

use std::process::ExitCode;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use futures::future::BoxFuture;
use lambda_runtime::tower::service_fn;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::resources::Dependencies;
use super::run;
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Error};
use crate::store::{Record, read_records};
use crate::telemetry::{Invocation, InvocationSummary, with_counters};

/// Something that happened.
pub trait Item: Sized {
    /// Reads what Lambda hands over.
    ///
    /// # Errors
    /// It is no batch of these.
    fn read_all(event: Value) -> Result<Vec<Self>, Error>;

    /// When it happened, in milliseconds since 1970.
    fn happened_at(&self) -> Option<u64>;
}

impl Item for Record {
    fn read_all(event: Value) -> Result<Vec<Self>, Error> {
        read_records(event)
    }

    fn happened_at(&self) -> Option<u64> {
        self.happened_at
    }
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names it among those of its batch.
    pub id: String,
    /// What it says.
    pub body: String,
    /// When it came to the queue, in milliseconds since 1970.
    pub sent_at: u64,
}

impl From<SqsMessage> for Message {
    fn from(message: SqsMessage) -> Self {
        let sent_at = message.attributes.get("SentTimestamp").and_then(|text| text.parse().ok());
        Self {
            sent_at: sent_at.unwrap_or_default(),
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}

impl Item for Message {
    fn read_all(event: Value) -> Result<Vec<Self>, Error> {
        let unreadable = |_| Error::Internal { operation: "queue event", code: "unreadable".into() };
        let event: SqsEvent = serde_json::from_value(event).map_err(unreadable)?;
        Ok(event.records.into_iter().map(Self::from).collect())
    }

    fn happened_at(&self) -> Option<u64> {
        Some(self.sent_at)
    }
}

/// How the handler is called: it gives the ids of what has to come again, of records their sequence numbers.
type BatchHandler<R, T> = for<'a> fn(&'a R, Vec<T>) -> BoxFuture<'a, Vec<String>>;

/// One function on a source of batches: its name, which is also its binary's and its folder's, and its handler.
pub struct BatchFunction<R, T> {
    /// What it does.
    pub name: &'static str,
    handler: BatchHandler<R, T>,
}

/// A function on the table's stream.
pub type StreamFunction<R> = BatchFunction<R, Record>;
/// A function on a queue.
pub type QueueFunction<R> = BatchFunction<R, Message>;

impl<R: Dependencies, T: Item> BatchFunction<R, T> {
    /// A function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: BatchHandler<R, T>) -> Self {
        Self { name, handler }
    }

    /// Works through a batch. Gives what Lambda wants to know (AWS Lambda Developer Guide, "Configuring partial batch
    /// response with DynamoDB and Lambda", "Handling errors for an SQS event source in Lambda").
    ///
    /// # Errors
    /// What came is no batch of these.
    pub async fn answer(&self, resources: &R, event: Value, context: &Context) -> Result<Value, Error> {
        let invocation = Invocation::begin(self.name);
        let batch = T::read_all(event)?;
        let (items, first) = (batch.len(), batch.iter().filter_map(T::happened_at).min());
        let resources = resources.for_invocation(Some(context));
        let (failed, counts) = with_counters((self.handler)(&resources, batch)).await;
        let lag = first.map(|at| SystemClock.unix_millis().saturating_sub(at));
        let outcome = InvocationSummary::Batch { items, failed: failed.len(), lag };
        invocation.end(&context.request_id, context.xray_trace_id.as_deref(), &outcome, counts);
        let failures: Vec<Value> = failed.iter().map(|id| json!({ "itemIdentifier": id })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        run(self.name, self.serve())
    }

    async fn serve(&self) -> Result<(), String> {
        let resources = R::from_environment().map_err(|error| error.to_string())?;
        resources.connect().await;
        let resources = &resources;
        let service = service_fn(move |event: LambdaEvent<Value>| async move {
            self.answer(resources, event.payload, &event.context).await.map_err(|error| error.to_string())
        });
        lambda_runtime::run(service).await.map_err(|error| error.to_string())
    }
}
