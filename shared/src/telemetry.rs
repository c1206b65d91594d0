//! Logs: one JSON object a line, on standard output, as CloudWatch takes them.

use tracing::Level;

/// Starts logging for this process; a second start changes nothing.
pub fn start() {
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
    // Whoever came first stays.
    let _ = subscriber.with_current_span(false).with_span_list(false).try_init();
}
