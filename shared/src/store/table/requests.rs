//! Requests for single rows and batches of them, one method each.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    KeysAndAttributes, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::condition::Placeholders;
use super::write::{Update, with_condition};
use super::{SIDE_BY_SIDE, Table};
use crate::aws::retry::{Backoff, internal, is_retryable, send_with_retry};
use crate::domain::Error;
use crate::store::keys::{Attributes, Key};

/// Keys in one `BatchGetItem`, at most.
const BATCH_KEYS: usize = 100;

/// Rows in one `BatchWriteItem`, at most.
const BATCH_ROWS: usize = 25;

/// The result of an update under a condition.
#[must_use]
pub(in crate::store) enum UpdateResult {
    /// The row as updated.
    Updated(Attributes),
    /// The condition failed for this row, or there is none.
    ConditionFailed(Option<Attributes>),
}

impl Table {
    /// `GetItem`, strongly consistent.
    pub(in crate::store) async fn get(&self, key: &Key) -> Result<Option<Attributes>, Error> {
        const OPERATION: &str = "GetItem";
        let request = self.client.get_item().table_name(&*self.name).consistent_read(true);
        let request = request.set_key(Some(key.to_attributes()));
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        Ok(sent.map_err(internal(OPERATION))?.item)
    }

    /// `BatchGetItem`, strongly consistent, of any number of different keys; rows that do not exist are left out.
    pub(in crate::store) async fn batch_get(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, Error> {
        let requests: Vec<_> = keys.chunks(BATCH_KEYS).map(|chunk| self.batch_get_chunk(chunk.to_vec())).collect();
        stream::iter(requests)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_fold(HashMap::with_capacity(keys.len()), |mut rows, chunk| async move {
                rows.extend(chunk);
                Ok(rows)
            })
            .await
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
            rows.extend(found.filter_map(|row| Some((Key::from_row(&row)?, row))));
            // A throttled table returns the keys that it did not look up.
            let unprocessed = output.unprocessed_keys.unwrap_or_default();
            left = unprocessed.into_values().flat_map(|wanted| wanted.keys).collect();
            if left.is_empty() {
                return Ok(rows);
            }
            backoff.pause().await?;
        }
    }

    /// `BatchWriteItem` of any number of rows with different keys, in place of those that exist.
    pub(in crate::store) async fn batch_put(&self, rows: Vec<Attributes>) -> Result<(), Error> {
        let requests: Vec<_> = rows.chunks(BATCH_ROWS).map(|chunk| self.batch_put_chunk(chunk.to_vec())).collect();
        stream::iter(requests).buffer_unordered(SIDE_BY_SIDE).try_collect().await
    }

    async fn batch_put_chunk(&self, rows: Vec<Attributes>) -> Result<(), Error> {
        const OPERATION: &str = "BatchWriteItem";
        let unsendable = |_: BuildError| Error::Internal { operation: OPERATION, code: "request not made".into() };
        let put =
            |row| Ok(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(row)).build()?).build());
        let mut left: Vec<WriteRequest> = rows.into_iter().map(put).collect::<Result<_, _>>().map_err(unsendable)?;
        let mut backoff = Backoff::new(OPERATION, self.deadline());
        loop {
            let request = self.client.batch_write_item().request_items(&*self.name, left);
            let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
            let output = sent.map_err(internal(OPERATION))?;
            // A throttled table returns the rows that it did not write.
            left = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if left.is_empty() {
                return Ok(());
            }
            backoff.pause().await?;
        }
    }

    /// `PutItem` of a row that does not exist yet; changes nothing where it does.
    pub(in crate::store) async fn insert(&self, row: Attributes) -> Result<(), Error> {
        const OPERATION: &str = "PutItem";
        let condition = Some(super::Condition::row_absent());
        let request = with_condition!(self.client.put_item(), &*self.name, condition, Placeholders::default());
        let request = request.set_item(Some(row));
        match send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await? {
            Ok(_) => Ok(()),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }

    /// `UpdateItem`; returns the row as updated, or as found when the condition failed.
    pub(in crate::store) async fn update(&self, update: Update) -> Result<UpdateResult, Error> {
        const OPERATION: &str = "UpdateItem";
        let Update { key, changes, condition } = update;
        let mut placeholders = Placeholders::default();
        let changes = changes.render(&mut placeholders);
        let request = with_condition!(self.client.update_item(), &*self.name, condition, placeholders)
            .set_key(Some(key.to_attributes()))
            .update_expression(changes)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await? {
            Ok(output) => Ok(UpdateResult::Updated(output.attributes.unwrap_or_default())),
            Err(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(UpdateResult::ConditionFailed(failed.item))
            }
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }

    /// `DeleteItem`, whether or not the row exists.
    pub(in crate::store) async fn delete(&self, key: &Key) -> Result<(), Error> {
        const OPERATION: &str = "DeleteItem";
        let request = self.client.delete_item().table_name(&*self.name).set_key(Some(key.to_attributes()));
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        sent.map(drop).map_err(internal(OPERATION))
    }
}
