//! `/_local/...`: what the machine outside the API would do. Of no use to a client, and not there when deployed.

use axum::body::{Body, Bytes};
use axum::http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::api::Faults;
use shared::authz::Granted;
use shared::domain::Error;
use shared::events::AccountEvent;
use shared::store::Store;

use crate::event::{json_response, own_response};

/// Answers what came to `/_local/<path>`.
pub async fn respond(store: &Store, path: &str, method: &Method, body: &Bytes) -> Response<Body> {
    match (path, method) {
        ("events", &Method::POST) => take_events(store, body).await,
        _ => own_response(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// Takes one event or a list of them, as `EventBridge` would deliver them: all of them or, when one is at fault, none.
async fn take_events(store: &Store, body: &Bytes) -> Response<Body> {
    let events = match serde_json::from_slice(body) {
        Ok(Value::Array(events)) => events,
        Ok(event) => vec![event],
        Err(_) => {
            return own_response(StatusCode::BAD_REQUEST, "the body must be an event or a list of events in JSON");
        }
    };
    let parsed: Result<Vec<_>, (usize, Faults)> = events
        .into_iter()
        .enumerate()
        .map(|(index, event)| AccountEvent::parse(event).map_err(|faults| (index, faults)))
        .collect();
    match parsed {
        Err((index, faults)) => own_response(StatusCode::BAD_REQUEST, &format!("event {index}: {faults}")),
        Ok(events) => match apply(store, &events).await {
            Ok(changed) => json_response(StatusCode::OK, &json!({ "received": events.len(), "changed": changed })),
            Err(error) => own_response(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
    }
}

async fn apply(store: &Store, events: &[AccountEvent]) -> Result<usize, Error> {
    let granted = Granted::event_source("local");
    let mut changed = 0;
    for event in events {
        changed += usize::from(event.apply(store, &granted).await?);
    }
    Ok(changed)
}
