//! `GET /api/v1/groups/{id}`: one group.
//!
//! 200 with the group and its `ETag`; 304 when `If-None-Match` has it; 404 when it does not exist; 412 when `If-Match` does
//! not hold. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::api::responses::GroupResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Error;
use shared::http::condition::Conditions;
use shared::http::request::group_id;
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("get-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "Get a group",
    description: "Its counts are exact at every moment.",
    access: Access::Readers,
    parameters: &["Id", "IfMatch", "IfNoneMatch"],
    request_body: None,
    success: Success { status: 200, description: "The group.", headers: &["ETag"], content: Some(Content::GROUP) },
    errors: &[304, 400, 404, 412],
    links: link::FROM_GROUP,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let id = group_id(&request)?;
    let conditions = Conditions::of(&request)?;
    let group = app.store.require_group(&granted, &id).await?;
    if conditions.is_not_modified(group.tag(), Error::VersionMismatch)? {
        return Ok(Reply::not_modified(group.tag()));
    }
    Ok(Reply::ok(&GroupResponse::from(&group)).etag(group.tag()))
}
