//! `GET /api/v1/accounts?search=&email=&status=&limit=&after=`: accounts, by name or by a part of it.
//!
//! 200 with a page. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::accounts::AccountsResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{AccountTerm, EmailTerm, Limit};
use shared::http::request::Query;
use shared::http::{ApiError, Reply, Request};
use shared::store::AccountFilter;

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-accounts", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Accounts,
    summary: "List accounts",
    description: "Returns accounts by name, ignoring case; with `search`, those in which each word of the term begins a word of the name \
                  or of the e-mail address, by that word. Filters can be combined. A page may have fewer accounts than `limit`, \
                  or none, where many others had to be read.",
    access: Access::Readers,
    parameters: &["AccountSearch", "Email", "Status", "AccountsLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(ACCOUNTS) },
    errors: &[400],
    links: &[
        link::to("list-accounts", &[link::NEXT_PAGE]),
        link::to("get-account", &[FIRST_ACCOUNT]),
        link::to("list-account-groups", &[FIRST_ACCOUNT]),
    ],
};

const FIRST_ACCOUNT: (&str, &str) = ("path.accountId", "$response.body#/accounts/0/id");

const ACCOUNTS: Content = Content {
    schema: "Accounts",
    example: r#"
        {"accounts":[{"id":"acc-123","name":"john.doe","email":"john.doe@company.com","status":"active",
        "updated_at":"2024-01-15T10:30:00Z"}],"pageInfo":{"hasNextPage":false,"endCursor":null}}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
    let after = query.after();
    let filter = AccountFilter {
        term: query.take("search", AccountTerm::parse).flatten(),
        email: query.take("email", EmailTerm::parse),
        status: query.take("status", |text| Ok(text.to_owned())),
        ..AccountFilter::default()
    };
    query.finish()?;
    let page = app.store.list_accounts(&granted, &filter, limit, after.as_ref()).await?;
    Ok(Reply::ok(&AccountsResponse::from(&page)))
}
