//! `DELETE /api/v1/groups/{id}/groups/{childId}`: removes a nested group.
//!
//! 204; 404 when the group does not exist or the other is not nested directly in it. Administrators only.

use shared::api::operation::{Access, Operation, SETTLED, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Missing;
use shared::http::condition::precondition;
use shared::http::request::{child_id, group_id, precautions};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("unnest-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Nesting,
    summary: "Remove a nested group",
    description: "Also removes the members that come only through the nested group.",
    access: Access::Administrators,
    parameters: &["Id", "ChildId", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: None,
    success: Success {
        status: 204,
        description: "The group is no longer nested there.",
        headers: SETTLED,
        content: None,
    },
    errors: &[400, 404, 412],
    // A removed group can be nested again.
    links: &[link::to("nest-group", &[link::SAME_ID, link::SAME_CHILD])],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    let (parent, child) = (group_id(&request)?, child_id(&request));
    let child = child.map_err(|_| Missing::Nesting)?;
    let now = app.clock.now();
    let preview = app.store.preview_unnesting(&granted, &parent, &child, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let unnested = app.store.unnest_group(&granted, &parent, &child, &precondition, now).await?;
    let ((), settled) = app.settle(&granted, unnested).await;
    Ok(Reply::no_content().membership_settled(settled))
}
