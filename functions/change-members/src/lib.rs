//! `PATCH /api/v1/groups/{id}/members`: adds and removes up to 500 accounts, each by itself.
//!
//! 200 with one outcome per id: `added`, `already_member`, `scheduled`, `removed`, `not_direct_member`, `unknown_account` or `retry`;
//! 404 when the group does not exist. Administrators, and managers of the group.

use shared::api::operation::{Access, Content, Operation, RequestBody, SETTLED, Success, Tag, link};
use shared::api::requests::ChangeMembersRequest;
use shared::api::responses::OutcomesResponse;
use shared::app::{App, Function};
use shared::http::condition::precondition;
use shared::http::request::{group_id, json_body, precautions};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("change-members", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "Change many members",
    description: "Adds and removes accounts, each independently of the others. `starts_at` and `expires_at` are for all that are added.",
    access: Access::Managers,
    parameters: &["Id", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::required("ChangeMembers", r#"{"add":["acc-123","acc-999"],"remove":["acc-101"]}"#)),
    success: Success {
        status: 200,
        description: "One outcome for each id: additions first, each in the order sent.",
        headers: SETTLED,
        content: Some(OUTCOMES),
    },
    errors: &[400, 404, 412, 413, 415],
    links: &[
        link::to("get-member", &[link::SAME_ID, ("path.accountId", "$response.body#/outcomes/0/id")]),
        link::to("list-members", &[link::SAME_ID]),
    ],
};

const OUTCOMES: Content = Content {
    schema: "Outcomes",
    example: r#"
        {"outcomes":[{"id":"acc-123","outcome":"already_member"},{"id":"acc-999",
        "outcome":"unknown_account"},{"id":"acc-101","outcome":"removed"}]}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize_members(&request).await?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    let now = app.clock.now();
    let body = ChangeMembersRequest::parse(json_body(&request)?, now)?;
    let group = group_id(&request)?;
    let changes = body.changes();
    let preview = app.store.preview_members(&granted, &group, &changes, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let changed = app.store.change_members(&granted, &group, &changes, &precondition, now).await?;
    let (outcomes, settled) = app.settle(&granted, changed).await;
    Ok(Reply::ok(&OutcomesResponse::new(&body, outcomes)).membership_settled(settled))
}
