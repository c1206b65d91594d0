//! Wakes the pollers when there may be work for them, so that an idle server does next to nothing.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The pause after an empty read while there is activity. Lambda polls four times a second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// The pause of an idle poller. Another process may write to the table.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Counts what may have written to the table: requests, messages and records.
#[derive(Debug, Clone)]
pub struct Activity(watch::Sender<u64>);

impl Default for Activity {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Activity {
    /// Wakes all pollers.
    pub fn note(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Pauses for a poller.
    #[must_use]
    pub fn pauses(&self) -> Pauses {
        Pauses { activity: self.0.subscribe(), next: SHORTEST_PAUSE }
    }
}

/// The pauses of a poller: each is twice as long as the one before, until there is activity.
#[derive(Debug)]
pub struct Pauses {
    activity: watch::Receiver<u64>,
    next: Duration,
}

impl Pauses {
    /// Waits until the pause is over or there is activity.
    pub async fn wait(&mut self) {
        let pause = self.next;
        self.next = LONGEST_PAUSE.min(pause * 2);
        if timeout(pause, self.activity.changed()).await.is_ok() {
            self.reset();
        }
    }

    /// Begins with the shortest pause again.
    pub fn reset(&mut self) {
        self.next = SHORTEST_PAUSE;
    }
}
