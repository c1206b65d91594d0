//! Tells requests of this machine's programs from those of web pages.

use axum::http::header::{HOST, HeaderMap, ORIGIN};
use axum::http::uri::Authority;

/// Whether a program of this machine sent a request, and no web page: it has no `Origin`, and its host is this machine. A page
/// that rebinds its own name to this machine keeps that name as the host.
#[must_use]
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let is_this_machine = |host: &str| matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    !headers.contains_key(ORIGIN) && host.is_some_and(|host| is_this_machine(host.host()))
}
