//! `GET /api/v1/groups/{id}/members?membership_type=&limit=&after=`: who is a member.
//!
//! 200 with the members by id and how many there are; without `limit`, up to 10,000 in one response. 404 when the group
//! does not exist. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::responses::MembersResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{Limit, MembershipType};
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-members", |app, request| Box::pin(handler(app, request)));

/// Handles a request.
///
/// # Errors
/// 400, 401, 403, 404, 503.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_MEMBERS));
    let only = query.take("membership_type", MembershipType::parse);
    let after = query.after();
    query.finish()?;
    let id = group_id(&request)?;
    let limit = limit.unwrap_or(Limit::MAX_MEMBERS);
    let (page, count) = app.store.list_members(&granted, &id, only, limit, after.as_ref()).await?;
    Ok(Reply::ok(&MembersResponse::new(&page, count)))
}
