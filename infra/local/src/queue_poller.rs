//! Has a function work through the queue, as Lambda does (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"): a
//! batch at a time, those messages again that the function names or, when it fails, all.

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
use crate::bus::{Bus, Message};
use crate::template::QueueSource;

/// After how long a message comes again. Deployed it is the queue's visibility timeout; nobody waits that long here.
const AGAIN: Duration = Duration::from_secs(1);

/// Works a queue through a function.
pub struct QueuePoller {
    bus: Bus,
    sendings: watch::Receiver<u64>,
    source: QueueSource,
    function: QueueFunction<ApplyEventsDeps>,
    intake: ApplyEventsDeps,
}

impl QueuePoller {
    /// A poller of the bus's queue.
    #[must_use]
    pub fn new(
        bus: &Bus,
        source: &QueueSource,
        function: QueueFunction<ApplyEventsDeps>,
        intake: ApplyEventsDeps,
    ) -> Self {
        Self { bus: bus.clone(), sendings: bus.sendings(), source: source.clone(), function, intake }
    }

    /// Polls until the runtime ends.
    pub async fn run(mut self) {
        loop {
            self.sendings.mark_unchanged();
            match self.poll().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(problem) => tracing::warn!(%problem, "the queue does not answer"),
            }
            // What comes again does so without being sent again.
            let _ = timeout(AGAIN, self.sendings.changed()).await;
        }
    }

    /// Has the function work through one batch. Gives how many messages it had.
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
        let (again, done): (Vec<String>, Vec<String>) =
            ids.partition(|id| failed.as_ref().is_none_or(|failed| failed.contains(id)));
        self.bus.delete(&done)?;
        self.bus.give_back(&again, AGAIN)?;
        Ok(messages.len())
    }

    /// One invocation: the ids of the messages that failed; `None` when the function itself failed.
    async fn invoke(&self, messages: &[Message]) -> Option<Vec<String>> {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
        context.deadline = SystemClock.unix_millis() + self.source.timeout_seconds * 1_000;
        let records: Vec<Value> = messages.iter().map(record).collect();
        let answer = self.function.answer(&self.intake, json!({ "Records": records }), &context);
        let answer = std::panic::AssertUnwindSafe(answer).catch_unwind().await.ok()?;
        let answer = answer.map_err(|error| tracing::error!(%error, "the function fails")).ok()?;
        let failures = answer["batchItemFailures"].as_array()?.iter();
        Some(failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
    }
}

/// A message as Lambda hands it on.
fn record(message: &Message) -> Value {
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
