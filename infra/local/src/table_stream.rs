//! Reads a table's stream from the emulator, shard by shard, in the JSON that Lambda passes to a function. It does not use
//! the SDK, which rejects records of DynamoDB Local with an empty map: there it is `{}` without a type.

use reqwest::Client;
use serde_json::{Value, json};

use crate::Problem;

/// Emulators require a signature but do not check it.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host, Signature=0";

/// A table's stream, and how far it has been read.
pub struct TableStream {
    client: Client,
    endpoint: String,
    arn: String,
    shards: Vec<Shard>,
    /// The last sequence number read, by shard.
    read: Vec<(String, String)>,
}

/// A shard of the stream and the iterator of its next records.
struct Shard {
    id: String,
    iterator: Option<String>,
}

impl TableStream {
    /// Opens the stream of the table at this endpoint, after these sequence numbers or from the beginning.
    ///
    /// # Errors
    /// There is no such table, or it has no stream.
    pub async fn open(endpoint: &str, table: &str, read: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut stream =
            Self { client: Client::new(), endpoint: endpoint.to_owned(), arn: String::new(), shards: Vec::new(), read };
        let answer = stream.call("ListStreams", json!({ "TableName": table })).await?;
        let arn = elements(&answer, "Streams").last().and_then(|stream| text(stream, "StreamArn"));
        stream.arn = arn.ok_or_else(|| Problem("the table has no stream".into()))?;
        Ok(stream)
    }

    /// Returns the next records of each shard, at most `limit` of each.
    ///
    /// # Errors
    /// The stream does not reply. The next call continues after the last record read.
    pub async fn read(&mut self, limit: i32) -> Result<Vec<Value>, Problem> {
        let mut records = Vec::new();
        match self.read_shards(limit, &mut records).await {
            Err(problem) => {
                self.shards.clear();
                // Records read before the failure are not read again.
                if records.is_empty() { Err(problem) } else { Ok(records) }
            }
            Ok(()) => Ok(records),
        }
    }

    /// Returns the last sequence number read of each shard.
    #[must_use]
    pub fn positions(&self) -> &[(String, String)] {
        &self.read
    }

    async fn read_shards(&mut self, limit: i32, records: &mut Vec<Value>) -> Result<(), Problem> {
        if self.shards.iter().all(|shard| shard.iterator.is_none()) {
            self.open_shards().await?;
        }
        for at in 0..self.shards.len() {
            let Some(iterator) = self.shards[at].iterator.take() else { continue };
            let answer = self.call("GetRecords", json!({ "ShardIterator": iterator, "Limit": limit })).await?;
            let shard = &mut self.shards[at];
            shard.iterator = text(&answer, "NextShardIterator");
            let found = elements(&answer, "Records");
            if let Some(last) = found.last().and_then(|record| text(&record["dynamodb"], "SequenceNumber")) {
                self.read.retain(|(id, _)| *id != shard.id);
                self.read.push((shard.id.clone(), last));
            }
            records.extend(found.iter().cloned().map(with_typed_maps));
        }
        Ok(())
    }

    async fn open_shards(&mut self) -> Result<(), Problem> {
        let answer = self.call("DescribeStream", json!({ "StreamArn": self.arn })).await?;
        self.shards.clear();
        for id in elements(&answer["StreamDescription"], "Shards").iter().filter_map(|shard| text(shard, "ShardId")) {
            let mut request = json!({ "StreamArn": self.arn, "ShardId": id, "ShardIteratorType": "TRIM_HORIZON" });
            if let Some((_, number)) = self.read.iter().find(|(shard, _)| *shard == id) {
                request["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER".into();
                request["SequenceNumber"] = number.as_str().into();
            }
            let iterator = text(&self.call("GetShardIterator", request).await?, "ShardIterator");
            self.shards.push(Shard { id, iterator });
        }
        Ok(())
    }

    /// Sends a request to the emulator's stream API.
    async fn call(&self, operation: &str, request: Value) -> Result<Value, Problem> {
        let problem = |reason: &dyn std::fmt::Display| Problem::new("the stream of the table", reason);
        let sent = self
            .client
            .post(&self.endpoint)
            .header("authorization", AUTHORIZATION)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
            .body(request.to_string());
        let answer = sent.send().await.map_err(|error| problem(&error))?;
        let status = answer.status();
        let answer: Value = answer.json().await.map_err(|error| problem(&error))?;
        match status.is_success() {
            true => Ok(answer),
            false => Err(problem(&answer)),
        }
    }
}

fn elements<'a>(answer: &'a Value, field: &str) -> &'a [Value] {
    answer[field].as_array().map_or(&[], Vec::as_slice)
}

fn text(answer: &Value, field: &str) -> Option<String> {
    answer[field].as_str().map(str::to_owned)
}

/// Types the empty maps of a record's images. Amazon's DynamoDB Local writes them as `{}`, DynamoDB as `{"M": {}}`.
fn with_typed_maps(mut record: Value) -> Value {
    for image in ["OldImage", "NewImage"] {
        let values = record["dynamodb"].get_mut(image).and_then(Value::as_object_mut).into_iter().flatten();
        for (_, value) in values.filter(|(_, value)| value.as_object().is_some_and(serde_json::Map::is_empty)) {
            *value = json!({ "M": {} });
        }
    }
    record
}
