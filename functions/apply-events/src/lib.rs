//! The queue consumer: applies events of other systems, about accounts and requests for membership.
//!
//! Takes a batch of messages and returns those to retry (`ReportBatchItemFailures`). Repeated, late or reordered messages have
//! the same result. An event that can never be applied, or not in time, becomes a dead letter with its reason.

use std::time::Duration;

use shared::app::{ApplyEventsDeps, QueueFunction, QueueMessage};
use shared::bus::DeadLetter;
use shared::events::IncomingEvent;

/// This function.
pub const FUNCTION: QueueFunction<ApplyEventsDeps> =
    QueueFunction::new("apply-events", |deps, messages| Box::pin(handler(deps, messages)));

/// Handles a batch of messages. Returns the ids of those to retry.
pub async fn handler(deps: &ApplyEventsDeps, messages: Vec<QueueMessage>) -> Vec<String> {
    let mut failed = Vec::new();
    for message in messages {
        if !apply(deps, &message).await {
            failed.push(message.id);
        }
    }
    failed
}

/// Applies one message. Returns whether the queue can delete it.
async fn apply(deps: &ApplyEventsDeps, message: &QueueMessage) -> bool {
    let (store, clock) = (&deps.app.store, &deps.app.clock);
    let Err(error) = IncomingEvent::parse_and_apply(&message.body, store, clock.now()).await else {
        return true;
    };
    let age = Duration::from_millis(clock.unix_millis().saturating_sub(message.sent_at));
    match error.dead_letter_reason(age > deps.request_time_budget) {
        Some(reason) => deps.dead_letters.put(&DeadLetter { body: &message.body, reason }).await.is_ok(),
        None => false,
    }
}
