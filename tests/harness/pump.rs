//! The table's stream in the hands of a test: what is committed waits until the test has it worked through.

use std::collections::VecDeque;

use groups_local::functions::{PROPAGATE, PUBLISH_EVENTS};
use groups_local::pattern;
use groups_local::table_stream::TableStream;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{App, Dependencies, PublishEventsDeps, StreamFunction};
use shared::authz::Granted;
use shared::propagation::Propagation;
use shared::verify::InvariantViolation;

use super::{Api, now, template};

/// Records that wait for a function, in the order they were committed unless the test reorders them.
pub struct Pump<R = App> {
    stream: TableStream,
    function: StreamFunction<R>,
    pub waiting: VecDeque<Value>,
}

impl Pump {
    /// For the function that brings what follows from a commit up to date.
    pub async fn of(api: &Api) -> Self {
        Self::over(api, PROPAGATE).await
    }
}

impl Pump<PublishEventsDeps> {
    /// For the function that tells other systems.
    pub async fn publishing(api: &Api) -> Self {
        Self::over(api, PUBLISH_EVENTS).await
    }
}

impl<R: Dependencies> Pump<R> {
    async fn over(api: &Api, function: StreamFunction<R>) -> Self {
        let stream = TableStream::open(&api.endpoint, &api.table, Vec::new()).await.unwrap();
        Self { stream, function, waiting: VecDeque::new() }
    }

    /// Takes in what was committed and passes the template's filters.
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

    /// Has the function work through these records; those that failed wait again.
    pub async fn deliver(&mut self, resources: &R, records: Vec<Value>) {
        if records.is_empty() {
            return;
        }
        let event = json!({ "Records": records });
        let answer = self.function.answer(resources, event, &Context::default()).await.unwrap();
        let failed: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap())
            .collect();
        let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
        self.waiting.extend(records.into_iter().filter(|record| failed.contains(&number(record).as_str())));
    }

    /// Works through everything there is and everything that follows from it.
    pub async fn drain(&mut self, resources: &R) {
        loop {
            self.fetch().await;
            if self.waiting.is_empty() {
                return;
            }
            let some = self.waiting.len().min(100);
            let batch = self.waiting.drain(..some).collect();
            self.deliver(resources, batch).await;
        }
    }
}

/// What is wrong in the table at rest.
pub async fn violations(api: &Api) -> Vec<InvariantViolation> {
    let granted = Granted::propagation();
    Propagation { store: &api.store, granted: &granted, now: now() }.verify().await.unwrap()
}

/// Holds that the table keeps all its invariants, and that no job is left.
#[track_caller]
pub fn assert_sound(violations: &[InvariantViolation]) {
    let told: Vec<String> = violations.iter().map(InvariantViolation::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
