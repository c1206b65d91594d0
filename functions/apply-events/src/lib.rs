//! The queue of events that other systems send: accounts, and requests for membership.
//!
//! Takes a batch of messages and names those that have to come again (`ReportBatchItemFailures`). Twice, late or out of
//! order is all the same to it. What can never be taken, or not in time, goes to the queue of dead letters with its reason.

use std::time::Duration;

use shared::app::{ApplyEventsDeps, Message, QueueFunction};
use shared::bus::DeadLetter;
use shared::events::IncomingEvent;

/// This function.
pub const FUNCTION: QueueFunction<ApplyEventsDeps> =
    QueueFunction::new("apply-events", |intake, messages| Box::pin(handler(intake, messages)));

/// Works through messages; gives the ids of those that have to come again.
pub async fn handler(intake: &ApplyEventsDeps, messages: Vec<Message>) -> Vec<String> {
    let mut again = Vec::new();
    for message in messages {
        if !take(intake, &message).await {
            again.push(message.id);
        }
    }
    again
}

/// Gives whether the message is done with.
async fn take(intake: &ApplyEventsDeps, message: &Message) -> bool {
    let (store, clock) = (&intake.app.store, &intake.app.clock);
    let Err(refusal) = IncomingEvent::take(&message.body, store, clock.now()).await else {
        return true;
    };
    let age = Duration::from_millis(clock.unix_millis().saturating_sub(message.sent_at));
    match refusal.gives_up(age > intake.patience) {
        Some(reason) => intake.dead_letters.put(&DeadLetter { body: &message.body, reason }).await.is_ok(),
        None => false,
    }
}
