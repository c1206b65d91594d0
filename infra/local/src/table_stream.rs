//! The records of a table's stream, in the order of their shards, each as Lambda hands it to a function.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, Shard as Described, ShardIteratorType};
use serde_json::{Map, Value, json};

use crate::Problem;

/// A table's stream, and how far it has been read.
pub struct TableStream {
    client: Client,
    arn: String,
    shards: Vec<Shard>,
    /// Where the shards go on that are not open yet: shard and sequence number.
    read: Vec<(String, String)>,
}

/// A part of the stream and where it goes on.
struct Shard {
    id: String,
    iterator: Option<String>,
}

impl TableStream {
    /// The stream of the table at this endpoint, to be read after these places, or from the beginning.
    ///
    /// # Errors
    /// There is no such table, or it has no stream.
    pub async fn open(endpoint: &str, table: &str, read: Vec<(String, String)>) -> Result<Self, Problem> {
        let config = aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "emulator"))
            .endpoint_url(endpoint);
        let client = Client::from_conf(config.build());
        let streams = client.list_streams().table_name(table).send().await.map_err(|error| problem(&error))?;
        let stream = streams.streams().last().and_then(|stream| stream.stream_arn());
        let arn = stream.ok_or_else(|| Problem("the table has no stream".into()))?.to_owned();
        Ok(Self { client, arn, shards: Vec::new(), read })
    }

    /// The next records of each shard, at most so many of each.
    ///
    /// # Errors
    /// The stream does not answer; the next call begins anew after what was read.
    pub async fn read(&mut self, limit: i32) -> Result<Vec<Value>, Problem> {
        let mut records = Vec::new();
        match self.read_shards(limit, &mut records).await {
            Err(problem) => {
                self.shards.clear();
                // What was read before the failure is not read again.
                if records.is_empty() { Err(problem) } else { Ok(records) }
            }
            Ok(()) => Ok(records),
        }
    }

    /// How far each shard has been read: shard and sequence number.
    #[must_use]
    pub fn places(&self) -> &[(String, String)] {
        &self.read
    }

    async fn read_shards(&mut self, limit: i32, records: &mut Vec<Value>) -> Result<(), Problem> {
        if self.shards.iter().all(|shard| shard.iterator.is_none()) {
            self.open_shards().await?;
        }
        for shard in &mut self.shards {
            let Some(iterator) = shard.iterator.take() else { continue };
            let request = self.client.get_records().shard_iterator(iterator).limit(limit);
            let output = request.send().await.map_err(|error| problem(&error))?;
            shard.iterator = output.next_shard_iterator;
            let found = output.records.unwrap_or_default();
            if let Some(last) = found.last().and_then(sequence_number) {
                self.read.retain(|(id, _)| *id != shard.id);
                self.read.push((shard.id.clone(), last));
            }
            records.extend(found.iter().map(event_record));
        }
        Ok(())
    }

    async fn open_shards(&mut self) -> Result<(), Problem> {
        let output =
            self.client.describe_stream().stream_arn(&self.arn).send().await.map_err(|error| problem(&error))?;
        let shards = output.stream_description.and_then(|description| description.shards).unwrap_or_default();
        self.shards.clear();
        for id in shards.iter().filter_map(Described::shard_id) {
            let request = self.client.get_shard_iterator().stream_arn(&self.arn).shard_id(id);
            let request = match self.read.iter().find(|(shard, _)| shard == id) {
                Some((_, number)) => {
                    request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
                }
                None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            };
            let iterator = request.send().await.map_err(|error| problem(&error))?.shard_iterator;
            self.shards.push(Shard { id: id.to_owned(), iterator });
        }
        Ok(())
    }
}

fn problem(error: &impl ProvideErrorMetadata) -> Problem {
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
