//! A proxy between the SDK and the table that does what networks and busy tables do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None after all: it is a later one's turn.
    Passes,
    /// The table is too busy for it.
    Throttle,
    /// It meets a transaction: as the SDK sees it for a single write.
    Conflict,
    /// It is a transaction that meets another.
    TransactionConflict,
    /// The table has a fault of its own.
    InternalError,
    /// It is done, but the answer never arrives.
    AnswerLost,
    /// The connection breaks before the table sees it.
    NeverArrives,
    /// The table says that it is wrong, in words that nobody outside should read.
    Malformed,
    /// Of a batch, this many keys come back as not looked at.
    Unprocessed(usize),
    /// None; the members' rows that it reads are remembered.
    Remembers,
    /// The members' rows that it reads are those that were remembered, as if a transaction were half applied.
    OldMembers,
    /// Of the events to publish, the first so many are not taken, for this reason.
    NotTaken(usize, &'static str),
}

/// Faults that wait for requests of an operation, first in, first out.
#[derive(Debug, Clone, Default)]
pub struct Faults(
    Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    Arc<Mutex<Option<(u8, fastrand::Rng)>>>,
    Arc<Mutex<Vec<Value>>>,
);

#[derive(Clone)]
struct Proxy {
    faults: Faults,
    endpoint: String,
    client: reqwest::Client,
}

impl Faults {
    /// The next request of the operation meets this fault.
    pub fn next(&self, operation: &'static str, fault: Fault) -> &Self {
        self.0.lock().unwrap().push_back((operation, fault));
        self
    }

    /// The next so many requests of the operation meet this fault.
    pub fn repeat(&self, operation: &'static str, fault: Fault, times: usize) {
        for _ in 0..times {
            self.next(operation, fault);
        }
    }

    /// Every request from now on meets, so many times in a hundred, a fault that passes, drawn by this seed.
    pub fn at_random(&self, percent: u8, seed: u64) {
        *self.1.lock().unwrap() = Some((percent, fastrand::Rng::with_seed(seed)));
    }

    /// No request meets a fault any more.
    pub fn stop(&self) {
        *self.1.lock().unwrap() = None;
        self.0.lock().unwrap().clear();
    }

    /// How many have not been met.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn meet(&self, operation: &str) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        match faults.iter().position(|(of, _)| *of == operation) {
            Some(index) => faults.remove(index).map(|(_, fault)| fault),
            None => self.draw(operation),
        }
    }

    fn draw(&self, operation: &str) -> Option<Fault> {
        let mut drawn = self.1.lock().unwrap();
        let (percent, random) = drawn.as_mut()?;
        if random.u8(0..100) >= *percent {
            return None;
        }
        let fault = *random.choice(&[Fault::Throttle, Fault::InternalError, Fault::AnswerLost, Fault::NeverArrives])?;
        if operation == "PutEvents" && random.bool() {
            return Some(Fault::NotTaken(random.usize(1..4), "InternalFailure"));
        }
        let meets = operation.starts_with("Transact") && random.bool();
        Some(if meets { Fault::TransactionConflict } else { fault })
    }

    /// Starts the proxy before the table at this URL; gives the proxy's.
    pub async fn stand_before(&self, endpoint: &str) -> String {
        let proxy = Proxy { faults: self.clone(), endpoint: endpoint.to_owned(), client: reqwest::Client::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy);
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn pass(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    match proxy.faults.meet(operation) {
        None | Some(Fault::Passes) => proxy.forward(&headers, body).await,
        Some(Fault::Throttle) => error(400, json!({ "__type": code("ThrottlingException") })),
        Some(Fault::Conflict) => error(400, json!({ "__type": code("TransactionConflictException") })),
        Some(Fault::TransactionConflict) => {
            let request: Value = serde_json::from_slice(&body).unwrap();
            let mut reasons = vec![json!({ "Code": "None" }); request["TransactItems"].as_array().unwrap().len()];
            *reasons.last_mut().unwrap() = json!({ "Code": "TransactionConflict", "Message": "is ongoing" });
            error(400, json!({ "__type": code("TransactionCanceledException"), "CancellationReasons": reasons }))
        }
        Some(Fault::InternalError) => error(500, json!({ "__type": code("InternalServerError") })),
        Some(Fault::Malformed) => {
            let message = "ValidationException: GROUP#secret MEMBER#secret GSI1PK canary";
            error(400, json!({ "__type": code("ValidationException"), "message": message }))
        }
        Some(Fault::AnswerLost) => {
            proxy.forward(&headers, body).await;
            broken()
        }
        Some(Fault::NeverArrives) => broken(),
        Some(Fault::Unprocessed(count)) => proxy.forward_part(&headers, &body, count).await,
        Some(fault @ (Fault::Remembers | Fault::OldMembers)) => {
            let (status, body) = proxy.send(&headers, body.to_vec()).await;
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            let rows =
                answer["Responses"].as_object_mut().unwrap().values_mut().next().unwrap().as_array_mut().unwrap();
            let is_member = |row: &Value| row["SK"]["S"].as_str().unwrap().starts_with("MEMBER#");
            let mut remembered = proxy.faults.2.lock().unwrap();
            if fault == Fault::Remembers {
                *remembered = rows.iter().filter(|row| is_member(row)).cloned().collect();
            } else {
                rows.retain(|row| !is_member(row));
                rows.append(&mut remembered);
            }
            (status, [("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
        }
        Some(Fault::NotTaken(count, reason)) => proxy.publish_part(&headers, &body, count, reason).await,
    }
}

fn code(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{name}")
}

fn error(status: u16, body: Value) -> Response {
    let content_type = [("content-type", "application/x-amz-json-1.0")];
    (StatusCode::from_u16(status).unwrap(), content_type, body.to_string()).into_response()
}

/// A body that ends before it has begun: to the client, a broken connection.
fn broken() -> Response {
    let stream = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    axum::body::Body::from_stream(stream).into_response()
}

impl Proxy {
    async fn send(&self, headers: &HeaderMap, body: Vec<u8>) -> (StatusCode, Bytes) {
        let mut request = self.client.post(&self.endpoint).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        (response.status(), response.bytes().await.unwrap())
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        let (status, body) = self.send(headers, body.to_vec()).await;
        (status, [("content-type", "application/x-amz-json-1.0")], body).into_response()
    }

    async fn publish_part(&self, headers: &HeaderMap, body: &Bytes, count: usize, reason: &str) -> Response {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let entries = request["Entries"].as_array_mut().unwrap();
        let not_taken = entries.drain(..count.min(entries.len())).count();
        let mut results = vec![json!({ "ErrorCode": reason, "ErrorMessage": "no canary" }); not_taken];
        if !entries.is_empty() {
            let (_, answer) = self.send(headers, request.to_string().into_bytes()).await;
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
        let keys = wanted["Keys"].as_array_mut().unwrap();
        let left = keys.split_off(keys.len() - count);
        let unprocessed = json!({ name.clone(): { "Keys": left, "ConsistentRead": true } });
        let (status, body) = self.send(headers, request.to_string().into_bytes()).await;
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        answer["UnprocessedKeys"] = unprocessed;
        (status, [("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
    }
}
