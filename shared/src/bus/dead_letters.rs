//! Dead letters: messages that can never be processed, set aside in an SQS queue for an operator.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::MessageAttributeValue;
use tokio::time::Instant;

use crate::aws::retry::{TimeLimit, internal, is_retryable, send_with_retry};
use crate::aws::{Connection, OmitSdkHeaders};
use crate::config::Service;
use crate::domain::Error;

const OPERATION: &str = "SendMessage";

/// The message attribute that holds the reason.
const REASON: &str = "reason";

/// A message that can never be processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The message as it was received or built; an operator can send it again.
    pub body: &'a str,
    /// The reason; it has no values from the message other than ids.
    pub reason: String,
}

/// The SQS queue for dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    url: Arc<str>,
    limit: TimeLimit,
}

impl DeadLetters {
    /// Returns the queue with this URL. Each request has `time_budget`, retries included.
    #[must_use]
    pub fn connected(connection: &Connection, url: &str, time_budget: Duration) -> Self {
        let settings = Builder::from(&connection.settings(Service::Sqs)).interceptor(OmitSdkHeaders);
        Self { client: Client::from_conf(settings.build()), url: url.into(), limit: TimeLimit::PerRequest(time_budget) }
    }

    /// Returns the same queue with a deadline for all its requests.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { limit: TimeLimit::Until(deadline), ..self.clone() }
    }

    /// Sends a dead letter with one `SendMessage`. After a lost response, a retry may duplicate it.
    ///
    /// # Errors
    /// The queue did not accept it in time.
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
        let sent = send_with_retry(OPERATION, self.limit.deadline(), is_retryable, || request.clone().send()).await?;
        sent.map(drop).map_err(internal(OPERATION))
    }
}
