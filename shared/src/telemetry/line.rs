//! The summary line of an invocation, in the embedded metric format (CloudWatch User Guide, "Specification: Embedded
//! metric format"), from which CloudWatch derives metrics. Characters in clients' texts that move, hide or end text are
//! replaced.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::LINES;
use super::counters::{Counter, Counters};
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Timestamp};

/// Whether this process has had no invocation yet.
static IS_COLD: AtomicBool = AtomicBool::new(true);

// Fields of the line that are metrics, besides the counters.
const MILLISECONDS: &str = "milliseconds";
const LAG: &str = "lag";
const FAILED_LAG: &str = "failed_lag";
const FAILED: &str = "failed";

/// A running invocation.
#[derive(Debug)]
pub struct Invocation {
    function: &'static str,
    started: Instant,
    cold_start: bool,
}

/// The result of an invocation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "message")]
pub enum InvocationSummary<'a> {
    /// The function answered a request.
    Request {
        /// The gateway's route: method and path pattern.
        #[serde(serialize_with = "serialize_printable")]
        route: Option<&'a str>,
        /// The caller's name in the token.
        #[serde(serialize_with = "serialize_printable")]
        caller: Option<&'a str>,
        /// The HTTP status.
        status: u16,
        /// The cause of an internal error.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// The function processed a batch of records or messages.
    Batch {
        /// The number of items in the batch.
        items: usize,
        /// The number of items to be delivered again.
        failed: usize,
        /// The age of the oldest item, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        lag: Option<u64>,
        /// The age of the oldest item that is delivered again, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        failed_lag: Option<u64>,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    function: &'static str,
    request_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
    #[serde(flatten)]
    summary: &'a InvocationSummary<'a>,
    milliseconds: u64,
    cold_start: bool,
    #[serde(flatten)]
    counters: Counters,
    #[serde(rename = "_aws", skip_serializing_if = "Option::is_none")]
    metrics: Option<Metadata<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: u64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl InvocationSummary<'_> {
    const fn is_server_error(&self) -> bool {
        matches!(self, Self::Request { status: 500.., .. })
    }

    fn lags(&self) -> impl Iterator<Item = &'static str> {
        let (lag, failed_lag) = match self {
            Self::Batch { lag, failed_lag, .. } => (lag.is_some(), failed_lag.is_some()),
            Self::Request { .. } => (false, false),
        };
        lag.then_some(LAG).into_iter().chain(failed_lag.then_some(FAILED_LAG))
    }
}

impl Invocation {
    /// Starts the clock of an invocation of `function`.
    #[must_use]
    pub fn begin(function: &'static str) -> Self {
        Self { function, started: Instant::now(), cold_start: IS_COLD.swap(false, Ordering::Relaxed) }
    }

    /// Writes the summary line, unless no output is set.
    pub fn end(self, request_id: &str, trace: Option<&str>, summary: &InvocationSummary<'_>, counters: Counters) {
        let Some((output, namespace)) = LINES.get() else { return };
        let now = SystemClock.unix_millis();
        let metrics = namespace.as_deref().map(|namespace| Metadata {
            timestamp: now,
            cloud_watch_metrics: [Directive {
                namespace,
                dimensions: [["function"]],
                metrics: metrics(summary, counters),
            }],
        });
        let line = Line {
            timestamp: timestamp(now),
            level: if summary.is_server_error() { "ERROR" } else { "INFO" },
            function: self.function,
            request_id: printable(request_id),
            trace: trace.map(printable),
            summary,
            milliseconds: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            cold_start: self.cold_start,
            counters,
            metrics,
        };
        // A line that cannot be written must not fail the invocation.
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            let _ = output().write_all(&text);
        }
    }
}

/// Returns the names of all metrics.
pub fn metric_names() -> impl Iterator<Item = &'static str> {
    [MILLISECONDS, LAG, FAILED_LAG, FAILED].into_iter().chain(Counter::ALL.into_iter().map(Counter::name))
}

fn metrics(summary: &InvocationSummary<'_>, counters: Counters) -> Vec<Metric> {
    let times = [MILLISECONDS].into_iter().chain(summary.lags());
    let times = times.map(|name| Metric { name, unit: "Milliseconds" });
    let counts = counters.non_zero().map(|(name, _)| Metric { name, unit: "Count" });
    let failed = matches!(summary, InvocationSummary::Batch { .. }).then_some(Metric { name: FAILED, unit: "Count" });
    times.chain(counts).chain(failed).collect()
}

fn serialize_printable<S: Serializer>(text: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    text.map(printable).serialize(serializer)
}

/// Replaces characters that move, hide or end text when a line is displayed. JSON escapes only a few of them.
fn printable(text: &str) -> Cow<'_, str> {
    let is_shown = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().all(is_shown) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_shown(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn timestamp(unix_millis: u64) -> String {
    let seconds = Timestamp::from_unix_seconds((unix_millis / 1_000).cast_signed()).to_string();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), unix_millis % 1_000)
}
