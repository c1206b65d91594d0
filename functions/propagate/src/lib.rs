//! The stream consumer: updates inherited members, account copies and search rows after each write.
//!
//! Takes a batch of records and returns those to retry (`ReportBatchItemFailures`). Repeated, late or reordered records have
//! the same result.

use shared::app::{App, StreamFunction};
use shared::propagation::{Propagation, propagate};
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<App> =
    StreamFunction::new("propagate", |app, records| Box::pin(handler(app, records)));

/// Handles a batch of records. Returns the sequence numbers of those to retry.
pub async fn handler(app: &App, records: Vec<Record>) -> Vec<String> {
    let propagation = Propagation { store: &app.store, actor: None, now: app.clock.now() };
    propagate(propagation, &records).await
}
