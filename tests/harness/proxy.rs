//! The forwarding that all proxies between the SDK and a service share.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The service behind a proxy.
#[derive(Debug, Clone)]
pub struct Upstream {
    endpoint: String,
    client: reqwest::Client,
}

impl Upstream {
    pub fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), client: reqwest::Client::new() }
    }

    /// Sends a request with this body and the SDK's headers. Returns the status and the body of the answer.
    pub async fn send(&self, headers: &HeaderMap, body: Vec<u8>) -> (StatusCode, Bytes) {
        let mut request = self.client.post(&self.endpoint).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        (response.status(), response.bytes().await.unwrap())
    }
}

/// Serves a proxy on a free port. Returns its URL.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Returns the operation that a request calls.
pub fn operation(headers: &HeaderMap) -> &str {
    headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap()
}

/// Builds an answer to the SDK.
pub fn answer(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [("content-type", "application/x-amz-json-1.0")], body.into()).into_response()
}

/// Returns the body of an error with this name.
pub fn error(name: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}") })
}

/// Returns the body of the error of a cancelled transaction. Has a code for each of its actions; `None` for one that is no
/// reason.
pub fn cancelled(codes: &[&str]) -> Value {
    let reason = |code: &&str| match *code {
        "None" => json!({ "Code": "None" }),
        code => json!({ "Code": code, "Message": "is the reason" }),
    };
    let mut body = error("TransactionCanceledException");
    body["CancellationReasons"] = codes.iter().map(reason).collect();
    body
}

/// Returns the codes of a transaction with this many actions, of which the last one conflicts with another transaction.
pub fn last_conflicts(actions: usize) -> Vec<&'static str> {
    let mut codes = vec!["None"; actions];
    *codes.last_mut().unwrap() = "TransactionConflict";
    codes
}

/// Returns the actions of a transaction, each with its kind: `Put`, `Update`, `Delete`, `ConditionCheck` or `Get`.
pub fn actions(request: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let actions = request["TransactItems"].as_array().unwrap().iter();
    actions.filter_map(|action| action.as_object()?.iter().next()).map(|(kind, action)| (kind.as_str(), action))
}

/// Returns the partition key and the sort key of an item, or of a key.
pub fn key(item: &Value) -> (&str, &str) {
    (item["PK"]["S"].as_str().unwrap(), item["SK"]["S"].as_str().unwrap())
}

/// Returns the key of the item that an action or a single write is on.
pub fn key_of_action(action: &Value) -> (&str, &str) {
    key(if action["Key"].is_object() { &action["Key"] } else { &action["Item"] })
}
