//! Finishes the effects of a write right after it, for as long as its time budget lasts.

use tokio::time::Instant;

use super::App;
use crate::authz::{Granted, Permission};
use crate::domain::Error;
use crate::propagation::Propagation;
use crate::store::{Pending, Unsettled};

impl App {
    /// Propagates the effects of a write within the time budget. Returns the written value, and whether every ancestor
    /// already shows them. The table's stream finishes the rest.
    pub async fn settle<T, P: Permission>(&self, granted: &Granted<P>, written: Unsettled<T>) -> (T, bool) {
        let (value, pending) = written.into_parts();
        let store = self.store.no_later_than(Instant::now() + self.config.settle_budget);
        let propagation = Propagation { store: &store, actor: Some(granted.actor()), now: self.clock.now() };
        let settled = match pending {
            Pending::Nothing => true,
            Pending::Unknown => false,
            Pending::Members(group, accounts) => is_settled(propagation.propagate_members(&group, &accounts).await),
            Pending::Job(kind) => is_settled(propagation.complete_job(&kind).await),
            Pending::Name(name) => is_settled(store.index_name(&name).await),
        };
        (value, settled)
    }
}

fn is_settled(outcome: Result<(), Error>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(Error::Unavailable { .. }) => false,
        Err(error) => {
            tracing::error!(reason = %error, "the effects of a write are left to the stream");
            false
        }
    }
}
