//! What other systems tell and ask for by events, and what they are told.

mod incoming;
mod intake;
mod outgoing;

pub use incoming::{AccountEvent, IncomingEvent};
pub use intake::Refusal;
pub use outgoing::entry;
