//! `GET /api/v1/groups/{id}/history?since=&until=&account_id=&limit=&after=`: the changes of a group.
//!
//! 200 with a page of changes, newest first; 404 when there is no such group, nor was one as far back as history goes. Any
//! authenticated caller, or those in `READ_ROLES`.

use shared::api::history::HistoryResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{AccountId, InvalidValue, Limit};
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-group-history", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "List the changes of a group",
    description: "Returns the changes of the group, of its members, direct and indirect, and of its nestings, newest first; also of a group \
                  that was deleted. A change is listed within seconds, and for the days of `HistoryRetentionDays`. With \
                  `account_id`, a page may have few changes or none, and still a cursor.",
    access: Access::Readers,
    parameters: &["Id", "Since", "Until", "HistoryAccount", "HistoryLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(PAGE) },
    errors: &[400, 404],
    links: &[link::to("list-group-history", &[link::SAME_ID, link::NEXT_PAGE])],
};

const PAGE: Content = Content {
    schema: "History",
    example: r#"
        {"history":[{"id":"grp-018d0cab-c440-7000-8000-000000000001/acc-123/1","at":"2024-01-15T10:30:00Z",
        "actor":"alice","change":"member_added","group_id":"grp-018d0cab-c440-7000-8000-000000000001",
        "account_id":"acc-123","after":{"membership_type":"direct","via":[]}}],
        "pageInfo":{"hasNextPage":false,"endCursor":null}}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let period = query.period();
    let account = query.take("account_id", |text| {
        AccountId::parse(text).ok_or(InvalidValue::new("is no account id", AccountId::EXPECTED))
    });
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
    let after = query.after();
    query.finish()?;
    let id = group_id(&request)?;
    let page = app.store.list_group_history(&granted, &id, account.as_ref(), period, limit, after.as_ref()).await?;
    Ok(Reply::ok(&HistoryResponse::from(&page)))
}
