//! `PUT /api/v1/groups/{id}/members/{accountId}`: makes an account a direct member. It may be one already.
//!
//! No body. 200 with the member; 404 when the group or the account does not exist, naming the account. Administrators, and managers of the group.

use shared::api::operation::{Access, Content, Operation, RequestBody, SETTLED, Success, Tag, link};
use shared::api::requests::parse_empty_body;
use shared::api::responses::MemberResponse;
use shared::app::{App, Function};
use shared::domain::{AddOutcome, MemberChange, Missing};
use shared::http::condition::precondition;
use shared::http::request::{account, group_id, json_body, precautions};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("add-member", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "Add a member",
    description: "Makes an account a direct member. Adding a direct member again changes nothing.",
    access: Access::Managers,
    parameters: &["Id", "AccountId", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::EMPTY),
    success: Success { status: 200, description: "The member.", headers: SETTLED, content: Some(Content::MEMBER) },
    errors: &[400, 404, 412, 413, 415],
    links: link::FROM_MEMBER,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize_members(&request).await?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    parse_empty_body(json_body(&request)?)?;
    let group = group_id(&request)?;
    let account = account(&request);
    let unknown = Missing::Account(account.text);
    let Some(id) = account.id else {
        return Err(unknown.into());
    };
    let (change, now) = (MemberChange::Add(id.clone()), app.clock.now());
    let preview = app.store.preview_member(&granted, &group, change, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let added = app.store.add_member(&granted, &group, id, &precondition, now).await?;
    match app.settle(&granted, added).await {
        (AddOutcome::Added(member) | AddOutcome::AlreadyMember(member), settled) => {
            Ok(Reply::ok(&MemberResponse::from(&member)).membership_settled(settled))
        }
        (AddOutcome::UnknownAccount, _) => Err(unknown.into()),
    }
}
