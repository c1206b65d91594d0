//! Runs transactions, and reads why one was cancelled.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Get, TransactGetItem};

use super::Table;
use super::write::Write;
use crate::aws::retry::{Backoff, Retry, internal, is_retryable, send_with_backoff, send_with_retry};
use crate::domain::Error;
use crate::store::keys::{Attributes, Key};

const OPERATION: &str = "TransactWriteItems";

/// Reasons for which a transaction may succeed later.
const RETRYABLE_REASONS: &[&str] =
    &["ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError", "TransactionConflict"];

/// Actions in one transaction, at most (Amazon DynamoDB Developer Guide, "Service, account, and table quotas").
pub(in crate::store) const MAX_ACTIONS: usize = 100;

/// How often an attempt is repeated after conflicts, and the error after the last.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct ConflictLimit {
    attempts: usize,
    then: fn() -> Error,
}

impl ConflictLimit {
    /// For changes of an account's membership. Twenty changes of the same member rows in a row are unlikely: the rows contradict
    /// each other.
    pub(in crate::store) const MEMBERSHIP: Self = Self { attempts: 20, then: contradiction };
    /// For changes that depend on many groups: these may be busy for long.
    pub(in crate::store) const MANY_GROUPS: Self = Self { attempts: 20, then: busy };
    /// For waiting until a group above has become privileged, or has not: usually some tenths of a second.
    pub(in crate::store) const PENDING_MARK: Self = Self { attempts: 8, then: busy };
    /// For reading memberships at a point in time, while history lacks a change.
    pub(in crate::store) const HISTORY: Self = Self { attempts: 10, then: busy };
    /// For reconciling members of a group that others are added to.
    pub(in crate::store) const RECONCILIATION: Self = Self { attempts: 30, then: contradiction };
}

fn contradiction() -> Error {
    Error::Internal { operation: OPERATION, code: "conditions keep failing".into() }
}

/// The error of a transaction that did not succeed within its time budget.
pub(in crate::store) fn busy() -> Error {
    Error::Unavailable { operation: OPERATION }
}

/// The result of a transaction.
#[must_use]
pub(in crate::store) enum Commit {
    /// All writes happened.
    Done,
    /// No write happened, because a condition failed. Has an entry for each write: the row that was found, for a put.
    ConditionFailed(Vec<Option<Attributes>>),
}

/// The result of one attempt to read, decide and commit.
#[must_use]
pub(in crate::store) enum Attempt<T> {
    /// Committed, or nothing to commit.
    Done(T),
    /// A condition failed: another write came between the read and the commit.
    Conflict,
}

impl<T> Attempt<T> {
    /// Done with this value if `is_done`, otherwise a conflict.
    pub(in crate::store) fn when(is_done: bool, value: T) -> Self {
        if is_done { Self::Done(value) } else { Self::Conflict }
    }
}

impl Commit {
    /// Whether the writes happened.
    pub(in crate::store) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// The attempt with this value, done if the writes happened.
    pub(in crate::store) fn attempt<T>(self, value: T) -> Attempt<T> {
        Attempt::when(self.is_done(), value)
    }
}

impl Table {
    /// Commits all writes or none.
    pub(in crate::store) async fn transact(&self, writes: Vec<Write>) -> Result<Commit, Error> {
        let commit = self.transact_unless_busy(writes, usize::MAX).await?;
        commit.ok_or_else(busy)
    }

