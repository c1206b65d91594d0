//! Pages of a `Query`, read from the bytes of its answer as the rows that they are ([`Row`]). The SDK sends the request and
//! tells what became of it; only what it would have made of the rows is ours.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use aws_sdk_dynamodb::error::{BoxError, ErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::query::{QueryError, QueryOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::items::unreadable;
use super::keys::{Attributes, Key};
use super::row::{Row, Texts};
use crate::domain::Error;

/// Rows of one kind. The first may be another: that of what they belong to.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) first: Option<Row<Value>>,
    pub(super) rest: Vec<Row<T>>,
}

/// The row that others belong to, if it is there, and the others.
type Parted<H, T> = (Option<Row<H>>, Vec<Row<T>>);

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { first: None, rest: Vec::new() }
    }
}

impl<T: DeserializeOwned> Found<T> {
    /// How many.
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// No more than that.
    pub(super) fn truncate(&mut self, wanted: usize) {
        self.rest.truncate(wanted.saturating_sub(usize::from(self.first.is_some())));
    }

    /// With those of a later page behind.
    pub(super) fn extend(&mut self, later: Self) -> Result<(), Error> {
        if self.first.is_none() {
            *self = later;
            return Ok(());
        }
        self.rest.extend(later.first.map(of_kind).transpose()?);
        self.rest.extend(later.rest);
        Ok(())
    }

    /// What they belong to, if its row is there, and all others.
    pub(super) fn behind<H: DeserializeOwned>(mut self, head: &Key) -> Result<Parted<H, T>, Error> {
        let is_head = self.first.as_ref().is_some_and(|first| first.key == *head);
        let head = self.first.take_if(|_| is_head).map(of_kind).transpose()?;
        Ok((head, self.all()?))
    }

    /// All of them.
    pub(super) fn all(self) -> Result<Vec<Row<T>>, Error> {
        let mut rows = self.rest;
        if let Some(first) = self.first {
            rows.insert(0, of_kind(first)?);
        }
        Ok(rows)
    }
}

fn of_kind<T: DeserializeOwned>(row: Row<Value>) -> Result<Row<T>, Error> {
    let item = serde_json::from_value(row.item).map_err(|_| unreadable("row"))?;
    Ok(Row { key: row.key, item })
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Found<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FoundVisitor(PhantomData))
    }
}

struct FoundVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FoundVisitor<T> {
    type Value = Found<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Found<T>, A::Error> {
        let mut found = Found { first: rows.next_element()?, rest: Vec::new() };
        while let Some(row) = rows.next_element()? {
            found.rest.push(row);
        }
        Ok(found)
    }
}

/// What a `Query` is answered (DynamoDB API Reference, "Query").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
struct Answer<T> {
    #[serde(default)]
    items: Found<T>,
    last_evaluated_key: Option<Texts>,
    consumed_capacity: Option<Capacity>,
}

/// What it took, in units.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Capacity {
    capacity_units: f64,
}

/// What it is refused with.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

/// Where rows are put, for the answer that the SDK hands over has no place for them.
#[derive(Debug)]
struct Reader<T>(Arc<Mutex<Found<T>>>);

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Sends a `Query`; gives its rows and, when more follow, the key of the last that it looked at.
pub(super) async fn send<T>(
    request: QueryFluentBuilder,
) -> Result<(Found<T>, Option<Attributes>), SdkError<QueryError, HttpResponse>>
where
    T: DeserializeOwned + Debug + Send + Sync + 'static,
{
    let reader = Reader(Arc::default());
    let output = request.customize().interceptor(reader.clone()).send().await?;
    let found = std::mem::take(&mut *reader.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((found, output.last_evaluated_key.filter(|key| !key.is_empty())))
}

impl<T: DeserializeOwned + Debug + Send + Sync + 'static> Intercept for Reader<T> {
    fn name(&self) -> &'static str {
        "reads rows"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        settings.interceptor_state().store_put(SharedResponseDeserializer::new(self.clone()));
        Ok(())
    }
}

impl<T: DeserializeOwned + Debug + Send + Sync> DeserializeResponse for Reader<T> {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<context::Output, OrchestratorError<context::Error>> {
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() {
            // An error without a name is one all the same: its status says whether it passes.
            let name = serde_json::from_slice(body).map_or_else(|_| String::new(), |Refusal { kind }| kind);
            return Err(failed(name.rsplit('#').next().unwrap_or_default()));
        }
        // Looked at as a whole: each text by itself takes longer.
        let text = std::str::from_utf8(body).map_err(|_| failed("unreadable"))?;
        let Answer { items, last_evaluated_key, consumed_capacity } =
            serde_json::from_str(text).map_err(|_| failed("unreadable"))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = items;
        let last = last_evaluated_key
            .map(|Texts(key)| key.into_iter().map(|(name, text)| (name, AttributeValue::S(text.text))).collect());
        let capacity = consumed_capacity
            .map(|Capacity { capacity_units }| ConsumedCapacity::builder().capacity_units(capacity_units).build());
        let output = QueryOutput::builder().set_last_evaluated_key(last).set_consumed_capacity(capacity);
        Ok(context::Output::erase(output.build()))
    }
}

fn failed(code: &str) -> OrchestratorError<context::Error> {
    let error = QueryError::generic(ErrorMetadata::builder().code(code).build());
    OrchestratorError::operation(context::Error::erase(error))
}
