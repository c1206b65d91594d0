//! `DELETE /api/v1/groups/{id}/managers/{managerId}`: makes an account or a group no manager of a group any more.
//!
//! 204; 404 when the group does not exist or has no such manager. Administrators only.

use shared::api::operation::{Access, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Missing;
use shared::http::request::{Query, group_id, manager_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("remove-manager", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Managers,
    summary: "Remove a manager",
    description: "The account, or the members of the group, can no longer change the direct members of the group.",
    access: Access::Administrators,
    parameters: &["Id", "ManagerId"],
    request_body: None,
    success: Success { status: 204, description: "It is no manager any more.", headers: &[], content: None },
    errors: &[400, 404],
    // A removed manager can be added again.
    links: &[link::to("add-manager", &[link::SAME_ID, link::SAME_MANAGER])],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    Query::parse(&request).finish()?;
    let group = group_id(&request)?;
    let id = manager_id(&request).map_err(|_| Missing::Manager)?;
    app.store.remove_manager(&granted, &group, &id).await?;
    Ok(Reply::no_content())
}
