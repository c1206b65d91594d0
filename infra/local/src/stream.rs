//! The table's stream, polled as Lambda does (AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB"): filtered,
//! in batches, those records again that the function names or, when it fails, both halves of the batch by themselves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use futures::FutureExt;
use lambda_http::Context;
use serde_json::{Map, Value, json};
use shared::app::{App, StreamFunction};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Problem;
use crate::pattern;
use crate::template::StreamSource;

/// How long an empty stream is left alone. Lambda asks four times a second.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Works a table's stream through a function.
pub struct Poller {
    client: Client,
    table_stream: String,
    source: StreamSource,
    function: StreamFunction,
    app: App,
    /// Where to remember how far the stream is worked through, when the table outlives the process.
    checkpoint: Option<PathBuf>,
    shards: Vec<Shard>,
    empty_rounds: watch::Sender<u64>,
}

/// A part of the stream and where it goes on.
struct Shard {
    id: String,
    iterator: Option<String>,
    /// Of the last record worked through.
    last: Option<String>,
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

impl Poller {
    /// A poller of the stream of this table, from where the checkpoint says or from the beginning.
    ///
    /// # Errors
    /// There is no such table, or it has no stream.
    pub async fn new(
        endpoint: &str,
        source: &StreamSource,
        function: StreamFunction,
        app: App,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self, Problem> {
        let config = aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "emulator"))
            .endpoint_url(endpoint);
        let client = Client::from_conf(config.build());
        let streams = client.list_streams().table_name(app.table_name()).send().await.map_err(problem)?;
        let stream = streams.streams().last().and_then(|stream| stream.stream_arn());
        let table_stream = stream.ok_or_else(|| Problem("the table has no stream".into()))?.to_owned();
        let source = source.clone();
        let (empty_rounds, _) = watch::channel(0);
        Ok(Self { client, table_stream, source, function, app, checkpoint, shards: Vec::new(), empty_rounds })
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
            match self.round(&mut pause).await {
                Ok(0) => {
                    self.empty_rounds.send_modify(|rounds| *rounds += 1);
                    pause.tick().await;
                }
                Ok(_) => {}
                Err(problem) => {
                    tracing::warn!(%problem, "the stream does not answer");
                    // As Lambda does with an iterator that is too old.
                    self.shards.clear();
                    pause.tick().await;
                }
            }
        }
    }

    /// Reads each shard once and works through what it has. Gives how many records there were.
    async fn round(&mut self, pause: &mut Interval) -> Result<usize, Problem> {
        if self.shards.iter().all(|shard| shard.iterator.is_none()) {
            self.open_shards().await?;
        }
        let mut seen = 0;
        for index in 0..self.shards.len() {
            let Some(iterator) = self.shards[index].iterator.clone() else { continue };
            let request = self.client.get_records().shard_iterator(iterator).limit(self.source.batch_size);
            let output = request.send().await.map_err(problem)?;
            let records = output.records.unwrap_or_default();
            seen += records.len();
            let last = records.last().and_then(sequence_number);
            self.work(records.iter().map(event_record).collect(), pause).await;
            let shard = &mut self.shards[index];
            shard.iterator = output.next_shard_iterator;
            if last.is_some() {
                shard.last = last;
                self.remember()?;
            }
        }
        Ok(seen)
    }

    async fn open_shards(&mut self) -> Result<(), Problem> {
        let known: Vec<(String, String)> = self.remembered();
        let output = self.client.describe_stream().stream_arn(&self.table_stream).send().await.map_err(problem)?;
        let shards = output.stream_description.unwrap_or_else(|| {
            aws_sdk_dynamodbstreams::types::StreamDescription::builder().build()
        });
        self.shards.clear();
        for shard in shards.shards() {
            let id = shard.shard_id().unwrap_or_default().to_owned();
            let last = known.iter().find(|(shard, _)| *shard == id).map(|(_, number)| number.clone());
            let request = self.client.get_shard_iterator().stream_arn(&self.table_stream).shard_id(&id);
            let request = match &last {
                Some(number) => {
                    request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
                }
                None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            };
            let iterator = request.send().await.map_err(problem)?.shard_iterator;
            self.shards.push(Shard { id, iterator, last });
        }
        Ok(())
    }

    /// Has the function work through records, for as long as it takes.
    async fn work(&self, mut records: Vec<Value>, pause: &mut Interval) {
        records.retain(|record| self.source.filters.iter().any(|filter| pattern::matches(filter, record)));
        let mut batches = vec![(records, 0)];
        while let Some((mut batch, attempts)) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            if attempts > self.source.maximum_retry_attempts {
                tracing::error!(records = batch.len(), "records of the stream go to the on-failure queue");
                continue;
            }
            if attempts > 0 {
                pause.tick().await;
            }
            match self.invoke(&batch).await {
                // The lowest number that failed, and all after it, come again.
                Some(failed) => {
                    let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
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
        let answer = self.function.answer(&self.app, json!({ "Records": records }), &context);
        let answer = std::panic::AssertUnwindSafe(answer).catch_unwind().await.ok()?;
        let answer = answer.map_err(|error| tracing::error!(%error, "the function fails")).ok()?;
        let failures = answer["batchItemFailures"].as_array()?.iter();
        Some(failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
    }

    fn remembered(&self) -> Vec<(String, String)> {
        let in_memory = self.shards.iter().filter_map(|shard| Some((shard.id.clone(), shard.last.clone()?)));
        let in_file = self.checkpoint.as_deref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let lines = in_file.lines().filter_map(|line| line.split_once(' '));
        in_memory.chain(lines.map(|(id, number)| (id.to_owned(), number.to_owned()))).collect()
    }

    fn remember(&self) -> Result<(), Problem> {
        let Some(path) = &self.checkpoint else { return Ok(()) };
        let lines = self.shards.iter().filter_map(|shard| Some(format!("{} {}\n", shard.id, shard.last.as_ref()?)));
        write_whole(path, &lines.collect::<String>())
            .map_err(|error| Problem::new(format!("cannot write {}", path.display()), error))
    }
}

/// Where the file is that belongs to a table kept in a file.
#[must_use]
pub fn checkpoint_of(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".stream");
    PathBuf::from(name)
}

/// Writes a file so that whoever reads it, after whatever happened, finds the old text or the new.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

fn problem(error: impl ProvideErrorMetadata) -> Problem {
    Problem::new("the stream of the table", error.code().unwrap_or("no answer"))
}

fn sequence_number(record: &Record) -> Option<String> {
    record.dynamodb()?.sequence_number().map(str::to_owned)
}

/// A record as Lambda hands it to a function.
fn event_record(record: &Record) -> Value {
    let change = record.dynamodb();
    let image = |row: Option<&std::collections::HashMap<String, AttributeValue>>| row.map(|row| attributes(row.iter()));
    let mut body = Map::new();
    let parts = [
        ("Keys", image(change.and_then(|it| it.keys()))),
        ("NewImage", image(change.and_then(|it| it.new_image()))),
        ("OldImage", image(change.and_then(|it| it.old_image()))),
        ("SequenceNumber", sequence_number(record).map(Value::from)),
        ("SizeBytes", Some(change.and_then(|it| it.size_bytes()).unwrap_or_default().into())),
        ("StreamViewType", Some("NEW_AND_OLD_IMAGES".into())),
    ];
    body.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
    json!({
        "awsRegion": "us-east-1",
        "eventID": record.event_id(),
        "eventName": record.event_name().map(|name| name.as_str()),
        "eventSource": "aws:dynamodb",
        "dynamodb": body,
    })
}

fn attributes<'a>(row: impl Iterator<Item = (&'a String, &'a AttributeValue)>) -> Value {
    row.map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>().into()
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::M(fields) => json!({ "M": attributes(fields.iter()) }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        // No row has any other.
        _ => json!({ "NULL": true }),
    }
}
