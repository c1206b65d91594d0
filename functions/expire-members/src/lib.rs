//! The scheduled function: each minute, starts memberships, announces their end and ends them, as their time has come.
//!
//! A membership that it does not come to, or that fails, is still due a minute later. A repeated or concurrent run has the same result.

use std::collections::HashSet;

use futures::stream::{self, StreamExt};
use shared::app::{DueItem, ExpireMembersDeps, ScheduledFunction};
use shared::domain::Error;
use shared::store::DueMembership;

/// This function.
pub const FUNCTION: ScheduledFunction<ExpireMembersDeps> =
    ScheduledFunction::new("expire-members", |deps| Box::pin(handler(deps)));

/// Memberships of one partition that are read together.
const READ_TOGETHER: usize = 100;

/// Memberships that are worked on side by side.
const SIDE_BY_SIDE: usize = 16;

/// Handles all memberships that are due. Returns each, with whether it still is.
pub async fn handler(deps: &ExpireMembersDeps) -> Result<Vec<DueItem>, Error> {
    let ExpireMembersDeps { app, notice } = deps;
    let (mut seen, mut items) = (HashSet::new(), Vec::new());
    loop {
        let now = app.clock.now();
        let mut due = app.store.due_memberships(READ_TOGETHER, now).await?;
        due.retain(|it| seen.insert(it.clone()));
        if due.is_empty() {
            return Ok(items);
        }
        let apply = |due: DueMembership| async move {
            let applied = app.store.apply_due(&due, *notice, now).await;
            if let Err(error) = &applied {
                let group = due.group.to_string();
                tracing::error!(group, reason = %error, "a membership that is due waits for the next run");
            }
            DueItem { since: due.at.unix_seconds(), is_done: applied.is_ok() }
        };
        items.extend(stream::iter(due).map(apply).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await);
    }
}
