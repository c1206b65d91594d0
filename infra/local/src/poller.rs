//! Invokes a function with the records of the table's stream, filtered and in batches, as Lambda does (AWS Lambda
//! Developer Guide, "Using AWS Lambda with Amazon DynamoDB"). Records that the function reports as failed are retried;
//! when the function itself fails, both halves of the batch are retried separately.

use std::io::Write;
use std::path::{Path, PathBuf};

use futures::FutureExt;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{Dependencies, StreamFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::watch;

use crate::Problem;
use crate::activity::{Activity, Pauses};
use crate::data_file::make_private;
use crate::pattern;
use crate::table_stream::TableStream;
use crate::template::StreamSource;

/// Polls a table's stream and invokes a function with the records.
pub struct Poller<D> {
    stream: TableStream,
    source: StreamSource,
    function: StreamFunction<D>,
    dependencies: D,
    /// File with the position in the stream, when the table outlives the process.
    checkpoint: Option<PathBuf>,
    empty_rounds: watch::Sender<u64>,
}

/// Watches how often a poller has found the stream empty.
#[derive(Clone)]
pub struct Progress(watch::Receiver<u64>);

impl Progress {
    /// Resolves once all records that exist now are processed.
    pub async fn caught_up(&mut self) {
        // The current round may have begun earlier; the one after it has not.
        let seen = *self.0.borrow() + 2;
        // A poller ends only together with the server.
        let _ = self.0.wait_for(|rounds| *rounds >= seen).await;
    }
}

impl<D: Dependencies> Poller<D> {
    /// Opens the stream of a table, after the checkpoint or from the beginning.
    ///
    /// # Errors
    /// There is no such table, or it has no stream.
    pub async fn new(
        (endpoint, table): (&str, &str),
        source: &StreamSource,
        function: StreamFunction<D>,
        dependencies: D,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self, Problem> {
        let stream = TableStream::open(endpoint, table, load_checkpoint(checkpoint.as_deref())).await?;
        let (empty_rounds, _) = watch::channel(0);
        Ok(Self { stream, source: source.clone(), function, dependencies, checkpoint, empty_rounds })
    }

    /// Returns a watch of this poller's progress.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress(self.empty_rounds.subscribe())
    }

    /// Polls until the runtime shuts down.
    pub async fn run(mut self, activity: Activity) {
        let mut pauses = activity.pauses();
        loop {
            match self.stream.read(self.source.batch_size).await {
                Ok(records) if records.is_empty() => {
                    self.empty_rounds.send_modify(|rounds| *rounds += 1);
                    pauses.wait().await;
                }
                Ok(records) => {
                    pauses.reset();
                    self.process(records, &mut pauses).await;
                    self.save_checkpoint();
                    activity.note();
                }
                Err(problem) => {
                    tracing::warn!(%problem, "the stream does not answer");
                    pauses.wait().await;
                }
            }
        }
    }

    /// Invokes the function with records until all of them are processed or given up.
    async fn process(&self, mut records: Vec<Value>, pauses: &mut Pauses) {
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
                pauses.wait().await;
            }
            match self.invoke(&batch).await {
                // The first record that failed and all after it are retried.
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

    /// Invokes the function once and returns the sequence numbers that failed; `None` when the function itself failed.
    async fn invoke(&self, records: &[Value]) -> Option<Vec<String>> {
        let mut context = Context::default();
        context.request_id = uuid::Uuid::new_v4().to_string();
        context.deadline = SystemClock.unix_millis() + self.source.timeout_seconds * 1_000;
        let response = self.function.answer(&self.dependencies, json!({ "Records": records }), &context);
        let response = std::panic::AssertUnwindSafe(response).catch_unwind().await.ok()?;
        let response = response.map_err(|error| tracing::error!(%error, "the function fails")).ok()?;
        let failures = response["batchItemFailures"].as_array()?.iter();
        Some(failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
    }

    fn save_checkpoint(&self) {
        let Some(path) = &self.checkpoint else { return };
        let lines: String = self.stream.positions().iter().map(|(id, number)| format!("{id} {number}\n")).collect();
        if let Err(error) = replace(path, &lines) {
            tracing::error!(%error, path = %path.display(), "the position in the stream is not saved");
        }
    }
}

/// Reads the position in the stream: shard and sequence number, for each shard.
fn load_checkpoint(checkpoint: Option<&Path>) -> Vec<(String, String)> {
    let text = checkpoint.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(id, number)| (id.to_owned(), number.to_owned())).collect()
}

/// The file with this ending next to a table's data file.
#[must_use]
pub fn beside(data: &Path, ending: &str) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Replaces a file. After a crash it has either the old or the new text.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = make_private(Path::new(&new))?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}
