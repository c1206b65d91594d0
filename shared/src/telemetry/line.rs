//! The line that tells what an invocation came to, in the form that CloudWatch also makes metrics of (CloudWatch User Guide,
//! "Specification: Embedded metric format"). Texts of others' making are in it without what would move, hide or end text.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::LINES;
use super::counters::{Counter, Counts};
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Timestamp};

/// No invocation has come to this process.
static IS_COLD: AtomicBool = AtomicBool::new(true);

// Fields of the line that are metrics, beside what is counted.
const MILLISECONDS: &str = "milliseconds";
const LAG: &str = "lag";
const FAILED: &str = "failed";

/// An invocation that is under way.
#[derive(Debug)]
pub struct Invocation {
    function: &'static str,
    started: Instant,
    cold_start: bool,
}

/// What an invocation came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "message")]
pub enum Outcome<'a> {
    /// A request was answered.
    Request {
        /// Method and path, as the gateway's route has them.
        #[serde(serialize_with = "plainly")]
        route: Option<&'a str>,
        /// `sub` of the token.
        #[serde(serialize_with = "plainly")]
        caller: Option<&'a str>,
        /// Of the answer.
        status: u16,
        /// What went wrong on our side.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// A batch of records or messages was worked through.
    Batch {
        /// How many there were.
        items: usize,
        /// How many have to come again.
        failed: usize,
        /// Milliseconds since the first of them happened.
        #[serde(skip_serializing_if = "Option::is_none")]
        lag: Option<u64>,
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
    outcome: &'a Outcome<'a>,
    milliseconds: u64,
    cold_start: bool,
    #[serde(flatten)]
    counts: Counts,
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

impl Outcome<'_> {
    const fn is_fault(&self) -> bool {
        matches!(self, Self::Request { status: 500.., .. })
    }

    const fn has_lag(&self) -> bool {
        matches!(self, Self::Batch { lag: Some(_), .. })
    }
}

impl Invocation {
    /// One of this function begins.
    #[must_use]
    pub fn begin(function: &'static str) -> Self {
        Self { function, started: Instant::now(), cold_start: IS_COLD.swap(false, Ordering::Relaxed) }
    }

    /// Tells what it came to, where anybody listens.
    pub fn end(self, request_id: &str, trace: Option<&str>, outcome: &Outcome<'_>, counts: Counts) {
        let Some((output, namespace)) = LINES.get() else { return };
        let now = SystemClock.unix_millis();
        let metrics = namespace.as_deref().map(|namespace| Metadata {
            timestamp: now,
            cloud_watch_metrics: [Directive {
                namespace,
                dimensions: [["function"]],
                metrics: metrics(outcome, counts),
            }],
        });
        let line = Line {
            timestamp: timestamp(now),
            level: if outcome.is_fault() { "ERROR" } else { "INFO" },
            function: self.function,
            request_id: plain(request_id),
            trace: trace.map(plain),
            outcome,
            milliseconds: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            cold_start: self.cold_start,
            counts,
            metrics,
        };
        // Whoever cannot be told is not told.
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            let _ = output().write_all(&text);
        }
    }
}

/// What there may be metrics of, by their names.
pub fn metric_names() -> impl Iterator<Item = &'static str> {
    [MILLISECONDS, LAG, FAILED].into_iter().chain(Counter::ALL.into_iter().map(Counter::name))
}

fn metrics(outcome: &Outcome<'_>, counts: Counts) -> Vec<Metric> {
    let times = [MILLISECONDS].into_iter().chain(outcome.has_lag().then_some(LAG));
    let times = times.map(|name| Metric { name, unit: "Milliseconds" });
    let counts = counts.counted().map(|(name, _)| Metric { name, unit: "Count" });
    let failed = matches!(outcome, Outcome::Batch { .. }).then_some(Metric { name: FAILED, unit: "Count" });
    times.chain(counts).chain(failed).collect()
}

fn plainly<S: Serializer>(text: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    text.map(plain).serialize(serializer)
}

/// Without what moves, hides or ends text where a line is shown: JSON lets most of it stand.
fn plain(text: &str) -> Cow<'_, str> {
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
