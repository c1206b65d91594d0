//! `GET /api/v1/groups/{id}/parents?transitive=&limit=&after=`: the groups that contain a group.
//!
//! 200 with a page of them, by name, each with its distance; 404 when the group does not exist. Any authenticated caller, or those in
//! `READ_ROLES`.

use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Limit;
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-parents", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Nesting,
    summary: "List the groups that contain a group",
    description: "Returns the groups in which a group is nested directly or, with `transitive=true`, at any level, by name, ignoring \
                  case. Each has its `distance`: 1 for a group in which it is nested directly. Member counts may be a moment old.",
    access: Access::Readers,
    parameters: &["Id", "Transitive", "GroupsLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(Content::GROUPS) },
    errors: &[400, 404],
    links: &[
        link::to("list-parents", &[link::SAME_ID, link::NEXT_PAGE]),
        link::to("get-group", &[("path.id", "$response.body#/groups/0/id")]),
    ],
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let transitive = query.flag("transitive").unwrap_or_default();
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
    let after = query.after();
    query.finish()?;
    let id = group_id(&request)?;
    let page = app.store.list_parents(&granted, &id, transitive, limit, after.as_ref()).await?;
    Ok(Reply::ok(&GroupsResponse::from(&page)))
}
