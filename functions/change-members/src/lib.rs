//! `PATCH /api/v1/groups/{id}/members`: adds and removes up to 500 accounts, each by itself.
//!
//! 200 with one outcome per id: `added`, `already_member`, `removed`, `not_direct_member`, `unknown_account` or `retry`;
//! 404 when the group does not exist. Administrators only.

use shared::api::requests::ChangeMembersRequest;
use shared::api::responses::OutcomesResponse;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::{AccountId, Outcome};
use shared::http::request::{group_id, json_body};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("change-members", |app, request| Box::pin(handler(app, request)));

/// Answers a request.
///
/// # Errors
/// 400, 401, 403, 404, 413, 415, 503.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let body = ChangeMembersRequest::parse(json_body(&request)?)?;
    let group = group_id(&request)?;
    let changes = body.changes();
    let outcomes = app.store.change_members(&granted, &group, &changes, app.clock.now()).await?;
    // Of a change that may or may not have happened nobody knows whether it is visible.
    let all_known = !outcomes.contains(&Outcome::Retry);
    let accounts: Vec<AccountId> = changes.iter().map(|change| change.account().clone()).collect();
    let settled = all_known && app.settle_members(&granted, &group, &accounts).await;
    Ok(Reply::ok(&OutcomesResponse::new(&body, outcomes)).membership_settled(settled))
}
