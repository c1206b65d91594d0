//! Events of other systems, and events for them.

mod incoming;
mod intake;
mod outgoing;

pub use incoming::{AccountEvent, IncomingEvent};
pub use intake::ApplyError;
pub use outgoing::{announcement_of, event_of};
