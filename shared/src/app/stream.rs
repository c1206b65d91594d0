//! A function on the table's stream.

use std::process::ExitCode;

use futures::future::BoxFuture;
use lambda_runtime::tower::service_fn;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{App, milliseconds_since, run};
use crate::domain::Error;
use crate::store::{Record, read_records};

/// How the handler of a stream is called: it gives the sequence numbers of the records that have to come again.
pub(super) type StreamHandler = for<'a> fn(&'a App, Vec<Record>) -> BoxFuture<'a, Vec<String>>;

/// One function on the stream: its name, which is also its binary's and its folder's, and its handler.
#[derive(Clone, Copy)]
pub struct StreamFunction {
    /// What it does.
    pub name: &'static str,
    handler: StreamHandler,
}

impl StreamFunction {
    /// A function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: StreamHandler) -> Self {
        Self { name, handler }
    }

    /// Works through a batch of records. Gives what Lambda wants to know (AWS Lambda Developer Guide, "Configuring
    /// partial batch response with DynamoDB and Lambda").
    ///
    /// # Errors
    /// What came is no batch of records of a table.
    pub async fn answer(self, app: &App, event: Value, context: &Context) -> Result<Value, Error> {
        let started = Instant::now();
        let records = read_records(event)?;
        let app = app.for_invocation(Some(context));
        let count = records.len();
        let failed = (self.handler)(&app, records).await;
        let (request_id, milliseconds) = (&context.request_id, milliseconds_since(started));
        tracing::info!(function = self.name, request_id, records = count, failed = failed.len(), milliseconds, "batch");
        let failures: Vec<Value> = failed.iter().map(|number| json!({ "itemIdentifier": number })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(self) -> ExitCode {
        run(self.name, self.serve())
    }

    async fn serve(self) -> Result<(), String> {
        let app = App::from_environment().await.map_err(|error| error.to_string())?;
        let app = &app;
        let service = service_fn(move |event: LambdaEvent<Value>| async move {
            self.answer(app, event.payload, &event.context).await.map_err(|error| error.to_string())
        });
        lambda_runtime::run(service).await.map_err(|error| error.to_string())
    }
}
