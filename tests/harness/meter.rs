//! A proxy between the SDK and the table that counts capacity units and makes transactions conflict as in DynamoDB. An
//! emulator runs one transaction at a time, so two never conflict there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::proxy::{self, Upstream};

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
    upstream: Upstream,
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
        let proxy = Proxy { meter: self.clone(), upstream: Upstream::new(endpoint) };
        proxy::serve(Router::new().fallback(pass).with_state(proxy)).await
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
        let writes =
            matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems");
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
    let operation = proxy::operation(&headers);
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    let trace = headers.get("x-amzn-trace-id").map_or("", |value| value.to_str().unwrap());
    proxy.meter.0.lock().unwrap().traces.push(trace.to_owned());
    let keys = keys_of(operation, &request);
    if !proxy.meter.lock(&keys) {
        let body = proxy::cancelled(&proxy::last_conflicts(keys.len()));
        return proxy::answer(StatusCode::BAD_REQUEST, body.to_string());
    }
    request["ReturnConsumedCapacity"] = json!("TOTAL");
    let (status, answer) = proxy.upstream.send(&headers, request.to_string().into_bytes()).await;
    proxy.meter.unlock(&keys);
    let body: Value = serde_json::from_slice(&answer).unwrap_or_default();
    proxy.meter.count(operation, &body["ConsumedCapacity"]);
    proxy::answer(status, answer)
}

/// Returns the keys that a transaction writes or checks.
fn keys_of(operation: &str, request: &Value) -> Vec<String> {
    if operation != "TransactWriteItems" {
        return Vec::new();
    }
    let keys = proxy::actions(request).map(|(_, action)| proxy::key_of_action(action));
    keys.map(|(partition, sort)| format!("{partition} {sort}")).collect()
}
