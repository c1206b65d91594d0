//! `POST /api/v1/accounts/{accountId}/check`: whether an account is a member of each of many groups.
//!
//! 200 with a result for each id, in the order sent; 404 when there is no such account. Changes nothing. Any authenticated caller, or
//! those in `READ_ROLES`.

use shared::api::accounts::MembershipChecksResponse;
use shared::api::operation::{Access, Content, Operation, RequestBody, Success, Tag, link};
use shared::api::requests::CheckMembershipsRequest;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::http::request::{json_body, require_account_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("check-memberships", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Accounts,
    summary: "Check memberships",
    description: "Returns for each of up to 500 groups whether the account is a member, directly or through nested groups. It is no \
                  member of a group that does not exist.",
    access: Access::Readers,
    parameters: &["AccountId"],
    request_body: Some(RequestBody::required("CheckMemberships", EXAMPLE)),
    success: Success { status: 200, description: "The results.", headers: &[], content: Some(CHECKS) },
    errors: &[400, 404, 413, 415],
    links: link::FROM_ACCOUNT,
};

const EXAMPLE: &str =
    r#"{"group_ids":["grp-018d0cab-c440-7000-8000-000000000001","grp-018d0cab-c440-7000-8000-000000000009"]}"#;

const CHECKS: Content = Content {
    schema: "MembershipChecks",
    example: r#"
        {"checks":[
        {"group_id":"grp-018d0cab-c440-7000-8000-000000000001","is_member":true,"membership_type":"direct"},
        {"group_id":"grp-018d0cab-c440-7000-8000-000000000009","is_member":false}]}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let body = CheckMembershipsRequest::parse(json_body(&request)?)?;
    let account = require_account_id(&request)?;
    let memberships = app.store.check_memberships(&granted, &account, &body.groups(), app.clock.now()).await?;
    Ok(Reply::ok(&MembershipChecksResponse::new(&body, &memberships)))
}
