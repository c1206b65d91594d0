//! Outgoing messages: events to EventBridge, and dead letters to an SQS queue, each with its reason.

mod dead_letters;
mod event_bus;

pub use dead_letters::{DeadLetter, DeadLetters};
pub use event_bus::{Delivery, Entry, EventBus};
