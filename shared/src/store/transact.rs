//! The one place that runs transactions and reads why one was cancelled.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::expression::Expression;
use super::keys::{Attributes, Key};
use super::table::Table;
use crate::aws::retry::{internal, is_retryable, send_with_retry};
use crate::domain::Error;

pub(super) const OPERATION: &str = "TransactWriteItems";

/// What stands in a transaction's way for a while.
const BUSY: &[&str] =
    &["ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError", "TransactionConflict"];

/// Actions in one transaction, at most (Amazon DynamoDB Developer Guide, "Service, account, and table quotas").
pub(super) const MAX_ACTIONS: usize = 100;

/// One action of a transaction, under its condition; one that is empty always holds.
pub(super) enum Action {
    Put { row: Attributes, e: Expression, condition: String },
    Update { key: Key, e: Expression, update: String, condition: String },
    Delete { key: Key, e: Expression, condition: String },
    Check { key: Key, e: Expression, condition: String },
}

/// What came of a transaction.
pub(super) enum Commit {
    /// All of it happened.
    Done,
    /// Nothing of it happened: conditions do not hold. An entry for each action; for a put whose condition failed, the
    /// row that it found.
    Refused(Vec<Option<Attributes>>),
}

impl Table {
    /// Commits all actions or none.
    pub(super) async fn transact(&self, actions: Vec<Action>) -> Result<Commit, Error> {
        let items: Result<Vec<_>, _> = actions.into_iter().map(|action| action.build(&self.name)).collect();
        let items = items.map_err(|_| Error::Internal { operation: OPERATION, code: "not made".into() })?;
        // The same token on every attempt: one that was committed, but whose answer got lost, is not done twice.
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(super::random_text());
        match send_with_retry(OPERATION, self.deadline(), passes, || request.clone().send()).await? {
            Ok(_) => Ok(Commit::Done),
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled))
                if has(cancelled.cancellation_reasons(), &["ConditionalCheckFailed"]) =>
            {
                let reasons = cancelled.cancellation_reasons.unwrap_or_default();
                Ok(Commit::Refused(reasons.into_iter().map(|reason| reason.item).collect()))
            }
            Err(error) => Err(internal(OPERATION)(error)),
        }
    }
}

/// Whether a failed transaction may go through as it is later. One with a failed condition may not, whatever else
/// stood in its way.
fn passes(error: &TransactWriteItemsError) -> bool {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons();
            !has(reasons, &["ConditionalCheckFailed"]) && has(reasons, BUSY)
        }
        error => is_retryable(error),
    }
}

/// Whether a failed transactional read may go through later: it met a transaction, or a busy table.
pub(super) fn read_passes(error: &TransactGetItemsError) -> bool {
    match error {
        TransactGetItemsError::TransactionCanceledException(cancelled) => has(cancelled.cancellation_reasons(), BUSY),
        error => is_retryable(error),
    }
}

fn has(reasons: &[CancellationReason], codes: &[&str]) -> bool {
    reasons.iter().filter_map(CancellationReason::code).any(|code| codes.contains(&code))
}

/// What the builders of all kinds of actions take alike.
macro_rules! conditioned {
    ($builder:expr, $table:expr, $e:expr, $condition:expr) => {
        $builder
            .table_name($table)
            .set_condition_expression(Some($condition).filter(|condition| !condition.is_empty()))
            .set_expression_attribute_names($e.names())
            .set_expression_attribute_values($e.values())
    };
}

impl Action {
    /// A row that is not there yet.
    pub(super) fn put_new(row: Attributes) -> Self {
        let mut e = Expression::default();
        let condition = e.no_row();
        Self::Put { row, e, condition }
    }

    /// A row, whether or not it is there already.
    pub(super) fn put_any(row: Attributes) -> Self {
        Self::Put { row, e: Expression::default(), condition: String::new() }
    }

    /// Holds that there is such a row, or that there is none.
    pub(super) fn check_row(key: Key, there: bool) -> Self {
        let mut e = Expression::default();
        let condition = if there { e.row() } else { e.no_row() };
        Self::Check { key, e, condition }
    }

    /// Takes a row away, whether or not it is there.
    pub(super) fn delete_any(key: Key) -> Self {
        Self::Delete { key, e: Expression::default(), condition: String::new() }
    }

    fn build(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        let item = match self {
            Self::Put { row, e, condition } => {
                let put = conditioned!(Put::builder(), table, e, condition).set_item(Some(row));
                let found = ReturnValuesOnConditionCheckFailure::AllOld;
                item.put(put.return_values_on_condition_check_failure(found).build()?)
            }
            Self::Update { key, e, update, condition } => {
                let action = conditioned!(Update::builder(), table, e, condition).update_expression(update);
                item.update(action.set_key(Some(key.to_attributes())).build()?)
            }
            Self::Delete { key, e, condition } => {
                let action = conditioned!(Delete::builder(), table, e, condition);
                item.delete(action.set_key(Some(key.to_attributes())).build()?)
            }
            Self::Check { key, e, condition } => {
                let action = conditioned!(ConditionCheck::builder(), table, e, condition);
                item.condition_check(action.set_key(Some(key.to_attributes())).build()?)
            }
        };
        Ok(item.build())
    }
}
