//! The AWS operations that the functions call on the bus and the queues, `PutEvents` and `SendMessage`, in AWS's JSON protocols.

use axum::body::{Body, Bytes};
use axum::http::header::HeaderMap;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Bus, enveloped, new_id};
use crate::event::json_response;

/// The largest number of entries in one `PutEvents`.
const MAX_ENTRIES: usize = 10;

impl Bus {
    /// Replies to a call of an AWS operation.
    #[must_use]
    pub fn call(&self, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        match target {
            "AWSEvents.PutEvents" => self.put_events(&request),
            "AmazonSQS.SendMessage" => self.send_message(&request),
            _ => refusal("UnknownOperationException", "only PutEvents and SendMessage are supported"),
        }
    }

    /// Publishes each event by itself; the reply has a result for each.
    fn put_events(&self, request: &Value) -> Response<Body> {
        let entries: &[Value] = request["Entries"].as_array().map_or(&[], Vec::as_slice);
        if entries.is_empty() || entries.len() > MAX_ENTRIES {
            return refusal("ValidationException", "Entries must be 1 to 10");
        }
        let results: Vec<Value> = entries.iter().map(|entry| self.put_event(entry)).collect();
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        json_response(StatusCode::OK, &json!({ "FailedEntryCount": failed, "Entries": results }))
    }

    fn put_event(&self, entry: &Value) -> Value {
        let detail = entry["Detail"].as_str().and_then(|detail| serde_json::from_str(detail).ok());
        let Some(detail @ Value::Object(_)) = detail else {
            return json!({ "ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed." });
        };
        let id = new_id();
        let time = entry["Time"].as_i64().map(shared::domain::Timestamp::from_unix_seconds);
        let mut event = enveloped(json!({
            "id": id, "source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail,
        }));
        if let Some(time) = time {
            event["time"] = json!(time);
        }
        match self.publish(&event) {
            Ok(()) => json!({ "EventId": id }),
            Err(problem) => json!({ "ErrorCode": "InternalFailure", "ErrorMessage": problem.to_string() }),
        }
    }

    /// Stores a dead letter: the functions send messages to dead-letter queues only.
    fn send_message(&self, request: &Value) -> Response<Body> {
        let Some(body) = request["MessageBody"].as_str() else {
            return refusal("InvalidParameterValue", "MessageBody must be a text");
        };
        match self.put_dead_letter(body, request["MessageAttributes"]["reason"]["StringValue"].as_str()) {
            Ok(()) => json_response(StatusCode::OK, &json!({ "MessageId": new_id() })),
            Err(problem) => json_response(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "__type": "InternalFailure", "message": problem.to_string() }),
            ),
        }
    }
}

fn refusal(code: &str, message: &str) -> Response<Body> {
    json_response(StatusCode::BAD_REQUEST, &json!({ "__type": code, "message": message }))
}
