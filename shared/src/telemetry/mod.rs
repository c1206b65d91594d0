//! Logs and metrics: one JSON object a line, on standard output, as CloudWatch takes them. What an invocation came to is one
//! line, which CloudWatch makes metrics of as well.

mod counters;
mod line;

use std::io::{self, Write};
use std::sync::OnceLock;

use tracing::Level;

pub use self::counters::{Counter, Counts, count, counting};
pub use self::line::{Invocation, Outcome, metric_names};

/// Makes what a line is written to.
pub type Output = fn() -> Box<dyn Write>;

/// Where lines go and, where there are metrics, their namespace.
static LINES: OnceLock<(Output, Option<String>)> = OnceLock::new();

/// Starts logging for this process, to standard output, with metrics in this namespace; a second start changes nothing.
pub fn start(namespace: Option<String>) {
    let output: Output = || Box::new(io::stdout());
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
    // Whoever came first stays.
    let _ = subscriber.with_current_span(false).with_span_list(false).with_writer(output).try_init();
    // Without its message, which may have anything in it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    write_lines_to(output, namespace);
}

/// Has what invocations come to written there, beside a log that somebody else keeps.
pub fn write_lines_to(output: Output, namespace: Option<String>) {
    let _ = LINES.set((output, namespace));
}
