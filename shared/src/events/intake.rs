//! Applies events of other systems.

use super::incoming::{AccountEvent, IncomingEvent};
use crate::domain::{Actor, Error, MembershipRequest, Missing, Moment, RequestOutcome, Timestamp};
use crate::store::Store;

/// Nanoseconds by which the clock of another system may be ahead. An event of the far future would supersede all others
/// until then.
const MAX_CLOCK_SKEW: i64 = 5 * 60 * 1_000_000_000;

/// Why an event is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError {
    /// It can never be applied.
    Permanent(String),
    /// It may be applied once the account is announced.
    UnknownAccount(String),
    /// It may be applied once the table responds.
    Unavailable(String),
    /// It may be applied once an internal error is corrected.
    Internal(String),
}

impl ApplyError {
    /// The reason why the event is not retried any more, if it is not. `is_expired` means that its time budget is over.
    #[must_use]
    pub fn dead_letter_reason(self, is_expired: bool) -> Option<String> {
        match self {
            Self::Permanent(reason) => Some(reason),
            Self::UnknownAccount(reason) => is_expired.then(|| format!("{reason}, after all this time")),
            Self::Internal(reason) => is_expired.then_some(reason),
            // Retried until the table responds: no other event could be applied before that either.
            Self::Unavailable(_) => None,
        }
    }
}

impl IncomingEvent {
    /// Parses the text of an event.
    ///
    /// # Errors
    /// [`ApplyError::Permanent`].
    pub fn read(body: &str) -> Result<Self, ApplyError> {
        let event = serde_json::from_str(body).map_err(|_| ApplyError::Permanent("the event is not JSON".into()))?;
        Self::parse(event).map_err(|errors| ApplyError::Permanent(errors.to_string()))
    }

    /// Applies the event. Returns whether that changed anything: a late or repeated event changes nothing. Only
    /// `privileged_sources` may change the members of privileged groups, and of groups nested in these.
    ///
    /// # Errors
    /// Why the event is not applied. The reason has no value of the event but ids.
    pub async fn apply(
        &self,
        store: &Store,
        privileged_sources: &[String],
        now: Timestamp,
    ) -> Result<bool, ApplyError> {
        if self.ordered_at().unix_nanos() > Moment::from(now).unix_nanos().saturating_add(MAX_CLOCK_SKEW) {
            return Err(ApplyError::Permanent("the event is dated more than five minutes ahead".into()));
        }
        match self {
            Self::Account { event, source } => {
                let actor = Actor::new(source);
                let applied = match event {
                    AccountEvent::Described(account) => store.put_account(&actor, account).await,
                    AccountEvent::Deleted(id, version) => store.delete_account(&actor, id, *version).await,
                };
                applied.map_err(|error| apply_error(&error))
            }
            Self::Membership { request, requested_by, source } => {
                let (actor, is_privileged) = (Actor::new(requested_by), privileged_sources.contains(source));
                let applied = store.apply_request(&actor, request, is_privileged, now).await;
                membership_changed(request, applied.map_err(|error| apply_error(&error))?)
            }
        }
    }
}

fn membership_changed(request: &MembershipRequest, outcome: RequestOutcome) -> Result<bool, ApplyError> {
    match outcome {
        RequestOutcome::Changed => Ok(true),
        RequestOutcome::Unchanged => Ok(false),
        RequestOutcome::TooMany => {
            Err(ApplyError::Permanent("32 other requests for this membership were made at the same moment".into()))
        }
        RequestOutcome::OnlyIndirect(groups) => Err(apply_error(&Error::OnlyIndirect(groups))),
        RequestOutcome::UnknownAccount => {
            let unknown = Missing::Account(request.change.account().to_string());
            Err(ApplyError::UnknownAccount(unknown.to_string()))
        }
    }
}

fn apply_error(error: &Error) -> ApplyError {
    let reason = error.to_string();
    match error {
        Error::Guarded(_) => {
            ApplyError::Permanent(format!("{reason}, and the event's source is not in PRIVILEGED_SOURCES"))
        }
        Error::Unavailable { .. } => ApplyError::Unavailable(reason),
        Error::Internal { .. } => ApplyError::Internal(reason),
        _ => ApplyError::Permanent(reason),
    }
}
