//! Event-triggered functions: each works through batches of items, from the table's stream or from a queue.

use std::process::ExitCode;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use futures::future::BoxFuture;
use lambda_runtime::tower::service_fn;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::dependencies::Dependencies;
use super::run;
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Error};
use crate::store::{Record, read_records};
use crate::telemetry::{Invocation, InvocationSummary, with_counters};

/// An item of a batch.
pub trait BatchItem: Sized {
    /// Reads the items of an event in Lambda's form.
    ///
    /// # Errors
    /// The event is not a batch of such items.
    fn read_all(event: Value) -> Result<Vec<Self>, Error>;

    /// The id by which an item is retried.
    fn id(&self) -> &str;

    /// When the item was created, in milliseconds since 1970.
    fn happened_at(&self) -> Option<u64>;
}

impl BatchItem for Record {
    fn read_all(event: Value) -> Result<Vec<Self>, Error> {
        read_records(event)
    }

    fn id(&self) -> &str {
        &self.sequence_number
    }

    fn happened_at(&self) -> Option<u64> {
        self.happened_at
    }
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Identifies the message in its batch.
    pub id: String,
    /// The text.
    pub body: String,
    /// When it was sent to the queue, in milliseconds since 1970.
    pub sent_at: u64,
}

impl From<SqsMessage> for QueueMessage {
    fn from(message: SqsMessage) -> Self {
        let sent_at = message.attributes.get("SentTimestamp").and_then(|text| text.parse().ok());
        Self {
            sent_at: sent_at.unwrap_or_default(),
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}

impl BatchItem for QueueMessage {
    fn read_all(event: Value) -> Result<Vec<Self>, Error> {
        let unreadable = |_| Error::Internal { operation: "queue event", code: "unreadable".into() };
        let event: SqsEvent = serde_json::from_value(event).map_err(unreadable)?;
        Ok(event.records.into_iter().map(Self::from).collect())
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn happened_at(&self) -> Option<u64> {
        Some(self.sent_at)
    }
}

/// The handler of a batch. It returns the ids of the items to retry: of records, their sequence numbers.
type BatchHandler<R, T> = for<'a> fn(&'a R, Vec<T>) -> BoxFuture<'a, Vec<String>>;

/// One event-triggered function: its handler, and its name, which is also that of its binary and folder.
pub struct BatchFunction<R, T> {
    /// The name.
    pub name: &'static str,
    handler: BatchHandler<R, T>,
}

/// A function on the table's stream.
pub type StreamFunction<R> = BatchFunction<R, Record>;
/// A function on a queue.
pub type QueueFunction<R> = BatchFunction<R, QueueMessage>;

impl<R: Dependencies, T: BatchItem> BatchFunction<R, T> {
    /// The function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: BatchHandler<R, T>) -> Self {
        Self { name, handler }
    }

    /// Handles a batch. Returns the failures in Lambda's form. Source: AWS Lambda Developer Guide, "Configuring partial
    /// batch response with DynamoDB and Lambda", "Handling errors for an SQS event source in Lambda".
    ///
    /// # Errors
    /// The event is not a batch of such items.
    pub async fn answer(&self, dependencies: &R, event: Value, context: &Context) -> Result<Value, Error> {
        let invocation = Invocation::begin(self.name);
        let batch = T::read_all(event)?;
        let times: Vec<_> = batch.iter().filter_map(|it| Some((it.id().to_owned(), it.happened_at()?))).collect();
        let items = batch.len();
        let dependencies = dependencies.for_invocation(Some(context));
        let (failed, counts) = with_counters((self.handler)(&dependencies, batch)).await;
        let now = SystemClock.unix_millis();
        let ages = || times.iter().map(|(id, at)| (id, now.saturating_sub(*at)));
        let lag = ages().map(|(_, age)| age).max();
        let failed_lag = ages().filter(|(id, _)| failed.contains(id)).map(|(_, age)| age).max();
        let outcome = InvocationSummary::Batch { items, failed: failed.len(), lag, failed_lag };
        invocation.end(&context.request_id, context.xray_trace_id.as_deref(), &outcome, counts);
        let failures: Vec<Value> = failed.iter().map(|id| json!({ "itemIdentifier": id })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        let answer = async |dependencies: &R, LambdaEvent { payload, context }: LambdaEvent<Value>| {
            self.answer(dependencies, payload, &context).await
        };
        run(self.name, serve_events(answer))
    }
}

/// Answers Lambda's events until the environment is shut down.
pub(super) async fn serve_events<R: Dependencies>(
    answer: impl AsyncFn(&R, LambdaEvent<Value>) -> Result<Value, Error>,
) -> Result<(), String> {
    let dependencies = R::from_environment().map_err(|error| error.to_string())?;
    dependencies.connect().await;
    let (dependencies, answer) = (&dependencies, &answer);
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        answer(dependencies, event).await.map_err(|error| error.to_string())
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}
