//! The table's stream: brings what follows from every commit up to date.
//!
//! Takes a batch of records and names those that have to come again (`ReportBatchItemFailures`); twice, late or out of
//! order is all the same to it.

use shared::app::{App, StreamFunction};
use shared::authz::Granted;
use shared::propagation::{Propagation, propagate};
use shared::store::Record;

/// This function.
pub const FUNCTION: StreamFunction<App> =
    StreamFunction::new("propagate", |app, records| Box::pin(handler(app, records)));

/// Works through records; gives the sequence numbers of those that have to come again.
pub async fn handler(app: &App, records: Vec<Record>) -> Vec<String> {
    let granted = Granted::propagation();
    let propagation = Propagation { store: &app.store, granted: &granted, now: app.clock.now() };
    propagate(propagation, &records).await
}
