//! `GET /api/v1/groups/{id}/members/{accountId}`: whether, and how, an account is a member.
//!
//! 200 with the member; 404 when the group does not exist or the account is no member of it. Any authenticated caller, or
//! those in `READ_ROLES`.

use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::api::responses::MemberResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Missing;
use shared::http::request::{account, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("get-member", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "Get a member",
    description: "Returns whether an account is a member, directly or through nested groups.",
    access: Access::Readers,
    parameters: &["Id", "AccountId"],
    request_body: None,
    success: Success { status: 200, description: "The member.", headers: &[], content: Some(Content::MEMBER) },
    errors: &[404],
    links: link::FROM_MEMBER,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let group = group_id(&request)?;
    let account = account(&request).id.ok_or(Missing::Member)?;
    let member = app.store.require_member(&granted, &group, &account, app.clock.now()).await?;
    Ok(Reply::ok(&MemberResponse::from(&member)))
}
