//! The log of the local gateway: a short line for each request.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use axum::http::request::Parts;

/// How requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestLog {
    /// Not by the gateway.
    Off,
    /// A short line each.
    Short {
        /// Whether the status has a colour.
        coloured: bool,
    },
}

impl RequestLog {
    /// Short lines on standard error, with colours on a terminal unless `NO_COLOR` is set (no-color.org).
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the developer's terminal")]
    pub fn short() -> Self {
        let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::Short { coloured: is_wanted && std::io::stderr().is_terminal() }
    }

    /// Logs a request.
    pub fn write(self, parts: &Parts, status: u16, took: Duration, caller: Option<&str>) {
        let Self::Short { coloured } = self else { return };
        let line = line(parts, status, took, caller, coloured);
        // Nobody reads it any more.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn line(parts: &Parts, status: u16, took: Duration, caller: Option<&str>, coloured: bool) -> String {
    let colour = match status {
        500.. => "31",
        400.. => "33",
        _ => "32",
    };
    let status = if coloured { format!("\x1b[{colour}m{status}\x1b[0m") } else { status.to_string() };
    // The path is percent-encoded, so that it cannot end the line.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // The name of a caller may be any text.
    let caller: String = caller.unwrap_or("-").chars().filter(|letter| !letter.is_control()).collect();
    format!("{status} {} {path} {} ms {caller}\n", parts.method, took.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_status_method_path_time_and_caller() {
        let (parts, ()) = axum::http::Request::get("/api/v1/groups?limit=5").body(()).unwrap().into_parts();
        let took = Duration::from_micros(3_900);
        assert_eq!(line(&parts, 200, took, Some("ada"), false), "200 GET /api/v1/groups?limit=5 3 ms ada\n");
        assert_eq!(line(&parts, 404, took, None, true), "\x1b[33m404\x1b[0m GET /api/v1/groups?limit=5 3 ms -\n");
        let several_lines = line(&parts, 200, took, Some("a\nb\x1b[31m"), false);
        assert_eq!(several_lines, "200 GET /api/v1/groups?limit=5 3 ms ab[31m\n");
    }
}
