//! Converts an HTTP request to the event that API Gateway sends (HTTP API, payload format 2.0), and a function's reply to an
//! HTTP response.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, uri::Authority};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

/// Facts about a request that the gateway adds to the event.
pub struct GatewayContext<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The route: its method and path, with parameters in braces, or `$default`.
    pub route_key: &'a str,
    /// The parameters' names and values, percent-encoded as in the path.
    pub path_parameters: Vec<(String, String)>,
    /// The authorizer's part of the context: the token's claims, flattened.
    pub authorizer: Value,
    /// When the request arrived.
    pub time: OffsetDateTime,
}

/// Returns the event for a request.
#[must_use]
pub fn of_request(parts: &Parts, body: &Bytes, gateway: &GatewayContext<'_>) -> Value {
    let query = parts.uri.query().unwrap_or_default();
    let (body, is_base64_encoded) = event_body(&parts.headers, body);
    let mut event = json!({
        "version": "2.0",
        "routeKey": gateway.route_key,
        "rawPath": decode(parts.uri.path()),
        "rawQueryString": query,
        "headers": headers(&parts.headers),
        "requestContext": request_context(parts, gateway),
        "isBase64Encoded": is_base64_encoded,
    });
    // As API Gateway does, the event leaves out absent parts of the request.
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !gateway.path_parameters.is_empty() {
        let decoded = gateway.path_parameters.iter().map(|(name, value)| (name.clone(), json!(decode(value))));
        event["pathParameters"] = decoded.collect::<Map<_, _>>().into();
    }
    let cookies = text(parts.headers.get(COOKIE)).split(';').map(str::trim);
    let cookies: Vec<&str> = cookies.filter(|cookie| !cookie.is_empty()).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    event
}

fn request_context(parts: &Parts, gateway: &GatewayContext<'_>) -> Value {
    json!({
        "accountId": "123456789012",
        "apiId": "local",
        "authorizer": gateway.authorizer,
        "domainName": "local",
        "domainPrefix": "local",
        "http": {
            "method": parts.method.as_str(),
            "path": decode(parts.uri.path()),
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": text(parts.headers.get(USER_AGENT)),
        },
        "requestId": gateway.request_id,
        "routeKey": gateway.route_key,
        "stage": "$default",
        "time": gateway_time(gateway.time),
        "timeEpoch": gateway.time.unix_timestamp() * 1_000,
    })
}

/// Returns the body as the event carries it, and whether it is base64.
fn event_body(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    match std::str::from_utf8(body) {
        Ok(text) if is_text(headers) || text.is_empty() => (text.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

/// Decodes a path once, as API Gateway does wherever it shows it.
fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Formats a time as the access log's `$context.requestTime`.
fn gateway_time(time: OffsetDateTime) -> String {
    let form = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    time.format(form).unwrap_or_default()
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a body is sent as text; bodies of other types are sent in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = text(headers.get(CONTENT_TYPE)).to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/") || ["json", "xml", "javascript"].iter().any(|kind| essence.ends_with(kind))
}

/// Headers with names in lower case and equal names joined by commas. Cookies are elsewhere in the event.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| **name != COOKIE) {
        let values: Vec<&str> = headers.get_all(name).iter().map(|value| text(Some(value))).collect();
        let value = values.join(",");
        // A deployed gateway is only reachable under a valid host name.
        if *name != HOST || value.parse::<Authority>().is_ok() {
            joined.insert(name.to_string(), json!(value));
        }
    }
    // The gateway overwrites these headers of the client. A deployed one is reached by HTTPS only.
    let own = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-port", "443"), ("x-forwarded-proto", "http")];
    joined.extend(own.map(|(name, value)| (name.to_owned(), json!(value))));
    joined
}

/// Query parameters as the gateway decodes them: values of equal names are joined by commas.
fn query_parameters(query: &str) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")));
        let entry = joined.entry(name);
        entry.and_modify(|values| *values = format!("{values},{value}")).or_insert(value);
    }
    json!(joined)
}

/// A function's reply to the gateway.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionReply {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Converts a function's reply to a response; a malformed reply becomes 502, as at a deployed gateway.
#[must_use]
pub fn to_response(reply: Value) -> Response<Body> {
    read_reply(reply).unwrap_or_else(|| own_response(StatusCode::BAD_GATEWAY, "Internal Server Error"))
}

fn read_reply(reply: Value) -> Option<Response<Body>> {
    let reply: FunctionReply = serde_json::from_value(reply).ok()?;
    let body = reply.body.unwrap_or_default();
    let body = if reply.is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(reply.status_code).ok()?;
    for (name, value) in reply.headers {
        response.headers_mut().append(HeaderName::try_from(name).ok()?, value.parse().ok()?);
    }
    for cookie in reply.cookies {
        response.headers_mut().append(SET_COOKIE, cookie.parse().ok()?);
    }
    Some(response)
}

/// A response of the gateway itself, with a message.
#[must_use]
pub fn own_response(status: StatusCode, message: &str) -> Response<Body> {
    json_response(status, &json!({ "message": message }))
}

/// A JSON response that no function made.
#[must_use]
pub fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
