//! The queue consumer: applies events of other systems, about accounts and requests for membership.
//!
//! Takes a batch of messages and returns those to retry (`ReportBatchItemFailures`). Repeated, late or reordered messages have
//! the same result. An event that can never be applied, or not in time, becomes a dead letter with its reason.

use std::collections::HashMap;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use shared::app::{ApplyEventsDeps, QueueFunction, QueueMessage};
use shared::bus::DeadLetter;
use shared::domain::AccountId;
use shared::events::{ApplyError, IncomingEvent};

/// This function.
pub const FUNCTION: QueueFunction<ApplyEventsDeps> =
    QueueFunction::new("apply-events", |deps, messages| Box::pin(handler(deps, messages)));

/// The event in a message, or why it is none.
type Read = Result<IncomingEvent, ApplyError>;

/// Accounts of one batch whose messages are applied side by side.
const SIDE_BY_SIDE: usize = 10;

/// Handles a batch of messages. Returns the ids of those to retry. Messages about one account are applied in their order, those
/// about others side by side.
pub async fn handler(deps: &ApplyEventsDeps, messages: Vec<QueueMessage>) -> Vec<String> {
    let mut by_account: HashMap<Option<AccountId>, Vec<(QueueMessage, Read)>> = HashMap::new();
    for message in messages {
        let event = IncomingEvent::read(&message.body);
        let account = event.as_ref().ok().map(|event| event.account().clone());
        by_account.entry(account).or_default().push((message, event));
    }
    let lanes: Vec<_> = by_account.into_values().map(|events| apply_in_order(deps, events)).collect();
    stream::iter(lanes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await.concat()
}

async fn apply_in_order(deps: &ApplyEventsDeps, events: Vec<(QueueMessage, Read)>) -> Vec<String> {
    let mut failed = Vec::new();
    for (message, event) in events {
        if !apply(deps, &message, event).await {
            failed.push(message.id);
        }
    }
    failed
}

/// Applies one message. Returns whether the queue can delete it.
async fn apply(deps: &ApplyEventsDeps, message: &QueueMessage, event: Read) -> bool {
    let (store, clock) = (&deps.app.store, &deps.app.clock);
    let applied = match event {
        Ok(event) => event.apply(store, &deps.privileged_sources, clock.now()).await,
        Err(error) => Err(error),
    };
    let Err(error) = applied else { return true };
    let age = Duration::from_millis(clock.unix_millis().saturating_sub(message.sent_at));
    match error.dead_letter_reason(age > deps.request_time_budget) {
        Some(reason) => deps.dead_letters.put(&DeadLetter { body: &message.body, reason }).await.is_ok(),
        None => false,
    }
}
