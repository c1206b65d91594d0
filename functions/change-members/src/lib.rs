//! `PATCH /api/v1/groups/{id}/members`: adds and removes up to 500 accounts, each by itself.
//!
//! 200 with one outcome per id: `added`, `already_member`, `removed`, `not_direct_member`, `unknown_account` or `retry`;
//! 404 when the group does not exist. Administrators only.

use shared::api::requests::ChangeMembersRequest;
use shared::api::responses::OutcomesResponse;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::http::request::{group_id, json_body};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("change-members", |app, request| Box::pin(handler(app, request)));

/// Handles a request.
///
/// # Errors
/// 400, 401, 403, 404, 413, 415, 503.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let body = ChangeMembersRequest::parse(json_body(&request)?)?;
    let group = group_id(&request)?;
    let changed = app.store.change_members(&granted, &group, &body.changes(), app.clock.now()).await?;
    let (outcomes, settled) = app.settle(&granted, changed).await;
    Ok(Reply::ok(&OutcomesResponse::new(&body, outcomes)).membership_settled(settled))
}
