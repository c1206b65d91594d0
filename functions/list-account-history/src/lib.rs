//! `GET /api/v1/accounts/{accountId}/history?since=&until=&limit=&after=`: the changes of an account's memberships.
//!
//! 200 with a page of changes, newest first; 404 when there is no such account and never was. Any authenticated caller, or those in
//! `READ_ROLES`.

use shared::api::history::HistoryResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::Limit;
use shared::http::request::{Query, require_account_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-account-history", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Accounts,
    summary: "List the changes of an account's memberships",
    description: "Returns every change of the account's memberships, direct and indirect, newest first; also of an account that was \
                  deleted. A change is listed within seconds, and for the days of `HistoryRetentionDays`.",
    access: Access::Readers,
    parameters: &["AccountId", "Since", "Until", "HistoryLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(PAGE) },
    errors: &[400, 404],
    links: &[
        link::to("list-account-history", &[link::SAME_ACCOUNT, link::NEXT_PAGE]),
        link::to("list-group-history", &[("path.id", "$response.body#/history/0/group_id")]),
    ],
};

const PAGE: Content = Content {
    schema: "History",
    example: r#"
        {"history":[{"id":"grp-018d0cab-c440-7000-8000-000000000001/acc-123/2","at":"2024-01-16T09:00:00Z",
        "actor":"alice","change":"member_removed","group_id":"grp-018d0cab-c440-7000-8000-000000000001",
        "account_id":"acc-123","before":{"membership_type":"direct","via":[]}}],
        "pageInfo":{"hasNextPage":false,"endCursor":null}}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let period = query.period();
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
    let after = query.after();
    query.finish()?;
    let account = require_account_id(&request)?;
    let page = app.store.list_account_history(&granted, &account, period, limit, after.as_ref()).await?;
    Ok(Reply::ok(&HistoryResponse::from(&page)))
}
