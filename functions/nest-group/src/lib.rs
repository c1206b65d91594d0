//! `PUT /api/v1/groups/{id}/groups/{childId}`: nests one group in another. It may be nested there already.
//!
//! No body. 200 with the nested group; 404 when one of the groups does not exist; 409 for a cycle, naming its path, or
//! a limit exceeded. Administrators only.

use shared::api::operation::{Access, Content, Operation, RequestBody, SETTLED, Success, Tag, link};
use shared::api::requests::parse_empty_body;
use shared::api::responses::GroupResponse;
use shared::app::{App, Function};
use shared::authz::Administer;
use shared::domain::Missing;
use shared::http::condition::precondition;
use shared::http::request::{child_id, group_id, json_body, precautions};
use shared::http::{ApiError, Reply, Request};
use shared::store::NestedGroup;

/// This endpoint.
pub const FUNCTION: Function = Function::new("nest-group", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Nesting,
    summary: "Nest a group",
    description: "Members of the nested group become members of the group and of its ancestors. A nesting that would make a \
                  cycle is refused, and the error names the path of the cycle.",
    access: Access::Administrators,
    parameters: &["Id", "ChildId", "DryRun", "MaxRemovals", "IfMatch", "IfNew"],
    request_body: Some(RequestBody::EMPTY),
    success: Success { status: 200, description: "The nested group.", headers: SETTLED, content: Some(Content::GROUP) },
    errors: &[400, 404, 409, 412, 413, 415],
    links: &[
        link::to("list-nested-groups", &[link::SAME_ID]),
        link::to("unnest-group", &[link::SAME_ID, link::SAME_CHILD]),
        link::to("get-group", &[link::ID]),
    ],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Administer>(&request)?;
    let precondition = precondition(&request)?;
    let precautions = precautions(&request)?;
    parse_empty_body(json_body(&request)?)?;
    let (parent, child) = (group_id(&request)?, child_id(&request));
    let child = child.map_err(Missing::NestedGroup)?;
    let now = app.clock.now();
    let preview = app.store.preview_nesting(&granted, &parent, &child, &precondition, now);
    if let Some(reply) = app.precede(precautions, preview).await? {
        return Ok(reply);
    }
    let nested = app.store.nest_group(&granted, &parent, &child, &precondition, now).await?;
    let (NestedGroup { child, .. }, settled) = app.settle(&granted, nested).await;
    Ok(Reply::ok(&GroupResponse::from(&child)).membership_settled(settled))
}
