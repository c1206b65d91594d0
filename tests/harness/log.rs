//! Captures the log while tests run and checks each line: one JSON object, as CloudWatch expects, that leaks nothing.
//!
//! The process has one log, and tests run side by side. A captured line therefore belongs to the tokio runtime that it
//! was written on: every test has its own.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, Once, Weak};

use serde_json::{Map, Value};
use shared::telemetry;
use tokio::runtime::{Handle, Id};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Texts that no log may show: the word that tests plant, names of accounts in tests and demo data, and the beginning
/// of every token.
const CANARIES: [&str; 5] = ["canary", "name.of.", "john.doe", "@company.com", "eyJ"];
/// Texts that occur only inside the system.
const INTERNALS: [&str; 7] = ["Bearer", "GROUP#", "MEMBER#", "SEARCH#", "panicked", "SdkError", "Some("];

/// Returns the canary that a text contains.
pub fn canary_in(text: &str) -> Option<&'static str> {
    CANARIES.into_iter().find(|canary| text.contains(canary))
}

/// Describes the first mistake in a log line.
pub fn mistake_in(line: &str) -> Option<String> {
    let fields = serde_json::from_str::<Map<String, Value>>(line).ok();
    let Some(mut fields) = fields.filter(|_| !line.bytes().any(|byte| byte.is_ascii_control())) else {
        return Some(format!("is no JSON object on one line: {line}"));
    };
    // The log names the subject of the token on purpose, and that may be any text.
    fields.remove("caller");
    let logged = Value::Object(fields).to_string();
    let leak = canary_in(&logged).or_else(|| INTERNALS.into_iter().find(|internal| logged.contains(internal)));
    leak.map(|leak| format!("shows {leak}: {line}"))
}

/// Asserts that every line of a log is well-formed and leaks nothing.
#[track_caller]
pub fn assert_discreet(log: &str) {
    let mistakes: Vec<String> = log.lines().filter_map(mistake_in).collect();
    assert!(mistakes.is_empty(), "a line of the log {}", mistakes.join("\n"));
}

/// The lines written on one runtime.
#[derive(Default)]
struct Log {
    lines: usize,
    mistakes: Vec<String>,
}

/// The log of each runtime that has a [`LogCapture`]. Tokio may use the id of a runtime again once it has ended.
static LOGS: LazyLock<Mutex<HashMap<Id, Weak<Mutex<Log>>>>> = LazyLock::new(Mutex::default);

/// Writes to the log of the current runtime. Drops lines written where no test captures them.
pub struct LogWriter;

impl Write for LogWriter {
    /// Both sources, the subscriber and `telemetry`, write a line in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(line).unwrap();
        let mistake = text.strip_suffix('\n').map_or_else(|| Some(format!("has no end: {text}")), mistake_in);
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        let log = runtime.and_then(|runtime| LOGS.lock().unwrap().get(&runtime)?.upgrade());
        if let Some(log) = log {
            let mut log = log.lock().unwrap();
            log.lines += 1;
            log.mistakes.extend(mistake);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The captured log of one test. Dropping it fails the test when one of its lines has a mistake.
pub struct LogCapture(Arc<Mutex<Log>>);

impl LogCapture {
    /// Captures all lines that functions write on the current runtime, in the format of `telemetry`. Leaves out those of
    /// the embedded table.
    pub fn start() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            let of_functions = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::OFF);
            tracing_subscriber::registry().with(lines.with_writer(|| LogWriter)).with(of_functions).init();
            telemetry::write_lines_to(|| Box::new(LogWriter), Some("groups-test".into()));
        });
        let runtime = Handle::current().id();
        let mut logs = LOGS.lock().unwrap();
        logs.retain(|_, log| log.strong_count() > 0);
        let existing = logs.get(&runtime).and_then(Weak::upgrade);
        let log = existing.unwrap_or_default();
        logs.insert(runtime, Arc::downgrade(&log));
        Self(log)
    }

    /// Counts the lines of this test so far.
    pub fn lines(&self) -> usize {
        self.0.lock().unwrap().lines
    }
}

impl Drop for LogCapture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let mistakes = std::mem::take(&mut self.0.lock().unwrap().mistakes);
            assert!(mistakes.is_empty(), "a line of the log {}", mistakes.join("\n"));
        }
    }
}
