//! Hostile input in requests, events and answers of the table. Every answer is one of the contract and comes in time, a
//! refusal changes nothing, and no log line is broken.

mod bodies;
mod events;
mod material;
mod rows;
mod scim;
mod spelled_out;
mod texts;

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use groups_local::demo::{self, Demo};
use groups_local::gateway::invoke;
use lambda_http::Context;
use lambda_http::request::LambdaRequest;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Client;
use serde_json::{Value, json};
use shared::app::Function;

use crate::harness::recorder::{Recorded, operations, writes};
use crate::harness::{Api, variable};

/// The time limit of a case, generous enough for a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Each table serves this many cases, because accepted input makes it grow.
const CASES_PER_TABLE: u32 = 1_000;

/// Tries `count` cases, or `GROUPS_TEST_CASES`. Shrinks and prints one that fails.
fn fuzz<W, S: Strategy>(count: u32, cases: S, world: impl AsyncFn() -> W, check: impl AsyncFn(&W, S::Value))
where
    S::Value: Debug,
{
    let count = variable("GROUPS_TEST_CASES").map_or(count, |cases| u32::try_from(cases).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = std::time::Instant::now();
    for done in (0..count).step_by(CASES_PER_TABLE as usize) {
        let world = runtime.block_on(world());
        let cases_here = CASES_PER_TABLE.min(count - done);
        let config =
            Config { cases: cases_here, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&cases, |case| {
            let checked = async { tokio::time::timeout(TIME_LIMIT, check(&world, case)).await };
            match runtime.block_on(AssertUnwindSafe(checked).catch_unwind()) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(TestCaseError::fail("takes too long")),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map_or("panicked", String::as_str);
                    Err(TestCaseError::fail(text.to_owned()))
                }
            }
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    println!("{count} cases, {:.0} a second", f64::from(count) / begun.elapsed().as_secs_f64());
}

/// Statuses of refusals, each with its code, while the table works.
const REFUSALS: [(u64, &str); 8] = [
    (400, "VALIDATION_ERROR"),
    (401, "UNAUTHORIZED"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (409, "CONFLICT"),
    (412, "PRECONDITION_FAILED"),
    (413, "PAYLOAD_TOO_LARGE"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
];
/// Those while the table fails or answers nonsense.
const FAULTS: [(u64, &str); 2] = [(500, "INTERNAL_ERROR"), (503, "UNAVAILABLE")];

/// Asserts that a function's answer is one of the contract. Returns its status.
fn status_in_contract(answer: &Value, allowed: &[(u64, &str)]) -> u64 {
    let status = answer["statusCode"].as_u64().unwrap();
    for (name, value) in answer["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value:?}");
    }
    let body = answer["body"].as_str().unwrap_or_default();
    if status == 204 {
        assert_eq!(body, "");
        return status;
    }
    assert_eq!(answer["headers"]["content-type"], json!("application/json; charset=utf-8"));
    let body: Value = serde_json::from_str(body).unwrap();
    if matches!(status, 200 | 201) {
        assert!(body.is_object() && body.get("error").is_none());
        return status;
    }
    let error = &body["error"];
    let code = error["code"].as_str().unwrap();
    assert!(allowed.contains(&(status, code)), "{status} {body}");
    assert!(error["message"].is_string() && error["request_id"].is_string());
    assert_eq!(error["details"].as_array().is_some_and(|details| !details.is_empty()), status == 400, "{body}");
    status
}

/// An API, with access to all rows of its table.
struct World {
    api: Api,
    client: Client,
    /// All rows of the table, until it may have changed.
    known: Mutex<Option<String>>,
}

impl World {
    async fn empty() -> Self {
        Self { api: Api::start().await, client: Client::new(), known: Mutex::default() }
    }

    /// Starts with the demo data.
    async fn start() -> Self {
        let world = Self::empty().await;
        demo::fill(&world.api.store, world.api.app.policy(), Demo::Small).await.unwrap();
        world
    }

    /// Returns all rows of the table as JSON.
    async fn rows(&self) -> String {
        let authorization = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host, Signature=0";
        let (mut rows, mut start) = (String::new(), Value::Null);
        loop {
            let mut body = json!({ "TableName": self.api.table, "ConsistentRead": true });
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            let request = self.client.post(&self.api.endpoint).header("x-amz-target", "DynamoDB_20120810.Scan");
            let request = request.header("authorization", authorization).header("x-amz-date", "20260101T000000Z");
            let request = request.header("content-type", "application/x-amz-json-1.0").body(body.to_string());
            let page: Value = request.send().await.unwrap().json().await.unwrap();
            rows.push_str(&page["Items"].to_string());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return rows;
            }
        }
    }

    /// Returns all rows of the table. Reads them only if it may have changed.
    async fn known_rows(&self) -> String {
        let known = self.known.lock().unwrap().take();
        if let Some(rows) = known { rows } else { self.rows().await }
    }

    /// Keeps these rows, as the table has not changed since they were read.
    fn keep_rows(&self, rows: String) {
        *self.known.lock().unwrap() = Some(rows);
    }

    /// Invokes a function. Asserts that its answer is one of the contract and that a refusal changes nothing. Returns the
    /// status, or `None` for an event that the gateway would never send.
    async fn invoke(&self, function: Function, event: &Value) -> Option<u64> {
        let is_request = serde_json::from_str::<LambdaRequest>(&event.to_string()).is_ok();
        let before = self.known_rows().await;
        self.api.recorder.take();
        let answer = invoke(function, &self.api.app, event, Context::default()).await;
        assert!(answer.is_some() || !is_request, "{} panics", function.name);
        let status = answer.map(|answer| status_in_contract(&answer, &REFUSALS));
        let requests = self.api.recorder.take();
        let precedes_the_table = matches!(status, None | Some(400 | 401 | 403 | 413 | 415));
        // But for the managers of the group, and whether the caller is in one of their groups.
        let of_managers = |request: &Recorded| request.body.to_string().contains("OWNERS");
        let authorizes =
            requests.first().is_none_or(of_managers) && operations(&requests) == vec!["BatchGetItem"; requests.len()];
        assert!(authorizes || !precedes_the_table, "{requests:?} before the refusal");
        if status.is_none_or(|status| status >= 400) {
            assert!(writes(&requests).is_empty() || self.rows().await == before, "a refusal changes nothing");
            self.keep_rows(before);
        }
        status
    }
}
