//! Hostile input: whatever is sent, and whatever the table answers, there is an answer of the contract in time, a refusal
//! changes nothing, and no log line is broken.

mod bodies;
mod events;
mod material;
mod rows;
mod spelled_out;
mod texts;

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use groups_local::gateway::invoke;
use lambda_http::Context;
use lambda_http::request::LambdaRequest;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Client;
use serde_json::{Value, json};
use shared::app::Function;

use crate::harness::{Api, variable};

/// More than any answer takes, on a machine with other things to do.
const LONGEST: Duration = Duration::from_secs(20);

/// Cases that meet the same table: it grows with each that is not refused.
const CASES_OF_A_TABLE: u32 = 1_000;

/// Tries so many cases, or as many as `GROUPS_TEST_CASES` says; one that fails is made as small as can be and printed.
fn fuzz<W, S: Strategy>(count: u32, cases: S, world: impl AsyncFn() -> W, check: impl AsyncFn(&W, S::Value))
where
    S::Value: Debug,
{
    let count = variable("GROUPS_TEST_CASES").map_or(count, |cases| u32::try_from(cases).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = std::time::Instant::now();
    for done in (0..count).step_by(CASES_OF_A_TABLE as usize) {
        let world = runtime.block_on(world());
        let cases_here = CASES_OF_A_TABLE.min(count - done);
        let config =
            Config { cases: cases_here, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&cases, |case| {
            let checked = async { tokio::time::timeout(LONGEST, check(&world, case)).await };
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

/// Statuses of refusals, each with its code: of a table that answers.
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
/// Of one that does not, or not what it should.
const FAULTS: [(u64, &str); 2] = [(500, "INTERNAL_ERROR"), (503, "UNAVAILABLE")];

/// Holds that a function's answer is one of the contract; gives its status.
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

/// Operations that change nothing.
const READS: [&str; 4] = ["BatchGetItem", "GetItem", "Query", "TransactGetItems"];

/// What the functions are behind, with a look at all that is in the table.
struct World {
    api: Api,
    client: Client,
    /// Every row there is, as long as nothing was changed.
    known: Mutex<Option<String>>,
}

impl World {
    async fn empty() -> Self {
        Self { api: Api::start().await, client: Client::new(), known: Mutex::default() }
    }

    /// With the demo data.
    async fn start() -> Self {
        let world = Self::empty().await;
        groups_local::demo::fill(&world.api.store, world.api.app.policy()).await.unwrap();
        world
    }

    /// Every row there is.
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

    /// Every row there is, looked at only when something may have changed.
    async fn known_rows(&self) -> String {
        let known = self.known.lock().unwrap().take();
        if let Some(rows) = known { rows } else { self.rows().await }
    }

    /// Nothing was changed since these were all rows.
    fn knows(&self, rows: String) {
        *self.known.lock().unwrap() = Some(rows);
    }

    /// Hands an event to a function; holds that it answers as it should and that a refusal changes nothing. `None` for an
    /// event that is none of the gateway's.
    async fn hand(&self, function: Function, event: &Value) -> Option<u64> {
        let is_one = serde_json::from_str::<LambdaRequest>(&event.to_string()).is_ok();
        let before = self.known_rows().await;
        self.api.recorder.take();
        let answer = invoke(function, &self.api.app, event, Context::default()).await;
        assert!(answer.is_some() || !is_one, "{} panics", function.name);
        let status = answer.map(|answer| status_in_contract(&answer, &REFUSALS));
        let asked = self.api.recorder.take();
        assert!(
            asked.is_empty() || !matches!(status, None | Some(400 | 401 | 403 | 413 | 415)),
            "{asked:?} is too early"
        );
        if status.is_none_or(|status| status >= 400) {
            let writes = asked.iter().any(|request| !READS.contains(&&*request.operation));
            assert!(!writes || self.rows().await == before, "a refusal changes nothing");
            self.knows(before);
        }
        status
    }
}
