//! Invokes a function with the messages of the queue, one batch at a time, as Lambda does (AWS Lambda Developer Guide,
//! "Using Lambda with Amazon SQS"). Messages that the function reports as failed are retried; when it fails itself, all
//! are.

use std::time::Duration;

use futures::FutureExt;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{ApplyEventsDeps, QueueFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Problem;
use crate::activity::Activity;
use crate::bus::{Bus, ReceivedMessage};
use crate::template::QueueSource;

/// Pause before a failed message is retried. Deployed, it is the queue's visibility timeout, which is longer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Polls the bus's queue and invokes a function with the messages.
pub struct QueuePoller {
    bus: Bus,
    sent: watch::Receiver<u64>,
    source: QueueSource,
    function: QueueFunction<ApplyEventsDeps>,
    dependencies: ApplyEventsDeps,
}

impl QueuePoller {
    /// Makes a poller of the bus's queue.
    #[must_use]
    pub fn new(
        bus: &Bus,
        source: &QueueSource,
        function: QueueFunction<ApplyEventsDeps>,
        dependencies: ApplyEventsDeps,
    ) -> Self {
        Self { bus: bus.clone(), sent: bus.subscribe_sent(), source: source.clone(), function, dependencies }
    }

    /// Polls until the runtime shuts down.
    pub async fn run(mut self, activity: Activity) {
        loop {
            self.sent.mark_unchanged();
            match self.poll().await {
                Ok(0) => {}
                Ok(_) => {
                    activity.note();
                    continue;
                }
                Err(problem) => tracing::warn!(%problem, "the queue does not answer"),
            }
            // A retried message becomes visible without another one being sent.
            let _ = timeout(RETRY_DELAY, self.sent.changed()).await;
        }
    }

    /// Invokes the function with one batch and returns the number of its messages.
    ///
    /// # Errors
    /// The queue does not answer.
    pub async fn poll(&self) -> Result<usize, Problem> {
        let messages = self.bus.receive(self.source.batch_size, self.source.max_receive_count)?;
        if messages.is_empty() {
            return Ok(0);
        }
        let failed = self.invoke(&messages).await;
        let ids = messages.iter().map(|message| message.id.clone());
        let (failed, done): (Vec<String>, Vec<String>) =
            ids.partition(|id| failed.as_ref().is_none_or(|failed| failed.contains(id)));
        self.bus.delete(&done)?;
        self.bus.return_later(&failed, RETRY_DELAY)?;
        Ok(messages.len())
    }

    /// Invokes the function once and returns the ids of messages that failed; `None` when the function itself failed.
    async fn invoke(&self, messages: &[ReceivedMessage]) -> Option<Vec<String>> {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
        context.deadline = SystemClock.unix_millis() + self.source.timeout_seconds * 1_000;
        let records: Vec<Value> = messages.iter().map(record).collect();
        let response = self.function.answer(&self.dependencies, json!({ "Records": records }), &context);
        let response = std::panic::AssertUnwindSafe(response).catch_unwind().await.ok()?;
        let response = response.map_err(|error| tracing::error!(%error, "the function fails")).ok()?;
        let failures = response["batchItemFailures"].as_array()?.iter();
        Some(failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
    }
}

/// A message as Lambda passes it to a function.
fn record(message: &ReceivedMessage) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent_at.to_string(),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:incoming",
        "awsRegion": "us-east-1",
    })
}
