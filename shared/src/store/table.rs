//! The requests to the table, one method each.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    Get, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactGetItem,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::expression::Expression;
use super::keys::{Attribute, Attributes, Bounds, Key, LIST_INDEX, ListKey, Range};
use super::pages::{self, Found};
use super::transact;
use crate::aws::retry::{Backoff, TimeLimit, internal, is_retryable, send_with_retry};
use crate::domain::Error;

/// Keys that one `BatchGetItem` takes.
const BATCH_KEYS: usize = 100;
const QUERY: &str = "Query";
/// Requests of one call that are under way side by side.
const SIDE_BY_SIDE: usize = 16;

/// The table, and the time there is for it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
    pub(super) time: TimeLimit,
}

/// What came of a write under a condition.
pub(super) enum Written {
    /// It is written; the row as it is now, when the write gives it back.
    Done(Option<Attributes>),
    /// The condition does not hold for the row as it is, if there is one.
    Refused(Option<Attributes>),
}

/// What one Query is to read.
pub(super) struct Rows<'a> {
    pub(super) range: &'a Range,
    /// The row to start after.
    pub(super) after: Option<(Key, Option<ListKey>)>,
    /// How many rows are wanted; all of them when `None`.
    pub(super) wanted: Option<usize>,
    /// What a row must fulfil to be among them.
    pub(super) filter: Option<(Expression, String)>,
}

impl<'a> Rows<'a> {
    pub(super) const fn all(range: &'a Range) -> Self {
        Self { range, after: None, wanted: None, filter: None }
    }

    fn wanted(&self) -> usize {
        self.wanted.unwrap_or(usize::MAX)
    }
}

impl Table {
    /// When to give up what begins now.
    pub(super) fn deadline(&self) -> Instant {
        self.time.deadline()
    }

