//! Queries: a spec to send, and the pages returned.

use std::fmt::Debug;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::de::DeserializeOwned;

use super::Table;
use super::condition::{Condition, Placeholders};
use super::typed_query::{self, TypedRows};
use crate::aws::retry::{internal, is_retryable, send_with_retry};
use crate::domain::Error;
use crate::store::keys::{Attribute, Attributes, Bounds, Key, Range};

const OPERATION: &str = "Query";

/// A Query to send.
pub(in crate::store) struct QuerySpec<'a> {
    pub(in crate::store) range: &'a Range,
    /// The row after which to start. It need not exist.
    pub(in crate::store) after: Option<Key>,
    /// The number of rows wanted; all of them when `None`.
    pub(in crate::store) wanted: Option<usize>,
    /// The most requests to send; each returns up to a megabyte.
    pub(in crate::store) pages: usize,
    /// The condition that a row must meet to be returned.
    pub(in crate::store) filter: Option<Condition>,
    /// Whether to read the range from its end.
    pub(in crate::store) is_reversed: bool,
}

impl<'a> QuerySpec<'a> {
    /// All rows of a range.
    pub(in crate::store) const fn all(range: &'a Range) -> Self {
        Self { range, after: None, wanted: None, pages: usize::MAX, filter: None, is_reversed: false }
    }

    fn wanted(&self) -> usize {
        self.wanted.unwrap_or(usize::MAX)
    }
}

impl Table {
    /// `Query`, one request for each megabyte; strongly consistent.
    pub(in crate::store) async fn query(&self, spec: QuerySpec<'_>) -> Result<Vec<Attributes>, Error> {
        let (wanted, mut found) = (spec.wanted(), Vec::new());
        let take = |page: Vec<Attributes>| {
            found.extend(page);
            Ok(found.len())
        };
        self.query_pages(spec, |request| self.send(request), take).await?;
        found.truncate(wanted);
        Ok(found)
    }

    /// As [`Table::query`], for many rows: decodes each straight into its type, without a map in between.
    pub(in crate::store) async fn query_typed<T>(&self, spec: QuerySpec<'_>) -> Result<TypedRows<T>, Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        self.query_typed_part(spec).await.map(|(rows, _)| rows)
    }

    /// As [`Table::query_typed`]. Also returns the last key it looked at, when more follow.
    pub(in crate::store) async fn query_typed_part<T>(
        &self,
        spec: QuerySpec<'_>,
    ) -> Result<(TypedRows<T>, Option<Key>), Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (wanted, mut found) = (spec.wanted(), TypedRows::default());
        let take = |page: TypedRows<T>| {
            found.extend(page)?;
            Ok(found.len())
        };
        let page = |request: QueryFluentBuilder| async move {
            let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || typed_query::send(request.clone()))
                .await?;
            sent.map_err(internal(OPERATION))
        };
        let last = self.query_pages(spec, page, take).await?;
        found.truncate(wanted);
        Ok((found, last.as_ref().and_then(Key::from_row)))
    }

    /// Reads pages until there are as many rows as wanted, or no more may be read. `take` keeps a page and returns how many rows it has.
    async fn query_pages<P, F: Future<Output = Result<(P, Option<Attributes>), Error>>>(
        &self,
        spec: QuerySpec<'_>,
        page: impl Fn(QueryFluentBuilder) -> F,
        mut take: impl FnMut(P) -> Result<usize, Error>,
    ) -> Result<Option<Attributes>, Error> {
        let wanted = spec.wanted();
        let QuerySpec { range, after, pages, filter, is_reversed, .. } = spec;
        // A limit counts rows before the filter: with a filter, a whole page is the better size.
        let is_limited = filter.is_none();
        let request = self.request(range, filter).set_scan_index_forward(is_reversed.then_some(false));
        let mut start = after.as_ref().map(Key::to_attributes);
        let mut left = wanted;
        for _ in 0..pages {
            let limit = i32::try_from(left).ok().filter(|_| is_limited);
            let (rows, last) = page(request.clone().set_limit(limit).set_exclusive_start_key(start)).await?;
            left = wanted.saturating_sub(take(rows)?);
            start = last;
            if start.is_none() || left == 0 {
                break;
            }
        }
        Ok(start)
    }

    /// One `Query` of the table: the rows of up to a megabyte, and the last key it looked at when more follow.
    pub(in crate::store) async fn query_page(
        &self,
        spec: QuerySpec<'_>,
    ) -> Result<(Vec<Attributes>, Option<Key>), Error> {
        let limit = spec.wanted.and_then(|wanted| i32::try_from(wanted).ok());
        let start = spec.after.as_ref().map(Key::to_attributes);
        let direction = spec.is_reversed.then_some(false);
        let request = self.request(spec.range, spec.filter).set_scan_index_forward(direction);
        let request = request.set_limit(limit).set_exclusive_start_key(start);
        let (rows, last) = self.send(request).await?;
        Ok((rows, last.as_ref().and_then(Key::from_row)))
    }

    async fn send(&self, request: QueryFluentBuilder) -> Result<(Vec<Attributes>, Option<Attributes>), Error> {
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable, || request.clone().send()).await?;
        let output = sent.map_err(internal(OPERATION))?;
        let last = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((output.items.unwrap_or_default(), last))
    }

    fn request(&self, range: &Range, filter: Option<Condition>) -> QueryFluentBuilder {
        let Bounds { partition, sort } = range.bounds();
        let mut condition = Condition::equals(Attribute::Pk, partition);
        if let Some((first, last)) = sort {
            condition = condition.and(Condition::between(Attribute::Sk, &first, &last));
        }
        let mut placeholders = Placeholders::default();
        let condition = condition.render(&mut placeholders);
        let filter = filter.map(|filter| filter.render(&mut placeholders));
        let (names, values) = placeholders.into_parts();
        self.client
            .query()
            .table_name(&*self.name)
            .consistent_read(true)
            .key_condition_expression(condition)
            .set_filter_expression(filter)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
    }
}
