//! `GET /api/v1/groups/{id}/groups?limit=&after=`: a page of the groups nested directly in a group.
//!
//! 200 with the page, by name; 404 when the group does not exist. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Limit;
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-nested-groups", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Nesting,
    summary: "List nested groups",
    description: "Returns the groups nested directly in a group, by name, ignoring case. Member counts may be a moment old; \
                  those of a single group are exact.",
    access: Access::Readers,
    parameters: &["Id", "GroupsLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(Content::GROUPS) },
    errors: &[400, 404],
    links: &[
        link::to("list-nested-groups", &[link::SAME_ID, link::NEXT_PAGE]),
        link::to("nest-group", &[link::SAME_ID, FIRST_CHILD]),
        link::to("unnest-group", &[link::SAME_ID, FIRST_CHILD]),
    ],
};

const FIRST_CHILD: (&str, &str) = ("path.childId", "$response.body#/groups/0/id");

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS));
    let after = query.after();
    query.finish()?;
    let id = group_id(&request)?;
    let page = app.store.list_nested_groups(&granted, &id, limit.unwrap_or(Limit::DEFAULT), after.as_ref()).await?;
    Ok(Reply::ok(&GroupsResponse::from(&page)))
}
