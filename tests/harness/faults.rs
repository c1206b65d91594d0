//! A proxy between the SDK and the table that injects faults of networks and busy tables.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::proxy::{self, Upstream};

/// How the proxy treats one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Forwards it unchanged, so that a later one meets the next fault.
    Passes,
    /// Answers that the table is too busy.
    Throttle,
    /// Answers a single write with a conflict with a transaction.
    Conflict,
    /// Answers a transaction with a conflict with another one.
    TransactionConflict,
    /// Answers with an internal error of the table.
    InternalError,
    /// Forwards it and drops the answer.
    AnswerLost,
    /// Breaks the connection before the table sees it.
    NeverArrives,
    /// Forwards it once the test releases it.
    Holds,
    /// Answers with a validation error whose text must not leave the system.
    Malformed,
    /// Returns this many keys or rows of a batch, the last ones, as unprocessed.
    Unprocessed(usize),
    /// Forwards it and remembers the members' rows in its answer.
    Remembers,
    /// Answers with the remembered members' rows, as if a transaction were half applied.
    OldMembers,
    /// Refuses this many of the events to publish, the first ones, with this error code.
    NotTaken(usize, &'static str),
}

/// Faults that wait for requests of an operation, first in, first out.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    waiting: Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    /// Percentage and source of random faults.
    random: Arc<Mutex<Option<(u8, fastrand::Rng)>>>,
    /// Whether a request is held, and whether it is released.
    held: Arc<(Notify, Notify)>,
    /// Rows for [`Fault::OldMembers`].
    remembered: Arc<Mutex<Vec<Value>>>,
}

#[derive(Clone)]
struct Proxy {
    faults: Faults,
    upstream: Upstream,
}

impl Faults {
    /// Injects this fault into the next request of the operation.
    pub fn next(&self, operation: &'static str, fault: Fault) -> &Self {
        self.waiting.lock().unwrap().push_back((operation, fault));
        self
    }

    /// Injects this fault into the next `times` requests of the operation.
    pub fn repeat(&self, operation: &'static str, fault: Fault, times: usize) {
        for _ in 0..times {
            self.next(operation, fault);
        }
    }

    /// From now on, injects a transient fault into this percentage of requests, drawn by the seed.
    pub fn at_random(&self, percent: u8, seed: u64) {
        *self.random.lock().unwrap() = Some((percent, fastrand::Rng::with_seed(seed)));
    }

    /// Waits until a request is held.
    pub async fn wait_for_held(&self) {
        self.held.0.notified().await;
    }

    /// Releases the held request.
    pub fn release(&self) {
        self.held.1.notify_one();
    }

    /// Injects no more faults.
    pub fn stop(&self) {
        *self.random.lock().unwrap() = None;
        self.waiting.lock().unwrap().clear();
    }

