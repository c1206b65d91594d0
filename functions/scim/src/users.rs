//! `/Users`: accounts.

use serde_json::{Value, json};
use shared::authz::{Granted, Read};
use shared::domain::{AccountId, AccountName, EmailTerm, Error, ExternalId, Limit, ProvisionedAccount, Timestamp};
use shared::http::condition::Conditions;
use shared::http::{Method, Reply, StatusCode};
use shared::store::AccountFilter;

use crate::attributes::projection;
use crate::call::{Call, Kind, MEDIA_TYPE};
use crate::error::ScimError;
use crate::filter::{Condition, Field};
use crate::pages::all_pages;
use crate::{body, patch, user};

/// How often a change is tried where others change the same account.
const ATTEMPTS: usize = 16;

/// Answers a request about one user.
pub(crate) async fn answer(call: &Call<'_>, method: &Method, id: &str) -> Result<Reply, ScimError> {
    match *method {
        Method::GET | Method::HEAD => get(call, id).await,
        Method::PUT => {
            let body = body::object(call.request)?;
            change(call, id, |before| user::account(before.account.id.clone(), Some(before), &body)).await
        }
        Method::PATCH => {
            let patch = patch::parse(&body::object(call.request)?)?;
            change(call, id, |before| {
                let body = patch::apply_to_user(&patch, before)?;
                user::account(before.account.id.clone(), Some(before), &body)
            })
            .await
        }
        Method::DELETE => delete(call, id).await,
        _ => Err(ScimError::method("DELETE, GET, HEAD, PATCH, PUT")),
    }
}

async fn get(call: &Call<'_>, id: &str) -> Result<Reply, ScimError> {
    let (granted, conditions) = (call.read()?, Conditions::of(call.request)?);
    let account = require(call, &granted, id).await?;
    if conditions.is_not_modified(account.account.version, Error::AccountChanged)? {
        return Ok(Reply::not_modified(account.account.version));
    }
    reply(call, StatusCode::OK, &account)
}

/// Creates a user, 201. 409 when another one has the user name.
pub(crate) async fn create(call: &Call<'_>) -> Result<Reply, ScimError> {
    let granted = call.write()?;
    let new = user::account(call.app.new_account_id(), None, &body::object(call.request)?)?;
    let store = &call.app.store;
    for _ in 0..ATTEMPTS {
        let written = match store.write_provisioned(&granted, None, &new, call.app.moment()).await? {
            Some(account) => Some(account),
            // An earlier attempt may have been committed although its response was lost.
            None => store.provisioned_account(&granted.to_read(), &new.account.id).await.ok(),
        };
        if let Some(account) = written {
            return Ok(reply(call, StatusCode::CREATED, &account)?.location(location(call, &account)));
        }
    }
    Err(busy())
}

/// Changes a user, 200. Of changes at the same time each sees the one before.
async fn change(
    call: &Call<'_>,
    id: &str,
    change: impl Fn(&ProvisionedAccount) -> Result<ProvisionedAccount, ScimError>,
) -> Result<Reply, ScimError> {
    let (granted, conditions) = (call.write()?, Conditions::of(call.request)?);
    for _ in 0..ATTEMPTS {
        let before = require(call, &granted.to_read(), id).await?;
        conditions.check(before.account.version, Error::AccountChanged)?;
        let after = change(&before)?;
        let written = call.app.store.write_provisioned(&granted, Some(&before), &after, call.app.moment()).await?;
        if let Some(account) = written {
            return reply(call, StatusCode::OK, &account);
        }
    }
    Err(busy())
}

/// Deletes a user, 204. Its memberships end with it.
async fn delete(call: &Call<'_>, id: &str) -> Result<Reply, ScimError> {
    let (granted, conditions) = (call.write()?, Conditions::of(call.request)?);
    for _ in 0..ATTEMPTS {
        let account = require(call, &granted.to_read(), id).await?;
        conditions.check(account.account.version, Error::AccountChanged)?;
        // Not where another source has described it meanwhile.
        if call.app.store.delete_provisioned(&granted, &account, call.app.moment()).await? {
            return Ok(Reply::no_content());
        }
    }
    Err(busy())
}

