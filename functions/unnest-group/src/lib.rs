//! `DELETE /api/v1/groups/{id}/groups/{childId}`: removes a nested group.
//!
//! 204; 404 when the group does not exist or the other is not nested directly in it. Administrators only.

use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Missing;
use shared::http::request::{child_id, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("unnest-group", |app, request| Box::pin(handler(app, request)));

/// Handles a request.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let (parent, child) = (group_id(&request)?, child_id(&request));
    let child = child.map_err(|_| Missing::Nesting)?;
    let unnested = app.store.unnest_group(&granted, &parent, &child, app.clock.now()).await?;
    let ((), settled) = app.settle(&granted, unnested).await;
    Ok(Reply::no_content().membership_settled(settled))
}
