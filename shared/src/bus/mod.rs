//! Where things go that other systems, or an operator, are to know: events to EventBridge, and what cannot be taken to a
//! queue of dead letters, with its reason.

mod dead_letters;
mod event_bus;

pub use dead_letters::{DeadLetter, DeadLetters};
pub use event_bus::{Delivery, Entry, EventBus};