async fn require(call: &Call<'_>, granted: &Granted<Read>, id: &str) -> Result<ProvisionedAccount, ScimError> {
    look_up(call, granted, id).await?.ok_or_else(|| ScimError::no_resource("user", id))
}

/// Returns the user with this id, if there is one.
async fn look_up(call: &Call<'_>, granted: &Granted<Read>, id: &str) -> Result<Option<ProvisionedAccount>, ScimError> {
    let Some(id) = AccountId::parse(id) else { return Ok(None) };
    match call.app.store.provisioned_account(granted, &id).await {
        Err(Error::Missing(_)) => Ok(None),
        account => Ok(Some(account?)),
    }
}

/// Returns the users that meet all conditions.
pub(crate) async fn find(
    call: &Call<'_>,
    granted: &Granted<Read>,
    conditions: &[Condition],
) -> Result<Vec<ProvisionedAccount>, ScimError> {
    let value = |field| conditions.iter().find(|it| it.field == field).map(|it| it.value.as_str());
    let mut found = if let Some(id) = value(Field::Id) {
        Vec::from_iter(look_up(call, granted, id).await?)
    } else {
        let external_id = value(Field::ExternalId).map(ExternalId::parse).transpose();
        let email = value(Field::Email).map(EmailTerm::parse).transpose();
        // No user has a value that none can have, nor a display name.
        let (Ok(external_id), Ok(email), None) = (external_id, email, value(Field::DisplayName)) else {
            return Ok(Vec::new());
        };
        let name = value(Field::UserName).map(AccountName::of);
        let filter = &AccountFilter { name, email, external_id, ..AccountFilter::default() };
        let store = &call.app.store;
        all_pages(async |after| store.list_accounts(granted, filter, Limit::MAX_GROUPS, after.as_ref()).await).await?
    };
    found.retain(|account| conditions.iter().all(|condition| holds(condition, account)));
    Ok(found)
}

fn holds(Condition { field, value }: &Condition, provisioned: &ProvisionedAccount) -> bool {
    let ProvisionedAccount { account, external_id, .. } = provisioned;
    match field {
        Field::Id => account.id.as_str() == value,
        Field::ExternalId => external_id.as_ref().is_some_and(|id| id.as_str() == value),
        Field::UserName => AccountName::of(value).matches(account),
        Field::Email => EmailTerm::parse(value).is_ok_and(|email| email.matches(account)),
        Field::DisplayName => false,
    }
}

/// Returns the user of an account.
pub(crate) fn resource(call: &Call<'_>, provisioned: &ProvisionedAccount) -> Value {
    let mut attributes = user::writable(provisioned);
    let account = &provisioned.account;
    attributes.insert("schemas".into(), json!([Kind::User.schema()]));
    attributes.insert("id".into(), json!(account.id));
    let mut meta = json!({
        "resourceType": Kind::User.name(),
        "lastModified": Timestamp::from(account.version.moment()),
        "location": location(call, provisioned),
        "version": format!("\"{}\"", account.version),
    });
    if let Some(created_at) = provisioned.created_at {
        meta["created"] = json!(created_at);
    }
    attributes.insert("meta".into(), meta);
    attributes.into()
}

fn reply(call: &Call<'_>, status: StatusCode, account: &ProvisionedAccount) -> Result<Reply, ScimError> {
    let mut body = resource(call, account);
    projection(call.request)?.apply(&mut body);
    Ok(Reply::document(status, MEDIA_TYPE, &body).etag(account.account.version))
}

fn location(call: &Call<'_>, account: &ProvisionedAccount) -> String {
    call.location(Kind::User, account.account.id.as_str())
}

fn busy() -> ScimError {
    Error::Unavailable { operation: "TransactWriteItems" }.into()
}
