//! `DELETE /api/v1/groups/{id}/members/{accountId}`: ends a direct membership.
//!
//! 204; 404 when the group or the membership does not exist; 409 when it is only inherited, naming the nested groups.
//! Administrators, and managers of the group.

use shared::api::operation::{Access, Operation, SETTLED, Success, Tag, link};
use shared::app::{App, Function};
use shared::domain::{Error, MemberChange, Missing, RemoveOutcome};
use shared::http::condition::precondition;
use shared::http::request::{account, group_id, precautions};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("remove-member", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "Remove a member",
    description: "Ends a direct membership. For an account that is a member only through nested groups, the error names them.",
    access: Access::Managers,
    parameters: &["Id", "AccountId", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: None,
    success: Success {
        status: 204,
        description: "The account is no direct member any more.",
        headers: SETTLED,
        content: None,
    },
    errors: &[400, 404, 409, 412],
    // A removed account can be added again.
    links: &[link::to("add-member", &[link::SAME_ID, link::SAME_ACCOUNT])],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize_members(&request).await?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    let group = group_id(&request)?;
    let account = account(&request).id.ok_or(Missing::Member)?;
    let (change, now) = (MemberChange::Remove(account.clone()), app.clock.now());
    let preview = app.store.preview_member(&granted, &group, change, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let removed = app.store.remove_member(&granted, &group, account, &precondition, now).await?;
    match app.settle(&granted, removed).await {
        (RemoveOutcome::Removed, settled) => Ok(Reply::no_content().membership_settled(settled)),
        (RemoveOutcome::OnlyIndirect(via), _) => Err(Error::OnlyIndirect(via).into()),
        (RemoveOutcome::NotMember, _) => Err(Missing::Member.into()),
    }
}
