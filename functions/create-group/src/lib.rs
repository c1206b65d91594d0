//! `POST /api/v1/groups`: a new group.
//!
//! 201 with the group, its `ETag` and its `Location`. For an `Idempotency-Key` that the same caller used in the last 24 hours:
//! the first response again for the same body, 409 for another; 409 when another group has the `external_id`. Administrators only.

use shared::api::operation::{Access, Content, Operation, RequestBody, Success, Tag, link};
use shared::api::requests::CreateGroupRequest;
use shared::api::responses::GroupResponse;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Group;
use shared::http::condition::require_creation;
use shared::http::request::{Query, idempotency_key, json_body};
use shared::http::{ApiError, Reply, Request};
use shared::store::IdempotencyKey;

/// This endpoint.
pub const FUNCTION: Function = Function::new("create-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "Create a group",
    description: "With an `Idempotency-Key`, the request can be sent again without creating a second group.",
    access: Access::Administrators,
    parameters: &["IdempotencyKey", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::required("CreateGroup", EXAMPLE)),
    success: Success {
        status: 201,
        description: "The group.",
        headers: &["ETag", "Location"],
        content: Some(Content::GROUP),
    },
    errors: &[400, 409, 412, 413, 415],
    links: link::FROM_GROUP,
};

const EXAMPLE: &str =
    r#"{"name":"Platform Team","description":"Everyone who builds","group_type":"security","is_privileged":false}"#;

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let key = idempotency_key(&request)?;
    Query::parse(&request).finish()?;
    let body = CreateGroupRequest::parse(json_body(&request)?)?;
    require_creation(&request)?;
    let idempotency = key.map(|key| IdempotencyKey { key, request_digest: body.digest() });
    let group = Group::new(app.new_group_id(), body.0, app.clock.now());
    let created = app.store.create_group(&granted, group, idempotency, None).await?;
    // When the time budget ends first, the stream completes the search rows.
    let (group, _) = app.settle(&granted, created).await;
    Ok(Reply::created(&GroupResponse::from(&group), &group.id).etag(group.tag()))
}
