//! What is counted of an invocation, wherever in it that happens.

use std::cell::Cell;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::task_local;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Requests to the table, each attempt.
    TableRequests,
    /// Read units, as the table tells them.
    ReadUnits,
    /// Write units, as the table tells them.
    WriteUnits,
    /// Jobs that came to their end.
    JobsDone,
    /// Steps of jobs that failed.
    JobsFailed,
    /// Jobs that failed so often that they wait for an operator.
    JobsSetAside,
}

impl Counter {
    pub(super) const ALL: [Self; 6] =
        [Self::TableRequests, Self::ReadUnits, Self::WriteUnits, Self::JobsDone, Self::JobsFailed, Self::JobsSetAside];

    /// In lines and metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TableRequests => "table_requests",
            Self::ReadUnits => "read_units",
            Self::WriteUnits => "write_units",
            Self::JobsDone => "jobs_done",
            Self::JobsFailed => "jobs_failed",
            Self::JobsSetAside => "jobs_set_aside",
        }
    }
}

/// What was counted; units come in halves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts([f64; Counter::ALL.len()]);

impl Counts {
    /// How many.
    #[must_use]
    pub const fn of(&self, counter: Counter) -> f64 {
        self.0[counter as usize]
    }

    /// What was counted at all, by its name.
    pub(super) fn counted(&self) -> impl Iterator<Item = (&'static str, f64)> {
        Counter::ALL.into_iter().map(|counter| (counter.name(), self.of(counter))).filter(|(_, count)| *count > 0.0)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, count) in self.counted() {
            // Whole ones as such.
            if count.fract() == 0.0 {
                map.serialize_entry(name, &(count as u64))?;
            } else {
                map.serialize_entry(name, &count)?;
            }
        }
        map.end()
    }
}

task_local! {
    static COUNTS: Cell<Counts>;
}

/// Counts for the invocation that this is a part of; outside of one, nothing.
pub fn count(counter: Counter, by: f64) {
    let _ = COUNTS.try_with(|counts| {
        let mut now = counts.get();
        now.0[counter as usize] += by;
        counts.set(now);
    });
}

/// Does the work; gives what was counted meanwhile, too.
pub async fn counting<T>(work: impl Future<Output = T>) -> (T, Counts) {
    let counted = async { (work.await, COUNTS.with(Cell::get)) };
    COUNTS.scope(Cell::default(), counted).await
}
