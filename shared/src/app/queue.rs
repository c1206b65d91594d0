//! A function on a queue.

use std::process::ExitCode;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use futures::future::BoxFuture;
use lambda_runtime::Context;
use serde_json::Value;

use super::events::{batch_answer, serve_events};
use super::resources::Resources;
use super::run;
use crate::domain::Error;
use crate::telemetry::{Invocation, counting};

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

/// How the handler of a queue is called: it gives the ids of the messages that have to come again.
type QueueHandler<R> = for<'a> fn(&'a R, Vec<Message>) -> BoxFuture<'a, Vec<String>>;

/// One function on a queue: its name, which is also its binary's and its folder's, and its handler.
pub struct QueueFunction<R> {
    /// What it does.
    pub name: &'static str,
    handler: QueueHandler<R>,
}

impl<R: Resources> QueueFunction<R> {
    /// A function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: QueueHandler<R>) -> Self {
        Self { name, handler }
    }

    /// Works through a batch of messages. Gives what Lambda wants to know (AWS Lambda Developer Guide, "Handling errors
    /// for an SQS event source in Lambda").
    ///
    /// # Errors
    /// What came is no batch of messages.
    pub async fn answer(&self, resources: &R, event: Value, context: &Context) -> Result<Value, Error> {
        let invocation = Invocation::begin(self.name);
        let unreadable = |_| Error::Internal { operation: "queue event", code: "unreadable".into() };
        let event: SqsEvent = serde_json::from_value(event).map_err(unreadable)?;
        let messages: Vec<Message> = event.records.into_iter().map(Message::from).collect();
        let (items, first) = (messages.len(), messages.iter().map(|message| message.sent_at).min());
        let resources = resources.for_invocation(Some(context));
        let worked = counting((self.handler)(&resources, messages)).await;
        Ok(batch_answer(invocation, context, (items, first), worked))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        run(
            self.name,
            serve_events(async |resources, event| self.answer(resources, event.payload, &event.context).await),
        )
    }
}
