//! Decodes the rows of a `Query` from the response's bytes straight into their type ([`Row`]). The SDK sends the
//! request and interprets everything else; this module decodes rows only (docs/decisions/0021).

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

use super::row::{Row, Texts};
use super::unreadable;
use crate::domain::Error;
use crate::store::keys::{Attributes, Key};

/// Rows of one type. The first may be of others: count shards, and the row of the entity that the rest belongs to.
#[derive(Debug)]
pub(in crate::store) struct TypedRows<T> {
    heads: Vec<Row<Value>>,
    rest: Vec<Row<T>>,
}

impl<T> Default for TypedRows<T> {
    fn default() -> Self {
        Self { heads: Vec::new(), rest: Vec::new() }
    }
}

impl<T: DeserializeOwned> TypedRows<T> {
    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.heads.len() + self.rest.len()
    }

    /// Drops the rows past `wanted`.
    pub(super) fn truncate(&mut self, wanted: usize) {
        self.rest.truncate(wanted.saturating_sub(self.heads.len()));
    }

    /// Appends the rows of the next page.
    pub(super) fn extend(&mut self, later: Self) -> Result<(), Error> {
        if self.heads.is_empty() {
            *self = later;
            return Ok(());
        }
        self.rest.extend(later.all()?);
        Ok(())
    }

    /// Takes rows from the front while `is_head` accepts their keys.
    pub(in crate::store) fn take_heads<H: DeserializeOwned>(
        &mut self,
        is_head: impl Fn(&Key) -> bool,
    ) -> Result<Vec<Row<H>>, Error> {
        let heads = self.heads.iter().take_while(|head| is_head(&head.key)).count();
        self.heads.drain(..heads).map(decode_head).collect()
    }

    /// Takes the row with the key `head`, if it exists and is the first.
    pub(in crate::store) fn take_head<H: DeserializeOwned>(&mut self, head: &Key) -> Result<Option<Row<H>>, Error> {
        let is_first = self.heads.first().is_some_and(|first| first.key == *head);
        is_first.then(|| decode_head(self.heads.remove(0))).transpose()
    }

    /// All rows that are left.
    pub(in crate::store) fn all(self) -> Result<Vec<Row<T>>, Error> {
        let mut rows = self.heads.into_iter().map(decode_head).collect::<Result<Vec<_>, _>>()?;
        rows.extend(self.rest);
        Ok(rows)
    }
}

fn decode_head<T: DeserializeOwned>(row: Row<Value>) -> Result<Row<T>, Error> {
    let item = serde_json::from_value(row.item).map_err(|_| unreadable("row"))?;
    Ok(Row { key: row.key, item })
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TypedRows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TypedRowsVisitor(PhantomData))
    }
}

struct TypedRowsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TypedRowsVisitor<T> {
    type Value = TypedRows<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<TypedRows<T>, A::Error> {
        let mut found = TypedRows { heads: Vec::new(), rest: Vec::new() };
        while let Some(head) = rows.next_element::<Row<Value>>()? {
            // Count shards come before their group.
            let is_last = head.key.as_count().is_none();
            found.heads.push(head);
            if is_last {
                break;
            }
        }
        while let Some(row) = rows.next_element()? {
            found.rest.push(row);
        }
        Ok(found)
    }
}

/// The response of a `Query` (DynamoDB API Reference, "Query").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
struct QueryResponse<T> {
    #[serde(default)]
    items: TypedRows<T>,
    last_evaluated_key: Option<Texts>,
    consumed_capacity: Option<Capacity>,
}

/// The consumed capacity, in units.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Capacity {
    capacity_units: f64,
}

/// The body of an error.
#[derive(Deserialize)]
struct ErrorType {
    #[serde(rename = "__type")]
    kind: String,
}

/// Receives the rows, because the SDK's output type has no place for them.
#[derive(Debug)]
struct RowDecoder<T>(Arc<Mutex<TypedRows<T>>>);

impl<T> Clone for RowDecoder<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Sends a `Query`. Returns its rows and, when more follow, the key of the last row it looked at.
pub(super) async fn send<T>(
    request: QueryFluentBuilder,
) -> Result<(TypedRows<T>, Option<Attributes>), SdkError<QueryError, HttpResponse>>
where
    T: DeserializeOwned + Debug + Send + Sync + 'static,
{
    let decoder = RowDecoder(Arc::default());
    let output = request.customize().interceptor(decoder.clone()).send().await?;
    let found = std::mem::take(&mut *decoder.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((found, output.last_evaluated_key.filter(|key| !key.is_empty())))
}

impl<T: DeserializeOwned + Debug + Send + Sync + 'static> Intercept for RowDecoder<T> {
    fn name(&self) -> &'static str {
        "decodes rows"
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

impl<T: DeserializeOwned + Debug + Send + Sync> DeserializeResponse for RowDecoder<T> {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<context::Output, OrchestratorError<context::Error>> {
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() {
            // Without a name the status alone decides whether to retry.
            let name = serde_json::from_slice(body).map_or_else(|_| String::new(), |ErrorType { kind }| kind);
            return Err(failed(name.rsplit('#').next().unwrap_or_default()));
        }
        // Checking the whole body once is faster than checking each text.
        let text = std::str::from_utf8(body).map_err(|_| failed("unreadable"))?;
        let QueryResponse { items, last_evaluated_key, consumed_capacity } =
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