    /// Counts the faults that still wait for a request.
    pub fn left(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    /// Takes the fault for a request that has just arrived.
    fn take(&self, operation: &str) -> Option<Fault> {
        let mut waiting = self.waiting.lock().unwrap();
        match waiting.iter().position(|(of, _)| *of == operation) {
            Some(index) => waiting.remove(index).map(|(_, fault)| fault),
            None => self.draw(operation),
        }
    }

    fn draw(&self, operation: &str) -> Option<Fault> {
        let mut drawn = self.random.lock().unwrap();
        let (percent, random) = drawn.as_mut()?;
        if random.u8(0..100) >= *percent {
            return None;
        }
        let fault = *random.choice(&[Fault::Throttle, Fault::InternalError, Fault::AnswerLost, Fault::NeverArrives])?;
        if operation == "PutEvents" && random.bool() {
            return Some(Fault::NotTaken(random.usize(1..4), "InternalFailure"));
        }
        let conflicts = operation.starts_with("Transact") && random.bool();
        Some(if conflicts { Fault::TransactionConflict } else { fault })
    }

    /// Starts the proxy in front of the service at this URL. Returns the URL of the proxy.
    pub async fn start_proxy(&self, endpoint: &str) -> String {
        let proxy = Proxy { faults: self.clone(), upstream: Upstream::new(endpoint) };
        proxy::serve(Router::new().fallback(pass).with_state(proxy)).await
    }
}

async fn pass(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = proxy::operation(&headers);
    match proxy.faults.take(operation) {
        None | Some(Fault::Passes) => proxy.forward(&headers, body).await,
        Some(Fault::Throttle) => error(400, proxy::error("ThrottlingException")),
        Some(Fault::Conflict) => error(400, proxy::error("TransactionConflictException")),
        Some(Fault::TransactionConflict) => {
            let request: Value = serde_json::from_slice(&body).unwrap();
            let actions = proxy::actions(&request).count();
            error(400, proxy::cancelled(&proxy::last_conflicts(actions)))
        }
        Some(Fault::InternalError) => error(500, proxy::error("InternalServerError")),
        Some(Fault::Malformed) => {
            let message = "ValidationException: GROUP#secret MEMBER#secret SEARCH#secret canary";
            let mut body = proxy::error("ValidationException");
            body["message"] = json!(message);
            error(400, body)
        }
        Some(Fault::AnswerLost) => {
            proxy.forward(&headers, body).await;
            broken()
        }
        Some(Fault::NeverArrives) => broken(),
        Some(Fault::Holds) => {
            proxy.faults.held.0.notify_one();
            proxy.faults.held.1.notified().await;
            proxy.forward(&headers, body).await
        }
        Some(Fault::Unprocessed(count)) => proxy.forward_part(&headers, &body, count).await,
        Some(fault @ (Fault::Remembers | Fault::OldMembers)) => {
            let (status, body) = proxy.upstream.send(&headers, body.to_vec()).await;
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            let rows =
                answer["Responses"].as_object_mut().unwrap().values_mut().next().unwrap().as_array_mut().unwrap();
            let is_member = |row: &Value| row["SK"]["S"].as_str().unwrap().starts_with("MEMBER#");
            let mut remembered = proxy.faults.remembered.lock().unwrap();
            if fault == Fault::Remembers {
                *remembered = rows.iter().filter(|row| is_member(row)).cloned().collect();
            } else {
                rows.retain(|row| !is_member(row));
                rows.append(&mut remembered);
            }
            proxy::answer(status, answer.to_string())
        }
        Some(Fault::NotTaken(count, reason)) => proxy.publish_part(&headers, &body, count, reason).await,
    }
}

fn error(status: u16, body: Value) -> Response {
    proxy::answer(StatusCode::from_u16(status).unwrap(), body.to_string())
}

/// A body that fails before its first byte: to the client, a broken connection.
fn broken() -> Response {
    let stream = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    axum::body::Body::from_stream(stream).into_response()
}

impl Proxy {
    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        let (status, body) = self.upstream.send(headers, body.to_vec()).await;
        proxy::answer(status, body)
    }

    async fn publish_part(&self, headers: &HeaderMap, body: &Bytes, count: usize, reason: &str) -> Response {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let entries = request["Entries"].as_array_mut().unwrap();
        let not_taken = entries.drain(..count.min(entries.len())).count();
        let mut results = vec![json!({ "ErrorCode": reason, "ErrorMessage": "no canary" }); not_taken];
        if !entries.is_empty() {
            let (_, answer) = self.upstream.send(headers, request.to_string().into_bytes()).await;
            let mut answer: Value = serde_json::from_slice(&answer).unwrap();
            results.append(answer["Entries"].as_array_mut().unwrap());
        }
        let answer = json!({ "FailedEntryCount": not_taken, "Entries": results });
        (StatusCode::OK, [("content-type", "application/x-amz-json-1.1")], answer.to_string()).into_response()
    }

    async fn forward_part(&self, headers: &HeaderMap, body: &Bytes, count: usize) -> Response {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let tables = request["RequestItems"].as_object_mut().unwrap();
        let (name, wanted) = tables.iter_mut().next().unwrap();
        let name = name.clone();
        // A batch of writes is a list itself.
        let is_write = wanted.is_array();
        let items = if is_write { wanted } else { &mut wanted["Keys"] }.as_array_mut().unwrap();
        let left = json!(items.split_off(items.len() - count));
        let left = if is_write { left } else { json!({ "Keys": left, "ConsistentRead": true }) };
        let (status, body) = self.upstream.send(headers, request.to_string().into_bytes()).await;
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        answer[if is_write { "UnprocessedItems" } else { "UnprocessedKeys" }] = json!({ name: left });
        proxy::answer(status, answer.to_string())
    }
}
