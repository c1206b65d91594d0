//! `/_local/...`: what the machine outside the API would do. Of no use to a client, and not there when deployed.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Response, StatusCode, Uri};
use serde_json::{Value, json};
use shared::api::Faults;
use shared::authz::Granted;
use shared::domain::{Error, Job};
use shared::events::AccountEvent;
use shared::store::Store;
use tokio::time::timeout;

use crate::event::{json_response, own_response};
use crate::poller::Progress;

/// Seconds that a caller may wait for the table to be at rest, and does when it says nothing.
const LONGEST_WAIT: u64 = 600;
const DEFAULT_WAIT: u64 = 30;

/// Answers what came to `/_local/<path>`.
pub async fn respond(
    store: &Store,
    progress: Option<Progress>,
    uri: &Uri,
    method: &Method,
    body: &Bytes,
) -> Response<Body> {
    match (uri.path().trim_start_matches("/_local/"), method, progress) {
        ("events", &Method::POST, _) => take_events(store, body).await,
        ("idle", &Method::GET, Some(progress)) => wait_until_idle(store, progress, uri.query()).await,
        _ => own_response(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// 200 once every record of the stream has been worked through and no job is left; 504, with the jobs there are, when
/// that takes longer than `timeout` seconds.
async fn wait_until_idle(store: &Store, progress: Progress, query: Option<&str>) -> Response<Body> {
    let seconds = match query.map(|query| query.strip_prefix("timeout=").map(str::parse::<u64>)) {
        None => DEFAULT_WAIT,
        Some(Some(Ok(seconds))) if seconds <= LONGEST_WAIT => seconds,
        Some(_) => return own_response(StatusCode::BAD_REQUEST, "timeout must be 0 to 600 seconds"),
    };
    let wait = timeout(Duration::from_secs(seconds), until_idle(store, progress));
    match wait.await {
        Ok(Ok(())) => json_response(StatusCode::OK, &json!({ "idle": true })),
        Ok(Err(error)) => own_response(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(_) => {
            let jobs = store.list_jobs(&Granted::propagation()).await.unwrap_or_default();
            let jobs: Vec<Value> = jobs.iter().map(job).collect();
            json_response(StatusCode::GATEWAY_TIMEOUT, &json!({ "idle": false, "jobs": jobs }))
        }
    }
}

async fn until_idle(store: &Store, mut progress: Progress) -> Result<(), Error> {
    loop {
        progress.caught_up().await;
        if store.list_jobs(&Granted::propagation()).await?.is_empty() {
            return Ok(());
        }
    }
}

fn job(job: &Job) -> Value {
    json!({
        "kind": job.kind.name(),
        "progress": job.progress,
        "attempts": job.attempts,
        "last_reason": job.last_reason,
        "set_aside": job.set_aside,
        "created_at": job.created_at,
    })
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
