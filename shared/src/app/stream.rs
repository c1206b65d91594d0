//! A function on the table's stream.

use std::process::ExitCode;

use futures::future::BoxFuture;
use lambda_runtime::Context;
use serde_json::Value;

use super::events::{batch_answer, serve_events};
use super::resources::Resources;
use super::run;
use crate::domain::Error;
use crate::store::{Record, read_records};
use crate::telemetry::{Invocation, counting};

/// How the handler of a stream is called: it gives the sequence numbers of the records that have to come again.
type StreamHandler<R> = for<'a> fn(&'a R, Vec<Record>) -> BoxFuture<'a, Vec<String>>;

/// One function on the stream: its name, which is also its binary's and its folder's, and its handler.
pub struct StreamFunction<R> {
    /// What it does.
    pub name: &'static str,
    handler: StreamHandler<R>,
}

impl<R: Resources> StreamFunction<R> {
    /// A function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: StreamHandler<R>) -> Self {
        Self { name, handler }
    }

    /// Works through a batch of records. Gives what Lambda wants to know (AWS Lambda Developer Guide, "Configuring
    /// partial batch response with DynamoDB and Lambda").
    ///
    /// # Errors
    /// What came is no batch of records of a table.
    pub async fn answer(&self, resources: &R, event: Value, context: &Context) -> Result<Value, Error> {
        let invocation = Invocation::begin(self.name);
        let records = read_records(event)?;
        let (items, first) = (records.len(), records.iter().filter_map(|record| record.happened_at).min());
        let resources = resources.for_invocation(Some(context));
        let worked = counting((self.handler)(&resources, records)).await;
        Ok(batch_answer(invocation, context, (items, first), worked))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        run(
            self.name,
            serve_events(async |resources, event| self.answer(resources, event.payload, &event.context).await),
        )
    }
}
