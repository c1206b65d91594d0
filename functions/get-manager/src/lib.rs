//! `GET /api/v1/groups/{id}/managers/{managerId}`: a manager of a group.
//!
//! 200 with the manager; 404 when the group does not exist or has no such manager. Any authenticated caller, or those in
//! `READ_ROLES`.

use shared::api::managers::ManagerResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Missing;
use shared::http::request::{group_id, manager_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("get-manager", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Managers,
    summary: "Get a manager",
    description: "Returns a manager as it was added. The members of a group that manages have no entry of their own.",
    access: Access::Readers,
    parameters: &["Id", "ManagerId"],
    request_body: None,
    success: Success { status: 200, description: "The manager.", headers: &[], content: Some(Content::MANAGER) },
    errors: &[404],
    links: &[
        link::to("list-managers", &[link::SAME_ID]),
        link::to("remove-manager", &[link::SAME_ID, link::SAME_MANAGER]),
    ],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let group = group_id(&request)?;
    let id = manager_id(&request).map_err(|_| Missing::Manager)?;
    let manager = app.store.require_manager(&granted, &group, &id).await?;
    Ok(Reply::ok(&ManagerResponse::from(&manager)))
}
