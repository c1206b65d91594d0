//! The queue consumer: applies events of other systems, about accounts and requests for membership.
//!
//! Takes a batch of messages and returns those to retry (`ReportBatchItemFailures`). Repeated, late or reordered messages have
//! the same result. An event that can never be applied, or not in time, becomes a dead letter with its reason.

use std::collections::HashMap;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use shared::app::{ApplyEventsDeps, QueueFunction, QueueMessage};
use shared::bus::DeadLetter;
use shared::events::IncomingEvent;

/// This function.
pub const FUNCTION: QueueFunction<ApplyEventsDeps> =
    QueueFunction::new("apply-events", |deps, messages| Box::pin(handler(deps, messages)));

/// Accounts of one batch whose messages are applied side by side.
const SIDE_BY_SIDE: usize = 10;

/// Handles a batch of messages. Returns the ids of those to retry. Messages about one account are applied in their order, those
/// about others side by side.
pub async fn handler(deps: &ApplyEventsDeps, messages: Vec<QueueMessage>) -> Vec<String> {
    let mut by_account: HashMap<Option<String>, Vec<QueueMessage>> = HashMap::new();
    for message in messages {
        by_account.entry(IncomingEvent::account_of(&message.body)).or_default().push(message);
    }
    let lanes: Vec<_> = by_account.into_values().map(|messages| apply_in_order(deps, messages)).collect();
    stream::iter(lanes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await.concat()
}

async fn apply_in_order(deps: &ApplyEventsDeps, messages: Vec<QueueMessage>) -> Vec<String> {
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
