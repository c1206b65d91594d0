//! `PUT /api/v1/groups/{id}/managers/{managerId}`: makes an account or a group a manager of a group. It may be one already.
//!
//! No body. 200 with the manager; 404 when the group or the manager does not exist; 409 for more than 100 managers.
//! Administrators only.

use shared::api::managers::ManagerResponse;
use shared::api::operation::{Access, Content, Operation, RequestBody, Success, Tag, link};
use shared::api::requests::parse_empty_body;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Missing;
use shared::http::request::{Query, group_id, json_body, manager_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("add-manager", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Managers,
    summary: "Add a manager",
    description: "A manager may add and remove direct members of the group, and nothing else, and not while the group is privileged or nested in a \
                  privileged one. A group as a manager stands for all its members, at any depth. Managers need not be members.",
    access: Access::Administrators,
    parameters: &["Id", "ManagerId"],
    request_body: Some(RequestBody::EMPTY),
    success: Success { status: 200, description: "The manager.", headers: &[], content: Some(Content::MANAGER) },
    errors: &[400, 404, 409, 413, 415],
    links: &[
        link::to("list-managers", &[link::SAME_ID]),
        link::to("get-manager", &[link::SAME_ID, link::SAME_MANAGER]),
        link::to("remove-manager", &[link::SAME_ID, link::SAME_MANAGER]),
    ],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    Query::parse(&request).finish()?;
    parse_empty_body(json_body(&request)?)?;
    let group = group_id(&request)?;
    let id = manager_id(&request).map_err(Missing::Account)?;
    let manager = app.store.add_manager(&granted, &group, &id, app.clock.now()).await?;
    Ok(Reply::ok(&ManagerResponse::from(&manager)))
}
