//! Consumes the table's stream for both stream consumers, as Lambda does with the template's mappings (AWS Lambda Developer Guide, "Using
//! AWS Lambda with Amazon DynamoDB"): batches in several lanes, and all records of one partition key in the same lane.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use groups_local::functions::{PROPAGATE, PUBLISH_EVENTS};
use groups_local::pattern;
use groups_local::table_stream::TableStream;
use groups_local::template::StreamSource;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{App, Dependencies, PublishEventsDeps, StreamFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::{Api, template};

/// The template's `ParallelizationFactor` for `propagate`. That of `publish-events` is one.
const LANES: usize = 4;

/// Pause after an empty read: Lambda polls four times a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The running consumers. They end with this value.
pub struct Consumers {
    propagate: Lanes,
    publish_events: Lanes,
}

impl Consumers {
    pub async fn start(api: &Api) -> Self {
        let deps: PublishEventsDeps = api.publish_events_deps(&api.bus_endpoint());
        Self {
            propagate: Lanes::start::<App>(api, &PROPAGATE, &api.app, LANES).await,
            publish_events: Lanes::start(api, &PUBLISH_EVENTS, &deps, 1).await,
        }
    }

    /// Resolves once all records that exist now, and those that follow from them, are processed.
    pub async fn caught_up(&mut self) {
        self.propagate.caught_up().await;
        self.publish_events.caught_up().await;
    }
}

/// A running consumer.
struct Lanes {
    /// How often the stream was empty while no record was left.
    idle_rounds: watch::Receiver<u64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Lanes {
    async fn start<R: Dependencies>(api: &Api, function: &'static StreamFunction<R>, deps: &R, count: usize) -> Self {
        let source = template().stream_of(function.name).unwrap();
        let stream = TableStream::open(&api.endpoint, &api.table, Vec::new()).await.unwrap();
        let left = Arc::new(AtomicUsize::new(0));
        let (idle, idle_rounds) = watch::channel(0);
        let mut tasks = Vec::new();
        let mut lanes = Vec::new();
        for _ in 0..count {
            let (lane, records) = unbounded_channel();
            lanes.push(lane);
            let left = Arc::clone(&left);
            tasks.push(tokio::spawn(work(function, deps.clone(), source.clone(), records, left)));
        }
        tasks.push(tokio::spawn(read(stream, source.clone(), lanes, left, idle)));
        Self { idle_rounds, tasks }
    }

    async fn caught_up(&mut self) {
        // The current round may have begun earlier; the one after it has not.
        let seen = *self.idle_rounds.borrow() + 2;
        self.idle_rounds.wait_for(|rounds| *rounds >= seen).await.unwrap();
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Reads the stream and puts each record into the lane of its partition key.
async fn read(
    mut stream: TableStream,
    source: StreamSource,
    lanes: Vec<UnboundedSender<Value>>,
    left: Arc<AtomicUsize>,
    idle: watch::Sender<u64>,
) {
    let mut pause = interval(POLL_INTERVAL);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Before the read: a lane may commit its last change, which makes a record, between the read and this.
        let was_idle = left.load(Ordering::SeqCst) == 0;
        let mut records = stream.read(source.batch_size).await.unwrap();
        if records.is_empty() {
            if was_idle {
                idle.send_modify(|rounds| *rounds += 1);
            }
            pause.tick().await;
            continue;
        }
        records.retain(|record| source.filters.iter().any(|filter| pattern::matches(filter, record)));
        left.fetch_add(records.len(), Ordering::SeqCst);
        for record in records {
            let mut hasher = DefaultHasher::new();
            record["dynamodb"]["Keys"]["PK"]["S"].as_str().hash(&mut hasher);
            lanes[hasher.finish() as usize % lanes.len()].send(record).unwrap();
        }
    }
}

/// Invokes the function with the records of a lane, a batch at a time.
async fn work<R: Dependencies>(
    function: &StreamFunction<R>,
    deps: R,
    source: StreamSource,
    mut records: UnboundedReceiver<Value>,
    left: Arc<AtomicUsize>,
) {
    let size = usize::try_from(source.batch_size).unwrap();
    while let Some(first) = records.recv().await {
        let mut batch = vec![first];
        while let Some(record) = (batch.len() < size).then(|| records.try_recv().ok()).flatten() {
            batch.push(record);
        }
        while !batch.is_empty() {
            let done = invoke(function, &deps, &source, &batch).await;
            batch.drain(..done);
            left.fetch_sub(done, Ordering::SeqCst);
        }
    }
}

/// Returns the number of records before the first one to retry.
async fn invoke<R: Dependencies>(
    function: &StreamFunction<R>,
    deps: &R,
    source: &StreamSource,
    records: &[Value],
) -> usize {
    let mut context = Context::default();
    context.deadline = SystemClock.unix_millis() + source.timeout_seconds * 1_000;
    let answer = function.answer(deps, json!({ "Records": records }), &context).await.unwrap();
    let failed: Vec<&Value> =
        answer["batchItemFailures"].as_array().unwrap().iter().map(|failure| &failure["itemIdentifier"]).collect();
    let is_failed = |record: &Value| failed.contains(&&record["dynamodb"]["SequenceNumber"]);
    records.iter().position(is_failed).unwrap_or(records.len())
}
