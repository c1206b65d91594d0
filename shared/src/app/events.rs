//! What functions have in common that nobody calls: they work through batches of what happened.

use lambda_runtime::tower::service_fn;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::resources::Resources;
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, Error};
use crate::telemetry::{Counts, Invocation, Outcome};

/// Which of a batch have to come again, as Lambda wants to be told; and a line of what it came to. Of the batch: how many there
/// were, and when the first of them happened, in milliseconds since 1970.
pub(super) fn batch_answer(
    invocation: Invocation,
    context: &Context,
    (items, first): (usize, Option<u64>),
    (failed, counts): (Vec<String>, Counts),
) -> Value {
    let lag = first.map(|at| SystemClock.unix_millis().saturating_sub(at));
    let outcome = Outcome::Batch { items, failed: failed.len(), lag };
    invocation.end(&context.request_id, context.xray_trace_id.as_deref(), &outcome, counts);
    let failures: Vec<Value> = failed.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// Answers one batch after the other until the environment is shut down.
pub(super) async fn serve_events<R: Resources>(
    answer: impl AsyncFn(&R, LambdaEvent<Value>) -> Result<Value, Error>,
) -> Result<(), String> {
    let resources = R::from_environment().map_err(|error| error.to_string())?;
    resources.connect().await;
    let (resources, answer) = (&resources, &answer);
    let service =
        service_fn(move |event| async move { answer(resources, event).await.map_err(|error| error.to_string()) });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}
