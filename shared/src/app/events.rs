//! What functions have in common that nobody calls: they work through batches of what happened.

use lambda_runtime::LambdaEvent;
use lambda_runtime::tower::service_fn;
use serde_json::{Value, json};

use super::resources::Resources;
use crate::domain::Error;

/// Which of a batch have to come again, as Lambda wants to be told.
pub(super) fn batch_answer(failed: &[String]) -> Value {
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
