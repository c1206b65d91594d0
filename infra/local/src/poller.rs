//! Has a function work through the table's stream, as Lambda does (AWS Lambda Developer Guide, "Using AWS Lambda with
//! Amazon DynamoDB"): filtered, in batches, those records again that the function names or, when it fails, both halves of
//! the batch by themselves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{Dependencies, StreamFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Problem;
use crate::pattern;
use crate::table_stream::TableStream;
use crate::template::StreamSource;

/// How long an empty stream is left alone. Lambda asks four times a second.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Works a table's stream through a function.
pub struct Poller<R> {
    stream: TableStream,
    source: StreamSource,
    function: StreamFunction<R>,
    resources: R,
    /// Where to remember how far the stream is worked through, when the table outlives the process.
    checkpoint: Option<PathBuf>,
    empty_rounds: watch::Sender<u64>,
}

/// Tells when the stream has been found empty.
#[derive(Clone)]
pub struct Progress(watch::Receiver<u64>);

impl Progress {
    /// Resolves once every record there is now has been worked through.
    pub async fn caught_up(&mut self) {
        // The round under way may have begun before; the one after it has not.
        let seen = *self.0.borrow() + 2;
        // A poller that is gone has ended with the server.
        let _ = self.0.wait_for(|rounds| *rounds >= seen).await;
    }
}

impl<R: Dependencies> Poller<R> {
    /// A poller of the stream of a table, from where the checkpoint says or from the beginning.
    ///
    /// # Errors
    /// There is no such table, or it has no stream.
    pub async fn new(
        (endpoint, table): (&str, &str),
        source: &StreamSource,
        function: StreamFunction<R>,
        resources: R,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self, Problem> {
        let stream = TableStream::open(endpoint, table, remembered(checkpoint.as_deref())).await?;
        let (empty_rounds, _) = watch::channel(0);
        Ok(Self { stream, source: source.clone(), function, resources, checkpoint, empty_rounds })
    }

    /// Tells when the stream has been found empty.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress(self.empty_rounds.subscribe())
    }

    /// Polls until the runtime ends.
    pub async fn run(mut self) {
        let mut pause = interval(POLL_INTERVAL);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.stream.read(self.source.batch_size).await {
                Ok(records) if records.is_empty() => {
                    self.empty_rounds.send_modify(|rounds| *rounds += 1);
                    pause.tick().await;
                }
                Ok(records) => {
                    self.work(records, &mut pause).await;
                    self.remember();
                }
                Err(problem) => {
                    tracing::warn!(%problem, "the stream does not answer");
                    pause.tick().await;
                }
            }
        }
    }

    /// Has the function work through records, for as long as it takes.
    async fn work(&self, mut records: Vec<Value>, pause: &mut Interval) {
        records.retain(|record| self.source.filters.iter().any(|filter| pattern::matches(filter, record)));
        let mut batches = vec![(records, 0)];
        while let Some((mut batch, attempts)) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            if self.source.maximum_retry_attempts.is_some_and(|most| attempts > most) {
                tracing::error!(records = batch.len(), "records of the stream go to the on-failure queue");
                continue;
            }
            if attempts > 0 {
                pause.tick().await;
            }
            match self.invoke(&batch).await {
                // The lowest number that failed, and all after it, come again.
                Some(failed) => {
                    let number =
                        |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
                    let first = batch.iter().position(|record| failed.contains(&number(record)));
                    let again = first.map_or_else(Vec::new, |first| batch.split_off(first));
                    batches.push((again, attempts + 1));
                }
                None if self.source.bisects && batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.push((second, attempts + 1));
                    batches.push((batch, attempts + 1));
                }
                None => batches.push((batch, attempts + 1)),
            }
        }
    }

    /// One invocation: the sequence numbers that failed; `None` when the function itself failed.
    async fn invoke(&self, records: &[Value]) -> Option<Vec<String>> {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
        context.deadline = SystemClock.unix_millis() + self.source.timeout_seconds * 1_000;
        let answer = self.function.answer(&self.resources, json!({ "Records": records }), &context);
        let answer = std::panic::AssertUnwindSafe(answer).catch_unwind().await.ok()?;
        let answer = answer.map_err(|error| tracing::error!(%error, "the function fails")).ok()?;
        let failures = answer["batchItemFailures"].as_array()?.iter();
        Some(failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
    }

    fn remember(&self) {
        let Some(path) = &self.checkpoint else { return };
        let lines: String = self.stream.places().iter().map(|(id, number)| format!("{id} {number}\n")).collect();
        if let Err(error) = write_whole(path, &lines) {
            tracing::error!(%error, path = %path.display(), "how far the stream is worked through is not remembered");
        }
    }
}

/// How far the stream was worked through: shard and sequence number.
fn remembered(checkpoint: Option<&Path>) -> Vec<(String, String)> {
    let text = checkpoint.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(id, number)| (id.to_owned(), number.to_owned())).collect()
}

/// The file with this ending that belongs to a table kept in a file.
#[must_use]
pub fn beside(data: &Path, ending: &str) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Writes a file so that whoever reads it, after whatever happened, finds the old text or the new.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}
