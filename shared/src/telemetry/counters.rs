//! Counters of an invocation. Any code that runs within it can increase them.

use std::cell::Cell;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::task_local;

/// A counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Requests to the table; each attempt counts.
    TableRequests,
    /// Read units that the table reported.
    ReadUnits,
    /// Write units that the table reported.
    WriteUnits,
    /// Jobs that finished.
    JobsDone,
    /// Job steps that failed.
    JobsFailed,
    /// Jobs that failed too often and wait for an operator.
    JobsSetAside,
    /// Stream records of rows and jobs that only a later version knows.
    RecordsUnknown,
    /// Changes refused because they could alter who is in a privileged group.
    GuardRefusals,
}

impl Counter {
    pub(super) const ALL: [Self; 8] = [
        Self::TableRequests,
        Self::ReadUnits,
        Self::WriteUnits,
        Self::JobsDone,
        Self::JobsFailed,
        Self::JobsSetAside,
        Self::RecordsUnknown,
        Self::GuardRefusals,
    ];

    /// Returns the name in log lines and metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TableRequests => "table_requests",
            Self::ReadUnits => "read_units",
            Self::WriteUnits => "write_units",
            Self::JobsDone => "jobs_done",
            Self::JobsFailed => "jobs_failed",
            Self::JobsSetAside => "jobs_set_aside",
            Self::RecordsUnknown => "records_unknown",
            Self::GuardRefusals => "guard_refusals",
        }
    }
}

/// The values of all counters. Capacity units can be halves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters([f64; Counter::ALL.len()]);

impl Counters {
    /// Returns the value of a counter.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> f64 {
        self.0[counter as usize]
    }

    /// Returns the names and values of the counters above zero.
    pub(super) fn non_zero(&self) -> impl Iterator<Item = (&'static str, f64)> {
        Counter::ALL.into_iter().map(|counter| (counter.name(), self.get(counter))).filter(|(_, value)| *value > 0.0)
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.non_zero() {
            // A whole number is written without a fraction.
            if value.fract() == 0.0 {
                map.serialize_entry(name, &(value as u64))?;
            } else {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}

task_local! {
    static COUNTERS: Cell<Counters>;
}

/// Increases a counter of the current invocation. Outside of [`with_counters`] it does nothing.
pub fn count(counter: Counter, by: f64) {
    let _ = COUNTERS.try_with(|cell| {
        let mut counters = cell.get();
        counters.0[counter as usize] += by;
        cell.set(counters);
    });
}

/// Runs `work` with counters that start at zero. Returns its result and the final counters.
pub async fn with_counters<T>(work: impl Future<Output = T>) -> (T, Counters) {
    let counted = async { (work.await, COUNTERS.with(Cell::get)) };
    COUNTERS.scope(Cell::default(), counted).await
}
