//! `DELETE /api/v1/groups/{id}`: deletes a group of any size at once.
//!
//! 204; 404 when it does not exist; 412 when `If-Match` does not hold. Administrators only.

use shared::api::operation::{Access, Operation, SETTLED, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::http::condition::precondition;
use shared::http::request::{group_id, precautions};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("delete-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "Delete a group",
    description: "The group is gone when the reply arrives, however large it was. Its members leave its ancestors at once or, with `Membership-Settled: false`, soon after.",
    access: Access::Administrators,
    parameters: &["Id", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: None,
    success: Success { status: 204, description: "The group is deleted.", headers: SETTLED, content: None },
    errors: &[400, 404, 412],
    // A deleted group stays deleted.
    links: &[link::to("get-group", &[link::SAME_ID]), link::to("list-members", &[link::SAME_ID])],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    let id = group_id(&request)?;
    let now = app.clock.now();
    let preview = app.store.preview_deletion(&granted, &id, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let deleted = app.store.delete_group(&granted, &id, &precondition, now).await?;
    let ((), settled) = app.settle(&granted, deleted).await;
    Ok(Reply::no_content().membership_settled(settled))
}