    /// `GetItem`, strongly consistent.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Attributes>, Error> {
        const OPERATION: &str = "GetItem";
        let request = self.client.get_item().table_name(&*self.name).consistent_read(true);
        let request = request.set_key(Some(key.to_attributes()));
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        Ok(sent.map_err(internal(OPERATION))?.item)
    }

    /// `BatchGetItem`, strongly consistent, of any number of different keys; rows that do not exist are left out.
    pub(super) async fn batch_get(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, Error> {
        let requests: Vec<_> = keys.chunks(BATCH_KEYS).map(|chunk| self.batch_get_chunk(chunk.to_vec())).collect();
        stream::iter(requests)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_fold(HashMap::with_capacity(keys.len()), |mut rows, chunk| async move {
                rows.extend(chunk);
                Ok(rows)
            })
            .await
    }

    /// `TransactGetItems` of up to a hundred keys; rows that do not exist are left out. Gives what all transactions that
    /// are committed have made of the rows, and nothing that one is still at: a plain read may give one row as it was
    /// before a transaction and the next as it is after it.
    pub(super) async fn transact_get(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, Error> {
        const OPERATION: &str = "TransactGetItems";
        let get = |key: &Key| Get::builder().table_name(&*self.name).set_key(Some(key.to_attributes())).build();
        let gets: Result<Vec<_>, _> =
            keys.iter().map(|key| Ok(TransactGetItem::builder().get(get(key)?).build())).collect();
        let gets = gets.map_err(|_: BuildError| Error::Internal { operation: OPERATION, code: "not made".into() })?;
        let request = self.client.transact_get_items().set_transact_items(Some(gets));
        let sent =
            send_with_retry(OPERATION, self.deadline(), transact::read_passes, || request.clone().send()).await?;
        let found = sent.map_err(internal(OPERATION))?.responses.unwrap_or_default().into_iter();
        let found = found.filter_map(|response| response.item.filter(|row| !row.is_empty()));
        Ok(found.filter_map(|row| Some((Key::of_row(&row)?, row))).collect())
    }

    async fn batch_get_chunk(&self, keys: Vec<Key>) -> Result<HashMap<Key, Attributes>, Error> {
        const OPERATION: &str = "BatchGetItem";
        let mut left: Vec<Attributes> = keys.iter().map(Key::to_attributes).collect();
        let mut rows = HashMap::with_capacity(keys.len());
        let mut backoff = Backoff::new(OPERATION, self.deadline());
        loop {
            let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(left));
            let wanted = wanted
                .build()
                .map_err(|_| Error::Internal { operation: OPERATION, code: "request not made".into() })?;
            let request = self.client.batch_get_item().request_items(&*self.name, wanted);
            let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
            let output = sent.map_err(internal(OPERATION))?;
            let found = output.responses.into_iter().flatten().flat_map(|(_, rows)| rows);
            rows.extend(found.filter_map(|row| Some((Key::of_row(&row)?, row))));
            // What a throttled table did not look at comes back as keys.
            let unprocessed = output.unprocessed_keys.unwrap_or_default();
            left = unprocessed.into_values().flat_map(|wanted| wanted.keys).collect();
            if left.is_empty() {
                return Ok(rows);
            }
            backoff.pause().await?;
        }
    }

    /// `Query`, one per megabyte; strongly consistent but for the index.
    pub(super) async fn query(&self, rows: Rows<'_>) -> Result<Vec<Attributes>, Error> {
        let (wanted, mut found) = (rows.wanted(), Vec::new());
        let take = |page: Vec<Attributes>| {
            found.extend(page);
            Ok(found.len())
        };
        self.pages(rows, |request| self.page(request), take).await?;
        found.truncate(wanted);
        Ok(found)
    }

    /// As [`Table::query`], of rows that are many: read as what they are, without maps in between.
    pub(super) async fn read<T>(&self, rows: Rows<'_>) -> Result<Found<T>, Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (wanted, mut found) = (rows.wanted(), Found::default());
        let take = |page: Found<T>| {
            found.extend(page)?;
            Ok(found.len())
        };
        let page = |request: QueryFluentBuilder| async move {
            let sent = send_with_retry(QUERY, self.deadline(), is_retryable, || pages::send(request.clone())).await?;
            sent.map_err(internal(QUERY))
        };
        self.pages(rows, page, take).await?;
        found.truncate(wanted);
        Ok(found)
    }

    /// Reads pages until there are as many rows as are wanted, of which `take` tells how many it has, or no more.
    async fn pages<P, F: Future<Output = Result<(P, Option<Attributes>), Error>>>(
        &self,
        rows: Rows<'_>,
        page: impl Fn(QueryFluentBuilder) -> F,
        mut take: impl FnMut(P) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let wanted = rows.wanted();
        let Rows { range, after, filter, .. } = rows;
        // A limit counts rows before the filter: with one, a page of the table is the better stretch.
        let is_limited = filter.is_none();
        let request = self.query_of(range, filter);
        let mut start = after.map(|(key, list_key)| {
            let mut start = key.to_attributes();
            start.extend(list_key.iter().flat_map(ListKey::to_attributes));
            start
        });
        let mut left = wanted;
        loop {
            let limit = i32::try_from(left).ok().filter(|_| is_limited);
            let (rows, last) = page(request.clone().set_limit(limit).set_exclusive_start_key(start)).await?;
            left = wanted.saturating_sub(take(rows)?);
            start = last;
            if start.is_none() || left == 0 {
                return Ok(());
            }
        }
    }

    /// One `Query` of the table: the rows of up to a megabyte, and the last key that it looked at when more follow.
    pub(super) async fn query_page(&self, rows: Rows<'_>) -> Result<(Vec<Attributes>, Option<Key>), Error> {
        let limit = rows.wanted.and_then(|wanted| i32::try_from(wanted).ok());
        let start = rows.after.map(|(key, _)| key.to_attributes());
        let request = self.query_of(rows.range, rows.filter).set_limit(limit).set_exclusive_start_key(start);
        let (rows, last) = self.page(request).await?;
        Ok((rows, last.as_ref().and_then(Key::of_row)))
    }

    async fn page(&self, request: QueryFluentBuilder) -> Result<(Vec<Attributes>, Option<Attributes>), Error> {
        let sent = send_with_retry(QUERY, self.deadline(), is_retryable, || request.clone().send()).await?;
        let output = sent.map_err(internal(QUERY))?;
        let last = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((output.items.unwrap_or_default(), last))
    }

    fn query_of(&self, range: &Range, filter: Option<(Expression, String)>) -> QueryFluentBuilder {
        let Bounds { in_index, partition, sort } = range.bounds();
        let (mut e, filter) = filter.map_or_else(Default::default, |(e, filter)| (e, Some(filter)));
        let keys = if in_index { [Attribute::ListPk, Attribute::ListSk] } else { [Attribute::Pk, Attribute::Sk] };
        let mut condition = e.equal(keys[0], partition);
        if let Some((first, last)) = sort {
            condition = format!("{condition} AND {}", e.between(keys[1], &first, &last));
        }
        self.client
            .query()
            .table_name(&*self.name)
            .set_index_name(in_index.then(|| LIST_INDEX.to_owned()))
            .consistent_read(!in_index)
            .key_condition_expression(condition)
            .set_filter_expression(filter)
            .set_expression_attribute_names(e.names())
            .set_expression_attribute_values(e.values())
    }

    /// `PutItem` under a condition.
    pub(super) async fn put(&self, row: Attributes, e: Expression, condition: String) -> Result<Written, Error> {
        const OPERATION: &str = "PutItem";
        let request = self
            .client
            .put_item()
            .table_name(&*self.name)
            .set_item(Some(row))
            .condition_expression(condition)
            .set_expression_attribute_names(e.names())
            .set_expression_attribute_values(e.values());
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        match sent {
            Ok(_) => Ok(Written::Done(None)),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(Written::Refused(None)),
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }

    /// `UpdateItem` under a condition; gives the row back, as it is now or as it was found.
    pub(super) async fn update(
        &self,
        key: &Key,
        e: Expression,
        update: String,
        condition: String,
    ) -> Result<Written, Error> {
        const OPERATION: &str = "UpdateItem";
        let request = self
            .client
            .update_item()
            .table_name(&*self.name)
            .set_key(Some(key.to_attributes()))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(e.names())
            .set_expression_attribute_values(e.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        match sent {
            Ok(output) => Ok(Written::Done(output.attributes)),
            Err(UpdateItemError::ConditionalCheckFailedException(failed)) => Ok(Written::Refused(failed.item)),
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }

    /// `DeleteItem`, whether or not there is such a row.
    pub(super) async fn delete(&self, key: &Key) -> Result<(), Error> {
        const OPERATION: &str = "DeleteItem";
        let request = self.client.delete_item().table_name(&*self.name).set_key(Some(key.to_attributes()));
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        sent.map(drop).map_err(internal(OPERATION))
    }
}
