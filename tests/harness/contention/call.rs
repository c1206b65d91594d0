//! Reads a request to the table as far as the model needs it: its items, and their partitions in the table and the index.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::Reply;
use crate::harness::proxy;

/// The partition key of the index.
const INDEX_KEY: &str = "GSI1PK";

/// A partition key of the table, or of an index after its name.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    BatchGet,
    TransactGet,
    Write,
    TransactWrite,
}

impl Kind {
    pub const fn axis(self) -> Axis {
        match self {
            Self::Read | Self::BatchGet | Self::TransactGet => Axis::Read,
            Self::Write | Self::TransactWrite => Axis::Write,
        }
    }

    /// Whether it fails when it meets a transaction.
    pub const fn conflicts(self) -> bool {
        matches!(self, Self::TransactGet | Self::Write | Self::TransactWrite)
    }
}

/// An item that a request reads or writes, or the partition that a Query reads.
#[derive(Debug)]
pub struct Touch {
    pub partition: Partition,
    /// `None` for a Query.
    pub item: Option<String>,
    /// The index partition that the item is put into.
    pub enters: Option<Partition>,
    /// Whether the item is in no index partition afterwards.
    pub leaves: bool,
    pub only_checks: bool,
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
            "TransactGetItems" => {
                let keys = proxy::actions(request).map(|(_, get)| proxy::key_of_action(get));
                (Kind::TransactGet, keys.map(Touch::of_key).collect())
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                (Kind::Write, vec![Touch::of_write(operation.trim_end_matches("Item"), request)])
            }
            "TransactWriteItems" => {
                let touches = proxy::actions(request).map(|(kind, action)| Touch::of_write(kind, action));
                (Kind::TransactWrite, touches.collect())
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
            Kind::BatchGet | Kind::Write => 6_000,
            Kind::TransactGet => 10_000,
            Kind::TransactWrite => 16_000 + 100 * self.touches.len() as u64,
        })
    }

    /// The units that an item costs at least.
    pub const fn least(&self) -> f64 {
        match self.kind {
            Kind::Read | Kind::BatchGet if !self.is_consistent => 0.5,
            Kind::Read | Kind::BatchGet | Kind::Write => 1.0,
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
        let item = Some(format!("{partition} {sort}"));
        Self { partition: partition.to_owned(), item, enters: None, leaves: false, only_checks: false }
    }

    fn of_write(kind: &str, action: &Value) -> Self {
        let removed = || {
            let (_, removed) = action["UpdateExpression"].as_str()?.split_once("REMOVE ")?;
            let mut names = action["ExpressionAttributeNames"].as_object()?.iter();
            let (alias, _) = names.find(|(_, name)| *name == INDEX_KEY)?;
            removed.split([' ', ',']).find(|word| word == alias)
        };
        let enters = action["Item"][INDEX_KEY]["S"].as_str();
        Self {
            enters: enters.map(|partition| in_index("GSI1", partition)),
            leaves: kind == "Delete" || kind == "Put" && enters.is_none() || removed().is_some(),
            only_checks: kind == "ConditionCheck",
            ..Self::of_key(proxy::key_of_action(action))
        }
    }

    fn of_query(request: &Value) -> Self {
        // The first comparison is that of the partition key.
        let (_, value) = request["KeyConditionExpression"].as_str().unwrap().split_once('=').unwrap();
        let placeholder = value.split_whitespace().next().unwrap();
        let key = request["ExpressionAttributeValues"][placeholder]["S"].as_str().unwrap();
        let partition = request["IndexName"].as_str().map_or_else(|| key.to_owned(), |index| in_index(index, key));
        Self { partition, item: None, enters: None, leaves: false, only_checks: false }
    }
}

fn in_index(index: &str, partition: &str) -> Partition {
    format!("{index} {partition}")
}

fn keys(request: &Value) -> impl Iterator<Item = &Value> {
    request["RequestItems"].as_object().unwrap().values().flat_map(|table| table["Keys"].as_array().unwrap())
}

/// Returns the units in the table, or of a Query, and the units that a write costs in indexes.
pub fn consumed(capacity: &Value) -> (f64, f64) {
    let tables = capacity.as_array().map_or_else(|| std::slice::from_ref(capacity), Vec::as_slice);
    let units = |part: &Value| part["CapacityUnits"].as_f64().unwrap_or_default();
    let of_indexes = |table: &Value| -> f64 {
        table["GlobalSecondaryIndexes"].as_object().into_iter().flatten().map(|(_, index)| units(index)).sum()
    };
    let (total, indexes): (f64, f64) = (tables.iter().map(units).sum(), tables.iter().map(of_indexes).sum());
    // A Query of an index reads only there.
    if total > indexes { (total - indexes, indexes) } else { (total, 0.0) }
}
