//! `GET /api/v1/accounts/{accountId}`: one account.
//!
//! 200 with the account and the number of its groups; 404 when there is no such account. Any authenticated caller, or those in
//! `READ_ROLES`.

use shared::api::accounts::AccountResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::http::request::require_account_id;
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("get-account", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Accounts,
    summary: "Get an account",
    description: "Returns an account as the account system last described it, and how many groups it is in.",
    access: Access::Readers,
    parameters: &["AccountId"],
    request_body: None,
    success: Success { status: 200, description: "The account.", headers: &[], content: Some(ACCOUNT) },
    errors: &[404],
    links: link::FROM_ACCOUNT,
};

const ACCOUNT: Content = Content {
    schema: "Account",
    example: r#"
        {"id":"acc-123","name":"john.doe","email":"john.doe@company.com","status":"active",
        "updated_at":"2024-01-15T10:30:00Z","group_count":4}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let id = require_account_id(&request)?;
    let (account, group_count) = app.store.require_account(&granted, &id).await?;
    Ok(Reply::ok(&AccountResponse::with_group_count(&account, group_count)))
}
