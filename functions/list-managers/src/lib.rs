//! `GET /api/v1/groups/{id}/managers`: the managers of a group.
//!
//! 200 with all of them, at most 100, by id; 404 when the group does not exist. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::managers::ManagersResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-managers", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Managers,
    summary: "List managers",
    description: "Returns the accounts and groups that may change the direct members of the group.",
    access: Access::Readers,
    parameters: &["Id"],
    request_body: None,
    success: Success { status: 200, description: "The managers.", headers: &[], content: Some(MANAGERS) },
    errors: &[400, 404],
    links: &[link::to("get-manager", &[link::SAME_ID, ("path.managerId", "$response.body#/managers/0/id")])],
};

const MANAGERS: Content = Content {
    schema: "Managers",
    example: r#"
        {"managers":[{"id":"grp-018d0cab-c440-7000-8000-000000000005","type":"group","name":"Engineering Leads",
        "added_at":"2024-01-15T10:30:00Z","added_by":"demo"}]}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    Query::parse(&request).finish()?;
    let managers = app.store.list_managers(&granted, &group_id(&request)?).await?;
    Ok(Reply::ok(&ManagersResponse::new(&managers)))
}
