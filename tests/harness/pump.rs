//! Runs the stream consumers under the control of a test: committed records wait until the test delivers them.

use std::collections::VecDeque;

use groups_local::functions::{PROPAGATE, PUBLISH_EVENTS};
use groups_local::pattern;
use groups_local::table_stream::TableStream;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{App, Dependencies, PublishEventsDeps, StreamFunction};
use shared::propagation::Propagation;
use shared::verify::{InvariantViolation, find_violations};

use super::{Api, now, template};

/// Records that wait for a function, in the order they were committed unless the test reorders them.
pub struct Pump<R = App> {
    stream: TableStream,
    function: StreamFunction<R>,
    pub waiting: VecDeque<Value>,
}

impl Pump {
    /// Reads the stream for `propagate`.
    pub async fn of(api: &Api) -> Self {
        Self::over(api, PROPAGATE).await
    }
}

impl Pump<PublishEventsDeps> {
    /// Reads the stream for `publish-events`.
    pub async fn publishing(api: &Api) -> Self {
        Self::over(api, PUBLISH_EVENTS).await
    }
}

impl<R: Dependencies> Pump<R> {
    async fn over(api: &Api, function: StreamFunction<R>) -> Self {
        let stream = TableStream::open(&api.endpoint, &api.table, Vec::new()).await.unwrap();
        Self { stream, function, waiting: VecDeque::new() }
    }

    /// Adds newly committed records that pass the template's filters to those that wait.
    pub async fn fetch(&mut self) {
        loop {
            let records = self.stream.read(1_000).await.unwrap();
            if records.is_empty() {
                return;
            }
            let filters = &template().stream_of(self.function.name).unwrap().filters;
            let passes = |record: &Value| filters.iter().any(|filter| pattern::matches(filter, record));
            self.waiting.extend(records.into_iter().filter(passes));
        }
    }

    /// Delivers these records to the function. Those that failed wait again.
    pub async fn deliver(&mut self, dependencies: &R, records: Vec<Value>) {
        if records.is_empty() {
            return;
        }
        let event = json!({ "Records": records });
        let answer = self.function.answer(dependencies, event, &Context::default()).await.unwrap();
        let failed: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap())
            .collect();
        let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
        self.waiting.extend(records.into_iter().filter(|record| failed.contains(&number(record).as_str())));
    }

    /// Delivers all records, and those that result from them, until none is left.
    pub async fn drain(&mut self, dependencies: &R) {
        loop {
            self.fetch().await;
            if self.waiting.is_empty() {
                return;
            }
            let batch_size = self.waiting.len().min(100);
            let batch = self.waiting.drain(..batch_size).collect();
            self.deliver(dependencies, batch).await;
        }
    }
}

/// Delivers all records to both stream consumers.
pub async fn drain_all(api: &Api) {
    Pump::of(api).await.drain(&api.app).await;
    Pump::publishing(api).await.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
}

/// Returns all invariant violations of a table at rest.
pub async fn violations(api: &Api) -> Vec<InvariantViolation> {
    find_violations(Propagation { store: &api.store, actor: None, now: now() }).await.unwrap()
}

/// Returns the invariant violations of a table whose stream is not consumed, except copied counts that are out of date.
pub async fn violations_before_stream(api: &Api) -> Vec<InvariantViolation> {
    let mut found = violations(api).await;
    found.retain(|violation| !matches!(violation, InvariantViolation::StaleCounts(_)));
    found
}

/// Asserts that the table has no invariant violation, and no job is left.
#[track_caller]
pub fn assert_sound(violations: &[InvariantViolation]) {
    let lines: Vec<String> = violations.iter().map(InvariantViolation::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
