//! What other systems tell by events.

pub mod incoming;

pub use incoming::AccountEvent;
