//! `PUT` and `PATCH /api/v1/groups/{id}`: changes the fields given, and only those.
//!
//! 200 with the group and its `ETag`; 404 when it does not exist; 409 when another group has the `external_id`; 412 when `If-Match` does
//! not hold. Administrators only.

use shared::api::operation::{Access, Content, Operation, RequestBody, Success, Tag, link};
use shared::api::requests::UpdateGroupRequest;
use shared::api::responses::GroupResponse;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::http::condition::precondition;
use shared::http::request::{Query, group_id, json_body};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("update-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "Update a group",
    description: "Changes the fields in the body and no others, by `PUT` as by `PATCH`. A body with the present values changes nothing, nor the `ETag`. \
                  `If-Match` compares the first part of the `ETag`: a group that somebody joined is still updated.",
    access: Access::Administrators,
    parameters: &["Id", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::required("UpdateGroup", r#"{"description":"Everyone who builds"}"#)),
    success: Success { status: 200, description: "The group.", headers: &["ETag"], content: Some(Content::GROUP) },
    errors: &[400, 404, 409, 412, 413, 415],
    links: link::FROM_GROUP,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let precondition = precondition(&request)?;
    Query::parse(&request).finish()?;
    let UpdateGroupRequest(changes) = UpdateGroupRequest::parse(json_body(&request)?)?;
    let id = group_id(&request)?;
    let now = app.clock.now();
    let updated = app.store.update_group(&granted, &id, &changes, &precondition, None, now).await?;
    // When the time budget ends first, the stream completes the search rows.
    let (group, _) = app.settle(&granted, updated).await;
    Ok(Reply::ok(&GroupResponse::from(&group)).etag(group.tag()))
}
