//! Events that EventBridge delivers: at least once, in any order.

use serde_json::Value;

use crate::api::fields::Others;
use crate::api::{Faults, Fields};
use crate::authz::{Granted, Ingest};
use crate::domain::{Account, AccountId, AccountVersion, Error, Violation};
use crate::store::Store;

/// What the account system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// `Account Created` or `Account Updated`: the account is as described.
    Described(Account),
    /// `Account Deleted`: it is gone.
    Deleted(AccountId, AccountVersion),
}

const DETAIL_TYPES: &str = "Account Created, Account Updated or Account Deleted";
const TEXT: &str = "1 to 256 characters without control characters";
/// Some accounts have no address.
const EMAIL: &str = "at most 256 characters without control characters";

impl AccountEvent {
    /// Reads an event as EventBridge delivers it: `detail-type` and `detail` matter, the rest of the envelope does not.
    ///
    /// # Errors
    /// Every fault of the event.
    pub fn parse(event: Value) -> Result<Self, Faults> {
        let mut envelope = Fields::of_value(event, "event", "")?;
        let known = |text: &str| match text {
            "Account Created" | "Account Updated" => Ok(false),
            "Account Deleted" => Ok(true),
            _ => Err(Violation::new("is not known here", DETAIL_TYPES)),
        };
        let is_deletion = envelope.required("detail-type", DETAIL_TYPES, known);
        let detail = envelope.take("detail").unwrap_or_default();
        let is_deletion = envelope.finish(Others::Ignored, is_deletion)?;
        let mut detail = Fields::of_value(detail, "detail", "detail.")?;
        let event = if is_deletion { deletion(&mut detail) } else { description(&mut detail) };
        detail.finish(Others::Ignored, event)
    }

    /// Takes the event in. Gives whether anything changed: a late or repeated event changes nothing.
    ///
    /// # Errors
    /// The table did not answer; the event may be delivered again.
    pub async fn apply(&self, store: &Store, granted: &Granted<Ingest>) -> Result<bool, Error> {
        match self {
            Self::Described(account) => store.put_account(granted, account).await,
            Self::Deleted(id, version) => store.delete_account(granted, id, *version).await,
        }
    }
}

fn deletion(detail: &mut Fields) -> Option<AccountEvent> {
    let (id, version) = (id(detail), version(detail));
    Some(AccountEvent::Deleted(id?, version?))
}

fn description(detail: &mut Fields) -> Option<AccountEvent> {
    let (id, version) = (id(detail), version(detail));
    let name = detail.required("name", TEXT, text);
    let email = detail.required("email", EMAIL, address);
    let status = detail.required("status", TEXT, text);
    let account = Account { id: id?, name: name?, email: email?, status: status?, version: version? };
    Some(AccountEvent::Described(account))
}

fn id(detail: &mut Fields) -> Option<AccountId> {
    let violation = Violation::new("is not an account id", AccountId::EXPECTED);
    detail.required("id", AccountId::EXPECTED, |text| AccountId::parse(text).ok_or(violation))
}

fn version(detail: &mut Fields) -> Option<AccountVersion> {
    detail.required("updated_at", "a time in RFC 3339", AccountVersion::parse)
}

fn text(text: &str) -> Result<String, Violation> {
    if text.is_empty() { Err(Violation::new("is empty", TEXT)) } else { read_text(text, TEXT) }
}

fn address(text: &str) -> Result<String, Violation> {
    read_text(text, EMAIL)
}

fn read_text(text: &str, expected: &'static str) -> Result<String, Violation> {
    if text.chars().count() > 256 || text.chars().any(char::is_control) {
        return Err(Violation::new("is longer than 256 characters or has a control character", expected));
    }
    Ok(text.to_owned())
}