    /// Commits all writes or none. Returns `None` after more conflicts with other transactions than `conflicts`.
    pub(in crate::store) async fn transact_unless_busy(
        &self,
        writes: Vec<Write>,
        conflicts: usize,
    ) -> Result<Option<Commit>, Error> {
        let items: Result<Vec<_>, _> = writes.into_iter().map(|write| write.into_action(&self.name)).collect();
        let items = items.map_err(|_| Error::Internal { operation: OPERATION, code: "not made".into() })?;
        // Every attempt has the same token: a commit whose answer was lost is not repeated.
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(super::random_text());
        let left = AtomicUsize::new(conflicts);
        let retry = |error: &TransactWriteItemsError| {
            let count_down = |left: usize| left.checked_sub(1);
            if !is_retryable_write(error) {
                return None;
            }
            if !is_conflict(error) {
                return Some(Retry::Busy);
            }
            let counted = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down);
            counted.is_ok().then_some(Retry::Conflict)
        };
        match send_with_backoff(OPERATION, self.deadline(), retry, || request.clone().send()).await? {
            Ok(_) => Ok(Some(Commit::Done)),
            Err(error) if is_retryable_write(&error) => Ok(None),
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled))
                if has_reason(cancelled.cancellation_reasons(), &["ConditionalCheckFailed"]) =>
            {
                let reasons = cancelled.cancellation_reasons.unwrap_or_default();
                Ok(Some(Commit::ConditionFailed(reasons.into_iter().map(|reason| reason.item).collect())))
            }
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }

    /// `TransactGetItems`, a request for each hundred keys; rows that do not exist are left out. Of each hundred, sees each
    /// committed transaction whole and nothing of one in progress. A plain read may see one row from before a transaction
    /// and the next from after it.
    pub(in crate::store) async fn transact_get(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, Error> {
        let mut rows = HashMap::with_capacity(keys.len());
        for hundred in keys.chunks(MAX_ACTIONS) {
            rows.extend(self.transact_get_chunk(hundred).await?);
        }
        Ok(rows)
    }

    async fn transact_get_chunk(&self, keys: &[Key]) -> Result<HashMap<Key, Attributes>, Error> {
        const OPERATION: &str = "TransactGetItems";
        let get = |key: &Key| Get::builder().table_name(&*self.name).set_key(Some(key.to_attributes())).build();
        let gets: Result<Vec<_>, _> =
            keys.iter().map(|key| Ok(TransactGetItem::builder().get(get(key)?).build())).collect();
        let gets = gets.map_err(|_: BuildError| Error::Internal { operation: OPERATION, code: "not made".into() })?;
        let request = self.client.transact_get_items().set_transact_items(Some(gets));
        let sent = send_with_retry(OPERATION, self.deadline(), is_retryable_read, || request.clone().send()).await?;
        let found = sent.map_err(internal(OPERATION))?.responses.unwrap_or_default().into_iter();
        let found = found.filter_map(|response| response.item.filter(|row| !row.is_empty()));
        Ok(found.filter_map(|row| Some((Key::from_row(&row)?, row))).collect())
    }

    /// Runs `attempt`, which reads, decides and commits, again after each conflict, with backoff.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at the deadline, that of `limit` after its last conflict, and those of `attempt`.
    pub(in crate::store) async fn retry_on_conflict<T, F>(
        &self,
        limit: ConflictLimit,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Attempt<T>, Error>>,
    {
        let mut backoff = Backoff::new(OPERATION, self.deadline());
        for _ in 0..limit.attempts {
            if let Attempt::Done(value) = attempt().await? {
                return Ok(value);
            }
            backoff.pause().await?;
        }
        Err((limit.then)())
    }
}

/// Whether a failed transaction may succeed later. One with a failed condition may not, even if it also conflicted.
fn is_retryable_write(error: &TransactWriteItemsError) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons();
            !has_reason(reasons, &["ConditionalCheckFailed"]) && has_reason(reasons, RETRYABLE_REASONS)
        }
        error => is_retryable(error),
    }
}

/// Whether a transaction was cancelled because of another one.
fn is_conflict(error: &TransactWriteItemsError) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            has_reason(cancelled.cancellation_reasons(), &["TransactionConflict"])
        }
        _ => false,
    }
}

/// Whether a failed transactional read may succeed later: it met a transaction, or the table throttled.
fn is_retryable_read(error: &TransactGetItemsError) -> bool {
    match error {
        TransactGetItemsError::TransactionCanceledException(cancelled) => {
            has_reason(cancelled.cancellation_reasons(), RETRYABLE_REASONS)
        }
        error => is_retryable(error),
    }
}

fn has_reason(reasons: &[CancellationReason], codes: &[&str]) -> bool {
    reasons.iter().filter_map(CancellationReason::code).any(|code| codes.contains(&code))
}
