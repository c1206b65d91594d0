//! `GET /api/v1/groups/{id}/members/{accountId}/paths?limit=`: why an account is a member.
//!
//! 200 with the ways from the account to the group, shortest first; 404 when the group does not exist or the account is no member of
//! it. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::accounts::PathsResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{Limit, Missing};
use shared::http::request::{Query, account, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-membership-paths", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "List the paths of a membership",
    description: "Returns why an account is a member: every way from the account to the group, shortest first. Each begins with the group \
                  that the account was added to, and who added it; each further step is the group in which the one before is nested, and \
                  who nested it.",
    access: Access::Readers,
    parameters: &["Id", "AccountId", "PathsLimit"],
    request_body: None,
    success: Success { status: 200, description: "The paths.", headers: &[], content: Some(PATHS) },
    errors: &[400, 404],
    links: link::FROM_MEMBER,
};

const PATHS: Content = Content {
    schema: "MembershipPaths",
    example: r#"
        {"paths":[{"steps":[
        {"group_id":"grp-018d0cab-c440-7000-8000-000000000002","group_name":"Backend Team",
        "added_at":"2024-01-15T10:30:00Z","added_by":"alice"},
        {"group_id":"grp-018d0cab-c440-7000-8000-000000000001","group_name":"Engineering Team",
        "nested_at":"2024-01-15T10:30:00Z","nested_by":"alice"}]}],"hasMore":false}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_PATHS)).unwrap_or(Limit::MAX_PATHS);
    query.finish()?;
    let group = group_id(&request)?;
    let account = account(&request).id.ok_or(Missing::Member)?;
    let (paths, has_more) = app.store.find_membership_paths(&granted, &group, &account, limit, app.clock.now()).await?;
    Ok(Reply::ok(&PathsResponse::new(&paths, has_more)))
}
