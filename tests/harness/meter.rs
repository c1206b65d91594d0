//! A proxy between the SDK and the table that counts capacity units and makes transactions conflict as in DynamoDB. An
//! emulator runs one transaction at a time, so two never conflict there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Consumed capacity units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    pub read: f64,
    pub write: f64,
}

#[derive(Debug, Default)]
struct Counted {
    units: Units,
    /// Keys of transactions in flight.
    locked: HashSet<String>,
    conflicts: usize,
    traces: Vec<String>,
}

/// Units and conflicts since the last [`Meter::take`].
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Counted>>);

#[derive(Clone)]
struct Proxy {
    meter: Meter,
    endpoint: String,
    client: reqwest::Client,
}

impl Meter {
    pub fn take(&self) -> Units {
        std::mem::take(&mut self.0.lock().unwrap().units)
    }

    /// Counts the transactions that conflicted with another one since the last call.
    pub fn take_conflicts(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().conflicts)
    }

    /// Returns the trace header of each request since the last call, empty where it had none.
    pub fn take_traces(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().traces)
    }

    /// Starts the proxy in front of the table at this URL. Returns the URL of the proxy.
    pub async fn start_proxy(&self, endpoint: &str) -> String {
        let proxy = Proxy { meter: self.clone(), endpoint: endpoint.to_owned(), client: reqwest::Client::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy);
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// Locks the keys of a transaction, all or none. Returns whether it did.
    fn lock(&self, keys: &[String]) -> bool {
        let mut counted = self.0.lock().unwrap();
        let conflicts = keys.iter().any(|key| counted.locked.contains(key));
        if conflicts {
            counted.conflicts += 1;
        } else {
            counted.locked.extend(keys.iter().cloned());
        }
        !conflicts
    }

    fn unlock(&self, keys: &[String]) {
        let mut counted = self.0.lock().unwrap();
        for key in keys {
            counted.locked.remove(key);
        }
    }

    fn count(&self, operation: &str, capacity: &Value) {
        let writes = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems");
        let of = |table: &Value| table["CapacityUnits"].as_f64().unwrap_or_default();
        let units = match capacity {
            Value::Array(tables) => tables.iter().map(of).sum(),
            table => of(table),
        };
        let mut counted = self.0.lock().unwrap();
        let counted = &mut counted.units;
        *(if writes { &mut counted.write } else { &mut counted.read }) += units;
    }
}

async fn pass(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    let trace = headers.get("x-amzn-trace-id").map_or("", |value| value.to_str().unwrap());
    proxy.meter.0.lock().unwrap().traces.push(trace.to_owned());
    let keys = keys_of(operation, &request);
    if !proxy.meter.lock(&keys) {
        return conflict(&request);
    }
    request["ReturnConsumedCapacity"] = json!("TOTAL");
    let mut forwarded = proxy.client.post(&proxy.endpoint).body(request.to_string());
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            forwarded = forwarded.header(name, value);
        }
    }
    let response = forwarded.send().await.unwrap();
    let (status, answer) = (response.status(), response.bytes().await.unwrap());
    proxy.meter.unlock(&keys);
    let body: Value = serde_json::from_slice(&answer).unwrap_or_default();
    proxy.meter.count(operation, &body["ConsumedCapacity"]);
    (status, [("content-type", "application/x-amz-json-1.0")], answer).into_response()
}

/// Returns the keys that a transaction writes or checks.
fn keys_of(operation: &str, request: &Value) -> Vec<String> {
    if operation != "TransactWriteItems" {
        return Vec::new();
    }
    let actions = request["TransactItems"].as_array().unwrap().iter();
    let rows = actions.filter_map(|action| action.as_object()?.values().next());
    rows.map(|action| {
        let row = if action["Key"].is_object() { &action["Key"] } else { &action["Item"] };
        format!("{} {}", row["PK"]["S"], row["SK"]["S"])
    })
    .collect()
}

fn conflict(request: &Value) -> Response {
    let count = request["TransactItems"].as_array().unwrap().len();
    let mut reasons = vec![json!({ "Code": "None" }); count];
    *reasons.last_mut().unwrap() = json!({ "Code": "TransactionConflict", "Message": "is ongoing" });
    let code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let body = json!({ "__type": code, "CancellationReasons": reasons });
    let content_type = [("content-type", "application/x-amz-json-1.0")];
    (StatusCode::BAD_REQUEST, content_type, body.to_string()).into_response()
}
