//! What becomes of an event that came: it is applied, or can never be, or not yet.

use crate::authz::Granted;
use crate::domain::{Error, MembershipRequest, Missing, Moment, RequestOutcome, Timestamp};
use crate::store::Store;

use super::incoming::{AccountEvent, IncomingEvent};

/// Nanoseconds by which the clock of who asks may be ahead: a request of the far future would stand over all that come
/// until then.
const CLOCKS_APART: i64 = 5 * 60 * 1_000_000_000;

/// Why an event is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It can never be.
    Never(String),
    /// It may be, once the account is known.
    UnknownAccount(String),
    /// It may be, once the table answers.
    Unavailable(String),
    /// It may be, once a fault of ours is mended.
    Internal(String),
}

impl Refusal {
    /// The reason why the event is not to be tried again, if so: for one that has waited for too long.
    #[must_use]
    pub fn gives_up(self, is_out_of_patience: bool) -> Option<String> {
        match self {
            Self::Never(reason) => Some(reason),
            Self::UnknownAccount(reason) => is_out_of_patience.then(|| format!("{reason}, after all this time")),
            Self::Internal(reason) => is_out_of_patience.then_some(reason),
            // A table that does not answer at all will take nothing else either, and come back one day.
            Self::Unavailable(_) => None,
        }
    }
}

impl IncomingEvent {
    /// Reads an event and applies it. Gives whether that changed anything: one that is late or comes again changes nothing.
    ///
    /// # Errors
    /// Why it is not applied; no value of the event but ids.
    pub async fn take(body: &str, store: &Store, now: Timestamp) -> Result<bool, Refusal> {
        let event = serde_json::from_str(body).map_err(|_| Refusal::Never("the event is not JSON".into()))?;
        let event = Self::parse(event).map_err(|errors| Refusal::Never(errors.to_string()))?;
        event.apply(store, now).await
    }

    async fn apply(&self, store: &Store, now: Timestamp) -> Result<bool, Refusal> {
        match self {
            Self::Account { event, source } => {
                let granted = Granted::event_source(source);
                let applied = match event {
                    AccountEvent::Described(account) => store.put_account(&granted, account).await,
                    AccountEvent::Deleted(id, version) => store.delete_account(&granted, id, *version).await,
                };
                applied.map_err(|error| refusal(&error))
            }
            Self::Membership { request, requested_by } => apply_request(request, requested_by, store, now).await,
        }
    }
}

async fn apply_request(
    request: &MembershipRequest,
    requested_by: &str,
    store: &Store,
    now: Timestamp,
) -> Result<bool, Refusal> {
    if request.requested_at.unix_nanos() > Moment::from(now).unix_nanos().saturating_add(CLOCKS_APART) {
        return Err(Refusal::Never("the request was made in the future".into()));
    }
    let granted = Granted::event_source(requested_by);
    match store.apply_request(&granted, request, now).await.map_err(|error| refusal(&error))? {
        RequestOutcome::Changed => Ok(true),
        RequestOutcome::Unchanged => Ok(false),
        RequestOutcome::OnlyIndirect(groups) => Err(refusal(&Error::OnlyIndirect(groups))),
        RequestOutcome::UnknownAccount => {
            let unknown = Missing::Account(request.change.account().to_string());
            Err(Refusal::UnknownAccount(unknown.to_string()))
        }
    }
}

fn refusal(error: &Error) -> Refusal {
    let reason = error.to_string();
    match error {
        Error::Unavailable { .. } => Refusal::Unavailable(reason),
        Error::Internal { .. } => Refusal::Internal(reason),
        _ => Refusal::Never(reason),
    }
}
