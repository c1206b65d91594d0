//! `PUT /api/v1/groups/{id}/members/{accountId}`: makes an account a direct member. It may be one already.
//!
//! The body may have `starts_at` and `expires_at`. 200 with the member; 409 when a direct member should start later; 404 when the group or the account does not exist, naming the account. Administrators, and managers of the group.

use shared::api::operation::{Access, Content, Operation, RequestBody, SETTLED, Success, Tag, link};
use shared::api::requests::AddMemberRequest;
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
    description: "Makes an account a direct member, from `starts_at` until `expires_at`. Adding a direct member again changes nothing but \
                  when it expires, where that is given.",
    access: Access::Managers,
    parameters: &["Id", "AccountId", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::optional("AddMember", r#"{"expires_at":"2099-06-30T22:00:00Z"}"#)),
    success: Success { status: 200, description: "The member.", headers: SETTLED, content: Some(Content::MEMBER) },
    errors: &[400, 404, 409, 412, 413, 415],
    links: link::FROM_MEMBER,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize_members(&request).await?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    let now = app.clock.now();
    let AddMemberRequest(validity) = AddMemberRequest::parse(json_body(&request)?, now)?;
    let group = group_id(&request)?;
    let account = account(&request);
    let unknown = Missing::Account(account.text);
    let Some(id) = account.id else {
        return Err(unknown.into());
    };
    let change = MemberChange::Add(id.clone(), validity);
    let preview = app.store.preview_member(&granted, &group, change, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let added = app.store.add_member(&granted, &group, id, validity, &precondition, now).await?;
    match app.settle(&granted, added).await {
        (AddOutcome::Added(member) | AddOutcome::AlreadyMember(member), settled) => {
            Ok(Reply::ok(&MemberResponse::from(&member)).membership_settled(settled))
        }
        (AddOutcome::Scheduled(member, starts_at), settled) => {
            Ok(Reply::ok(&MemberResponse::scheduled(&member, starts_at)).membership_settled(settled))
        }
        (AddOutcome::UnknownAccount, _) => Err(unknown.into()),
    }
}
