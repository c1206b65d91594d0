//! Counts requests to the table and the capacity they consume, for the log line of the invocation. An interceptor of the
//! SDK's client sees every request.

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_get_items::{TransactGetItemsInput, TransactGetItemsOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};

use crate::telemetry::{Counter, count};

/// Counts requests and capacity units.
#[derive(Debug)]
pub(in crate::store) struct Metering;

/// Asks for the consumed capacity in an input of one of these types.
macro_rules! request_capacity {
    ($input:expr, $($kind:ty),+) => {
        $(if let Some(input) = $input.downcast_mut::<$kind>() {
            input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
            return;
        })+
    };
}

/// Counts the consumed capacity in an output of one of these types.
macro_rules! count_capacity {
    ($output:expr, $counter:expr, $($kind:ty),+) => {
        $(if let Some(output) = $output.downcast_ref::<$kind>() {
            let capacities = output.consumed_capacity.iter().flat_map(capacities);
            return count($counter, capacities.filter_map(ConsumedCapacity::capacity_units).sum());
        })+
    };
}

fn request_capacity(input: &mut Input) {
    request_capacity!(input, GetItemInput, QueryInput, BatchGetItemInput, TransactGetItemsInput);
    request_capacity!(input, TransactWriteItemsInput, UpdateItemInput, PutItemInput, DeleteItemInput);
}

fn count_capacity(output: &Output) {
    count_capacity!(output, Counter::ReadUnits, GetItemOutput, QueryOutput, BatchGetItemOutput, TransactGetItemsOutput);
    count_capacity!(
        output,
        Counter::WriteUnits,
        TransactWriteItemsOutput,
        UpdateItemOutput,
        PutItemOutput,
        DeleteItemOutput
    );
}

/// One for a request to one table, a list for a request to several.
trait Capacities {
    fn all(&self) -> &[ConsumedCapacity];
}

impl Capacities for ConsumedCapacity {
    fn all(&self) -> &[ConsumedCapacity] {
        std::slice::from_ref(self)
    }
}

impl Capacities for Vec<ConsumedCapacity> {
    fn all(&self) -> &[ConsumedCapacity] {
        self
    }
}

fn capacities(consumed: &impl Capacities) -> &[ConsumedCapacity] {
    consumed.all()
}

impl Intercept for Metering {
    fn name(&self) -> &'static str {
        "metering"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        request_capacity(context.input_mut());
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        count(Counter::TableRequests, 1.0);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Ok(output)) = context.output_or_error() {
            count_capacity(output);
        }
        Ok(())
    }
}
