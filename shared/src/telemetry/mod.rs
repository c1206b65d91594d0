//! Logs and metrics: one JSON object per line on standard output, for CloudWatch. Each invocation ends with one summary
//! line, from which CloudWatch also derives the metrics.

mod counters;
mod line;

use std::io::{self, Write};
use std::sync::OnceLock;

use tracing::Level;

pub use self::counters::{Counter, Counters, count, with_counters};
pub use self::line::{Invocation, InvocationSummary, metric_names};

/// Opens the writer for one line.
pub type Output = fn() -> Box<dyn Write>;

/// The output of summary lines and the namespace of their metrics, if they have any.
static LINES: OnceLock<(Output, Option<String>)> = OnceLock::new();

/// Starts logging to standard output, with metrics in `namespace`. Later calls in the same process have no effect.
pub fn start(namespace: Option<String>) {
    let output: Output = || Box::new(io::stdout());
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
    // An existing subscriber is kept.
    let _ = subscriber.with_current_span(false).with_span_list(false).with_writer(output).try_init();
    // The panic message is left out: it may contain any data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    write_lines_to(output, namespace);
}

/// Writes summary lines to `output`, for processes that set up their own log. The first call wins.
pub fn write_lines_to(output: Output, namespace: Option<String>) {
    let _ = LINES.set((output, namespace));
}
