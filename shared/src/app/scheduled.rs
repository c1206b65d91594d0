//! Functions that a schedule invokes: each works through the items that are due.

use std::process::ExitCode;

use futures::future::BoxFuture;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::batch::serve_events;
use super::dependencies::Dependencies;
use super::run;
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Error};
use crate::telemetry::{Invocation, InvocationSummary, with_counters};

/// An item that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueItem {
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Whether it is done, and not due any more.
    pub is_done: bool,
}

/// The handler of a scheduled function. It returns the items that were due.
type ScheduledHandler<R> = for<'a> fn(&'a R) -> BoxFuture<'a, Result<Vec<DueItem>, Error>>;

/// One scheduled function: its handler, and its name, which is also that of its binary and folder.
pub struct ScheduledFunction<R> {
    /// The name.
    pub name: &'static str,
    handler: ScheduledHandler<R>,
}

impl<R: Dependencies> ScheduledFunction<R> {
    /// The function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: ScheduledHandler<R>) -> Self {
        Self { name, handler }
    }

    /// Handles what is due. Returns how many items were due, and how many still are; the event says nothing.
    ///
    /// # Errors
    /// What is due could not be read.
    pub async fn answer(&self, dependencies: &R, context: &Context) -> Result<Value, Error> {
        let invocation = Invocation::begin(self.name);
        let dependencies = dependencies.for_invocation(Some(context));
        let (handled, counts) = with_counters((self.handler)(&dependencies)).await;
        let items = handled.as_deref().unwrap_or_default();
        let now = SystemClock.now().unix_seconds();
        let age = |item: &DueItem| u64::try_from(now - item.since).unwrap_or_default() * 1_000;
        let (lag, failed) = (items.iter().map(age).max(), items.iter().filter(|item| !item.is_done));
        let failed_lag = failed.clone().map(age).max();
        let outcome = InvocationSummary::Batch { items: items.len(), failed: failed.count(), lag, failed_lag };
        invocation.end(&context.request_id, context.xray_trace_id.as_deref(), &outcome, counts);
        let items = handled?;
        let left = items.iter().filter(|item| !item.is_done).count();
        Ok(json!({ "due": items.len(), "left": left }))
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        let answer =
            async |dependencies: &R, event: LambdaEvent<Value>| self.answer(dependencies, &event.context).await;
        run(self.name, serve_events(answer))
    }
}
