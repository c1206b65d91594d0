//! What can never be done, put where an operator finds it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::MessageAttributeValue;
use tokio::time::Instant;

use crate::aws::retry::{Time, attempt, internal, is_transient};
use crate::aws::{Connection, OmitSdkHeaders};
use crate::config::Service;
use crate::domain::Error;

const OPERATION: &str = "SendMessage";

/// The attribute of a message with the reason.
const REASON: &str = "reason";

/// A message that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// As it came: sent back, it is tried again.
    pub body: &'a str,
    /// Why it cannot be taken; no value from the message but ids.
    pub reason: String,
}

/// A queue of SQS for them.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    url: Arc<str>,
    time: Time,
}

impl DeadLetters {
    /// The queue with this URL; each request to it has so much time, its repetitions included.
    #[must_use]
    pub fn connected(connection: &Connection, url: &str, patience: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::Sqs)).interceptor(OmitSdkHeaders);
        Self { client: Client::from_conf(settings.build()), url: url.into(), time: Time::Each(patience) }
    }

    /// The same queue, given up at the deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { time: Time::Until(deadline), ..self.clone() }
    }

    /// Puts a message there; perhaps twice. One `SendMessage`.
    ///
    /// # Errors
    /// The queue did not take it in time.
    pub async fn put(&self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        tracing::warn!(reason = letter.reason, "a message becomes a dead letter");
        let reason = MessageAttributeValue::builder().data_type("String").string_value(&letter.reason).build();
        let reason = reason.map_err(|_| Error::Internal { operation: OPERATION, code: "not made".into() })?;
        let request = self
            .client
            .send_message()
            .queue_url(&*self.url)
            .message_body(letter.body)
            .message_attributes(REASON, reason);
        let sent = attempt(OPERATION, self.time.deadline(), is_transient, || request.clone().send()).await?;
        sent.map(drop).map_err(internal(OPERATION))
    }
}
