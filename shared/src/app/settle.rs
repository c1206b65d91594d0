//! What follows from a write, right after it, for as long as there is time.

use tokio::time::Instant;

use super::App;
use crate::authz::{Action, Granted, Settle};
use crate::domain::{AccountId, Error, GroupId, JobKind};
use crate::propagation::Propagation;
use crate::store::{PendingName, Store};

impl App {
    /// Carries it up through every group above that accounts came into a group or left it. Gives whether all of that is
    /// visible now; what is not follows by the table's stream.
    pub async fn settle_members<A: Action>(
        &self,
        granted: &Granted<A>,
        group: &GroupId,
        accounts: &[AccountId],
    ) -> bool {
        let (granted, store) = (Granted::following(granted), self.store_for_settling());
        is_settled(self.propagation(&granted, &store).climb(group, accounts).await)
    }

    /// Does a job that came about with a write. Gives whether all of it is visible now, in every group above; what is
    /// not follows by the table's stream.
    pub async fn settle_job<A: Action>(&self, granted: &Granted<A>, kind: &JobKind) -> bool {
        let (granted, store) = (Granted::following(granted), self.store_for_settling());
        is_settled(self.propagation(&granted, &store).complete(kind).await)
    }

    /// Has a search find a group by the name that it was just given. Gives whether it does now.
    pub async fn settle_name<A: Action>(&self, granted: &Granted<A>, name: &PendingName) -> bool {
        is_settled(self.store_for_settling().index_name(&Granted::following(granted), name).await)
    }

    /// The store, for no longer than a write may go on before it answers.
    fn store_for_settling(&self) -> Store {
        self.store.no_later_than(Instant::now() + self.config.settle_budget)
    }

    fn propagation<'a>(&self, granted: &'a Granted<Settle>, store: &'a Store) -> Propagation<'a> {
        Propagation { store, granted, now: self.clock.now() }
    }
}

fn is_settled(outcome: Result<(), Error>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(Error::Unavailable { .. }) => false,
        Err(error) => {
            tracing::error!(reason = %error, "what follows from a write is left to the stream");
            false
        }
    }
}
