//! A user as a client describes it, and the account that it is.
//!
//! An account keeps the user name, one address, the status and the external id. The other attributes of RFC 7643 are ignored, and
//! `/Schemas` does not list them.

use serde_json::{Value, json};
use shared::domain::{Account, AccountId, AccountVersion, ExternalId, ProvisionedAccount};

use crate::body::{self, Object};
use crate::error::ScimError;

/// The status that a client sets for an account that may not sign in.
const INACTIVE: &str = "inactive";

/// Returns the attributes that a client can change.
pub(crate) fn writable(ProvisionedAccount { account, external_id, .. }: &ProvisionedAccount) -> Object {
    let mut object = Object::new();
    object.insert("userName".into(), json!(account.name));
    object.insert("active".into(), json!(account.is_active()));
    if !account.email.is_empty() {
        object.insert("emails".into(), json!([{ "value": account.email, "type": "work", "primary": true }]));
    }
    if let Some(id) = external_id {
        object.insert("externalId".into(), json!(id.as_str()));
    }
    object
}

/// Returns the account with this id that a client describes. Of an account that exists, attributes that are left out stay; `null` and
/// the empty list remove one.
pub(crate) fn account(
    id: AccountId,
    before: Option<&ProvisionedAccount>,
    body: &Object,
) -> Result<ProvisionedAccount, ScimError> {
    let name = match (body::text(body, "userName")?, before) {
        (Some(name), _) => parse_text("userName", name)?,
        (None, Some(before)) if !body::has(body, "userName") => before.account.name.clone(),
        (None, _) => return Err(ScimError::bad_request("invalidValue", "userName is required")),
    };
    let email = match (body::has(body, "emails"), before) {
        (false, Some(before)) => before.account.email.clone(),
        _ => address(body::get(body, "emails"))?,
    };
    let external_id = match (body::has(body, "externalId"), before) {
        (false, Some(before)) => before.external_id.clone(),
        _ => external_id(body)?,
    };
    let active = body::get(body, "active").map(|value| body::truth("active", value)).transpose()?;
    let status = match (active, before) {
        // A status that another source chose, such as suspended, says more than inactive.
        (None, Some(before)) => before.account.status.clone(),
        (Some(active), Some(before)) if active == before.account.is_active() => before.account.status.clone(),
        (Some(false), _) => INACTIVE.to_owned(),
        (Some(true) | None, _) => Account::ACTIVE.to_owned(),
    };
    let account = Account { id, name, email, status, version: AccountVersion::EARLIEST };
    Ok(ProvisionedAccount { account, external_id, created_at: before.and_then(|before| before.created_at) })
}

/// Returns the external id in a body, if there is one.
pub(crate) fn external_id(body: &Object) -> Result<Option<ExternalId>, ScimError> {
    let text = body::text(body, "externalId")?.filter(|text| !text.is_empty());
    text.map(ExternalId::parse).transpose().map_err(|invalid| ScimError::invalid_value("externalId", invalid))
}

fn parse_text(attribute: &str, text: &str) -> Result<String, ScimError> {
    Account::parse_text(text.trim()).map_err(|invalid| ScimError::invalid_value(attribute, invalid))
}

/// Chooses the address to keep: the primary one, else the one for work, else the first.
fn address(emails: Option<&Value>) -> Result<String, ScimError> {
    let must_be = || ScimError::bad_request("invalidValue", "emails must be a list of objects, each with a value");
    let Some(emails) = emails else { return Ok(String::new()) };
    let emails = emails.as_array().ok_or_else(must_be)?;
    let emails: Vec<&Object> = emails.iter().map(|it| it.as_object().ok_or_else(must_be)).collect::<Result<_, _>>()?;
    let is_primary = |email: &&&Object| {
        body::get(email, "primary").is_some_and(|value| body::truth("primary", value).unwrap_or_default())
    };
    let is_for_work = |email: &&&Object| body::get(email, "type").and_then(Value::as_str) == Some("work");
    let chosen = emails.iter().find(is_primary).or_else(|| emails.iter().find(is_for_work)).or(emails.first());
    match chosen {
        Some(email) => parse_text("emails.value", body::text(email, "value")?.ok_or_else(must_be)?),
        None => Ok(String::new()),
    }
}
