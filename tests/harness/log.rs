//! What is logged while tests run, looked through as it is written: every line is one JSON object, as CloudWatch takes
//! them, and shows nothing that no log may show.

use std::io::{self, Write};
use std::sync::{Mutex, Once};

use serde_json::{Map, Value};
use shared::telemetry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Planted in names, addresses, texts, keys and tokens: what a test calls a canary, what all accounts of tests and of the
/// demo data are called, and how every token begins.
const CANARIES: [&str; 5] = ["canary", "name.of.", "john.doe", "@company.com", "eyJ"];
/// What only our inside looks like.
const INSIDE: [&str; 7] = ["Bearer", "GROUP#", "MEMBER#", "GSI1", "panicked", "SdkError", "Some("];

/// What a text shows that goes to somebody who may not know it.
pub fn canary_in(text: &str) -> Option<&'static str> {
    CANARIES.into_iter().find(|canary| text.contains(canary))
}

/// What is wrong with a line of a log.
pub fn fault_of(line: &str) -> Option<String> {
    let fields = serde_json::from_str::<Map<String, Value>>(line).ok();
    let Some(mut fields) = fields.filter(|_| !line.bytes().any(|byte| byte.is_ascii_control())) else {
        return Some(format!("is no JSON object on one line: {line}"));
    };
    // Whoever a token says that it is of, is told, by whatever name.
    fields.remove("caller");
    let told = Value::Object(fields).to_string();
    let shown = canary_in(&told).or_else(|| INSIDE.into_iter().find(|inside| told.contains(inside)));
    shown.map(|shown| format!("shows {shown}: {line}"))
}

/// Holds that nothing is wrong with a log.
#[track_caller]
pub fn assert_discreet(log: &str) {
    let faults: Vec<String> = log.lines().filter_map(fault_of).collect();
    assert!(faults.is_empty(), "a line of the log {}", faults.join("\n"));
}

/// How many lines were looked through, and what is wrong with some.
static LOOKED_THROUGH: Mutex<(usize, Vec<String>)> = Mutex::new((0, Vec::new()));

struct LookedThrough;

impl Write for LookedThrough {
    /// The subscriber writes each event at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = std::str::from_utf8(event).unwrap();
        let fault = line.strip_suffix('\n').map_or_else(|| Some(format!("has no end: {line}")), fault_of);
        let mut looked_through = LOOKED_THROUGH.lock().unwrap();
        looked_through.0 += 1;
        looked_through.1.extend(fault);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever has one ends only when nothing that was logged is wrong.
pub struct Watch(());

impl Watch {
    /// From now on, all that functions log is looked through, in the form that `telemetry` gives it. The embedded table is
    /// none of them.
    pub fn start() -> Self {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            let of_functions = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::OFF);
            tracing_subscriber::registry().with(lines.with_writer(|| LookedThrough)).with(of_functions).init();
            telemetry::write_lines_to(|| Box::new(LookedThrough), Some("groups-test".into()));
        });
        Self(())
    }

    /// Lines looked through so far, of the whole run.
    pub fn lines() -> usize {
        LOOKED_THROUGH.lock().unwrap().0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let faults = LOOKED_THROUGH.lock().unwrap().1.clone();
            assert!(faults.is_empty(), "of this test or one beside it, a line of the log {}", faults.join("\n"));
        }
    }
}
