//! A clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::domain::{Clock, Timestamp};

use super::now;

/// Shows the time of its making until the test moves it.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(now().unix_seconds().cast_unsigned() * 1_000)))
    }

    /// Moves the clock back by these seconds.
    pub fn step_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds * 1_000, Ordering::Relaxed);
    }

    /// Moves the clock forward by these seconds.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn unix_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The time so many seconds later, or earlier for a negative number.
pub fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(time.unix_seconds() + seconds)
}
