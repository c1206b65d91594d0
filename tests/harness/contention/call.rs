//! Reads a request to the table as far as the model needs it: its items and their partitions.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::Reply;
use crate::harness::proxy;

/// A partition key.
pub type Partition = String;

/// Read or write units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    Read,
    Write,
}

impl Axis {
    /// Units a second of one partition key.
    pub const fn rate(self) -> f64 {
        match self {
            Self::Read => 3_000.0,
            Self::Write => 1_000.0,
        }
    }
}

/// Operations that the model treats alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Read,
    BatchGet,
    TransactGet,
    Write,
    BatchWrite,
    TransactWrite,
}

impl Kind {
    pub const fn axis(self) -> Axis {
        match self {
            Self::Read | Self::BatchGet | Self::TransactGet => Axis::Read,
            Self::Write | Self::BatchWrite | Self::TransactWrite => Axis::Write,
        }
    }

    /// Whether it fails when it meets a transaction.
    pub const fn conflicts(self) -> bool {
        matches!(self, Self::TransactGet | Self::Write | Self::BatchWrite | Self::TransactWrite)
    }
}

/// An item that a request reads or writes, or the partition that a Query reads.
#[derive(Debug)]
pub struct Touch {
    pub partition: Partition,
    /// `None` for a Query.
    pub item: Option<String>,
}

/// A request.
#[derive(Debug)]
pub struct Call {
    pub kind: Kind,
    pub touches: Vec<Touch>,
    is_consistent: bool,
}

impl Call {
    pub fn read(operation: &str, request: &Value) -> Self {
        let (kind, touches) = match operation {
            "GetItem" => (Kind::Read, vec![Touch::of_key(proxy::key(&request["Key"]))]),
            "Query" => (Kind::Read, vec![Touch::of_query(request)]),
            "BatchGetItem" => (Kind::BatchGet, keys(request).map(|key| Touch::of_key(proxy::key(key))).collect()),
            "BatchWriteItem" => (Kind::BatchWrite, rows(request).map(|row| Touch::of_key(proxy::key(row))).collect()),
            "TransactGetItems" => {
                let keys = proxy::actions(request).map(|(_, get)| proxy::key_of_action(get));
                (Kind::TransactGet, keys.map(Touch::of_key).collect())
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                (Kind::Write, vec![Touch::of_key(proxy::key_of_action(request))])
            }
            "TransactWriteItems" => {
                let keys = proxy::actions(request).map(|(_, action)| proxy::key_of_action(action));
                (Kind::TransactWrite, keys.map(Touch::of_key).collect())
            }
            other => panic!("the model has no {other}"),
        };
        let of_batch = &request["RequestItems"].as_object().and_then(|tables| tables.values().next());
        let is_consistent = of_batch.unwrap_or(request)["ConsistentRead"] == true;
        Self { kind, touches, is_consistent }
    }

    /// The items, without that of a Query.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.touches.iter().filter_map(|touch| touch.item.as_deref())
    }

    pub fn median(&self) -> Duration {
        Duration::from_micros(match self.kind {
            Kind::Read => 4_000,
            Kind::BatchGet | Kind::Write | Kind::BatchWrite => 6_000,
            Kind::TransactGet => 10_000,
            Kind::TransactWrite => 16_000 + 100 * self.touches.len() as u64,
        })
    }

    /// The units that an item costs at least.
    pub const fn least(&self) -> f64 {
        match self.kind {
            Kind::Read | Kind::BatchGet if !self.is_consistent => 0.5,
            Kind::Read | Kind::BatchGet | Kind::Write | Kind::BatchWrite => 1.0,
            Kind::TransactGet | Kind::TransactWrite => 2.0,
        }
    }

    /// Refuses with this error, or cancels a transaction with a code for each action.
    pub fn refusal(&self, error: &str, codes: &[&str]) -> Reply {
        let is_transaction = matches!(self.kind, Kind::TransactGet | Kind::TransactWrite);
        let body = if is_transaction { proxy::cancelled(codes) } else { proxy::error(error) };
        (StatusCode::BAD_REQUEST, body.to_string().into())
    }
}

impl Touch {
    fn of_key((partition, sort): (&str, &str)) -> Self {
        Self { partition: partition.to_owned(), item: Some(format!("{partition} {sort}")) }
    }

    fn of_query(request: &Value) -> Self {
        // The first comparison is that of the partition key.
        let (_, value) = request["KeyConditionExpression"].as_str().unwrap().split_once('=').unwrap();
        let placeholder = value.split_whitespace().next().unwrap();
        let partition = request["ExpressionAttributeValues"][placeholder]["S"].as_str().unwrap();
        Self { partition: partition.to_owned(), item: None }
    }
}

fn keys(request: &Value) -> impl Iterator<Item = &Value> {
    request["RequestItems"].as_object().unwrap().values().flat_map(|table| table["Keys"].as_array().unwrap())
}

/// Returns the units that a request consumed.
pub fn consumed(capacity: &Value) -> f64 {
    let tables = capacity.as_array().map_or_else(|| std::slice::from_ref(capacity), Vec::as_slice);
    tables.iter().map(|table| table["CapacityUnits"].as_f64().unwrap_or_default()).sum()
}

/// Returns the rows that a BatchWriteItem puts.
fn rows(request: &Value) -> impl Iterator<Item = &Value> {
    let tables = request["RequestItems"].as_object().unwrap().values();
    tables.flat_map(|table| table.as_array().unwrap()).map(|write| &write["PutRequest"]["Item"])
}
