//! Finishes the effects of a write right after it, for as long as its time budget lasts.

use tokio::time::Instant;

use super::App;
use crate::authz::{Granted, Permission};
use crate::domain::{Error, JobKind};
use crate::propagation::Propagation;
use crate::store::{ChangedMembers, DeletedGroup, Pending, PendingName, Unsettled};

/// An effect of a write that can be propagated right after it.
pub trait Effect: Send {
    /// Propagates the effect.
    ///
    /// # Errors
    /// The table did not respond. The stream finishes the rest.
    fn propagate(self, propagation: Propagation<'_>) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Effect for ChangedMembers {
    async fn propagate(self, propagation: Propagation<'_>) -> Result<(), Error> {
        propagation.propagate_members(&self.group, &self.accounts).await
    }
}

/// The job was created with the write.
impl Effect for JobKind {
    async fn propagate(self, propagation: Propagation<'_>) -> Result<(), Error> {
        propagation.complete_job(&self).await
    }
}

impl Effect for DeletedGroup {
    async fn propagate(self, propagation: Propagation<'_>) -> Result<(), Error> {
        propagation.detach_group(&self.0).await
    }
}

/// Searches do not find the group by this name yet.
impl Effect for PendingName {
    async fn propagate(self, propagation: Propagation<'_>) -> Result<(), Error> {
        propagation.store.complete_name(&self).await
    }
}

impl App {
    /// Propagates the effects of a write within the time budget. Returns the written value, and whether all effects are
    /// visible now, in every group above. The table's stream finishes the rest.
    pub async fn settle<T, E: Effect, P: Permission>(
        &self,
        granted: &Granted<P>,
        written: Unsettled<T, E>,
    ) -> (T, bool) {
        let (value, pending) = written.into_parts();
        let settled = match pending {
            Pending::Nothing => true,
            Pending::Unknown => false,
            Pending::Effects(effect) => {
                let store = self.store.no_later_than(Instant::now() + self.config.settle_budget);
                let propagation = Propagation { store: &store, actor: Some(granted.actor()), now: self.clock.now() };
                is_settled(effect.propagate(propagation).await)
            }
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
