//! The endpoints below `/_local/`: they replace the AWS services around the API. A deployed API does not have them.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::HeaderMap;
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use shared::domain::{Job, Timestamp};
use shared::store::Store;
use tokio::time::timeout;

use crate::Problem;
use crate::activity::Activity;
use crate::bus::{Bus, StoredDeadLetter};
use crate::event::{json_response, own_response};
use crate::poller::Progress;

/// The longest and the default wait for idleness, in seconds.
const LONGEST_WAIT: u64 = 600;
const DEFAULT_WAIT: u64 = 30;

/// Published events that one query of the bus returns.
const EVENTS_AT_ONCE: usize = 100;

/// The endpoints and the parts of the local server that they use.
pub struct LocalEndpoints {
    /// The table.
    pub store: Store,
    /// Incoming and published events.
    pub bus: Bus,
    /// The pollers of the table's stream.
    pub progress: Vec<Progress>,
    /// Wakes the pollers.
    pub activity: Activity,
    /// The URL of the table.
    pub table: String,
}

impl LocalEndpoints {
    /// Replies to a request for `/_local/<path>`.
    pub async fn respond(&self, parts: &Parts, body: &Bytes) -> Response<Body> {
        let query = parts.uri.query();
        let response = match (parts.uri.path().trim_start_matches("/_local/"), &parts.method) {
            ("events", &Method::POST) => self.receive_events(body),
            ("events", &Method::GET) => self.follow_events(query, &parts.headers),
            ("dead-letters", &Method::GET) => self.dead_letters(),
            ("dead-letters/redrive", &Method::POST) => self.redrive(),
            ("table", &Method::GET) => Ok(Response::new(Body::from(self.table.clone()))),
            ("idle", &Method::GET) if !self.progress.is_empty() => self.wait_until_idle(query).await,
            ("aws" | "aws/", &Method::POST) => Ok(self.bus.call(&parts.headers, body)),
            _ => Ok(own_response(StatusCode::NOT_FOUND, "Not Found")),
        };
        response.unwrap_or_else(|problem| own_response(StatusCode::SERVICE_UNAVAILABLE, &problem.to_string()))
    }

    /// Sends one event or a list of events to the queue: all of them or none.
    fn receive_events(&self, body: &Bytes) -> Result<Response<Body>, Problem> {
        let events = match serde_json::from_slice(body) {
            Ok(Value::Array(events)) => events,
            Ok(event) => vec![event],
            Err(_) => {
                let expected = "the body must be an event or a list of events in JSON";
                return Ok(own_response(StatusCode::BAD_REQUEST, expected));
            }
        };
        let received = events.len();
        self.bus.send(events)?;
        Ok(json_response(StatusCode::ACCEPTED, &json!({ "received": received })))
    }

    /// Streams published events as server-sent events: past ones after the number in `after`, then new ones. A client that
    /// reconnects continues after the last event that it has seen.
    fn follow_events(&self, query: Option<&str>, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
        let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let after = match (seen, query.map(|query| query.strip_prefix("after="))) {
            (Some(number), _) | (None, Some(Some(number))) => number.parse().ok(),
            (None, None) => Some(0),
            (None, Some(None)) => None,
        };
        Ok(match after {
            Some(after) => {
                Sse::new(published(self.bus.clone(), after)).keep_alive(KeepAlive::default()).into_response()
            }
            None => own_response(StatusCode::BAD_REQUEST, "after must be the number of an event"),
        })
    }

    fn dead_letters(&self) -> Result<Response<Body>, Problem> {
        let letters: Vec<Value> = self.bus.dead_letters()?.iter().map(letter).collect();
        Ok(json_response(StatusCode::OK, &json!({ "dead_letters": letters })))
    }

    /// Retries all dead letters, as an operator does once the cause of their failure is repaired.
    fn redrive(&self) -> Result<Response<Body>, Problem> {
        Ok(json_response(StatusCode::ACCEPTED, &json!({ "redriven": self.bus.redrive()? })))
    }

    /// Returns 200 once all events and stream records are processed and no job is left. After `timeout` seconds, returns 504
    /// with the jobs that are left.
    async fn wait_until_idle(&self, query: Option<&str>) -> Result<Response<Body>, Problem> {
        let seconds = match query.map(|query| query.strip_prefix("timeout=").map(str::parse::<u64>)) {
            None => DEFAULT_WAIT,
            Some(Some(Ok(seconds))) if seconds <= LONGEST_WAIT => seconds,
            Some(_) => return Ok(own_response(StatusCode::BAD_REQUEST, "timeout must be 0 to 600 seconds")),
        };
        let Ok(idle) = timeout(Duration::from_secs(seconds), self.until_idle()).await else {
            let jobs = self.store.list_jobs().await.unwrap_or_default();
            let jobs: Vec<Value> = jobs.iter().map(job).collect();
            return Ok(json_response(StatusCode::GATEWAY_TIMEOUT, &json!({ "idle": false, "jobs": jobs })));
        };
        idle.map(|()| json_response(StatusCode::OK, &json!({ "idle": true })))
    }

    async fn until_idle(&self) -> Result<(), Problem> {
        loop {
            let has_new_events = self.bus.has_new()?;
            for progress in &self.progress {
                self.activity.note();
                progress.clone().caught_up().await;
            }
            let jobs = self.store.list_jobs().await;
            if jobs.map_err(|error| Problem::new("the table", error))?.is_empty() && !has_new_events {
                return Ok(());
            }
        }
    }
}

/// Streams published events after a number, past and future.
fn published(bus: Bus, after: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let publications = bus.subscribe_published();
    stream::unfold((bus, publications, after, Vec::new()), |(bus, mut publications, mut after, mut next)| async move {
        while next.is_empty() {
            publications.mark_unchanged();
            next = bus.published_after(after, EVENTS_AT_ONCE).ok()?;
            next.reverse();
            if next.is_empty() {
                publications.changed().await.ok()?;
            }
        }
        let (number, event) = next.pop()?;
        after = number;
        let event = Event::default().id(number.to_string()).data(event);
        Some((Ok(event), (bus, publications, after, next)))
    })
}

fn letter(letter: &StoredDeadLetter) -> Value {
    json!({
        "event": serde_json::from_str::<Value>(&letter.body).unwrap_or_else(|_| json!(letter.body)),
        "reason": letter.reason,
        "at": Timestamp::from_unix_seconds(letter.at / 1_000),
    })
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
