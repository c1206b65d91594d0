//! `GET /api/v1/accounts/{accountId}/groups?membership_type=&fields=&at=&limit=&after=`: the groups that an account is
//! in.
//!
//! 200 with a page of groups, by name, or of ids with `fields=id`; 404 when there is no such account. Any authenticated caller, or
//! those in `READ_ROLES`.

use shared::api::accounts::AccountGroupsResponse;
use shared::api::operation::{Access, Content, Operation, Success, Tag, link};
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{InvalidValue, Limit, MembershipType};
use shared::http::request::{Query, require_account_id};
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-account-groups", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Accounts,
    summary: "List the groups of an account",
    description: "Returns the groups that an account is in, by name, ignoring case, each with its `membership_type` and, for an \
                  indirect one, the nested groups that it comes through. With `fields=id`, as for the claims of a token, returns \
                  ids only, up to 10,000 in one reply. With `at`, returns the groups that the account was in then, also those that \
                  were deleted since.",
    access: Access::Readers,
    parameters: &["AccountId", "MembershipType", "Fields", "At", "AccountGroupsLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(PAGE) },
    errors: &[400, 404],
    links: &[
        link::to("list-account-groups", &[link::SAME_ACCOUNT, link::NEXT_PAGE]),
        link::to("list-membership-paths", &[link::SAME_ACCOUNT, ("path.id", "$response.body#/groups/0/id")]),
    ],
};

const PAGE: Content = Content {
    schema: "AccountGroups",
    example: r#"
        {"groups":[{"id":"grp-018d0cab-c440-7000-8000-000000000001","name":"Engineering Team",
        "description":"All engineering staff","group_type":"security","is_privileged":false,"member_count":45,
        "created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:30:00Z","direct_member_count":40,
        "nested_group_count":2,"membership_type":"indirect","via":["grp-018d0cab-c440-7000-8000-000000000002"]}],
        "pageInfo":{"hasNextPage":false,"endCursor":null}}"#,
};

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let only_ids = query.take("fields", id_only).is_some();
    let most = if only_ids { Limit::MAX_MEMBERS } else { Limit::MAX_GROUPS };
    let limit = query.take("limit", |text| Limit::parse(text, most));
    let after = query.after();
    let only = query.take("membership_type", MembershipType::parse);
    let time = app.point_in_time(&mut query);
    query.finish()?;
    let account = require_account_id(&request)?;
    let limit = limit.unwrap_or(if only_ids { Limit::MAX_MEMBERS } else { Limit::DEFAULT });
    let (store, after) = (&app.store, after.as_ref());
    Ok(match (time, only_ids) {
        (None, false) => {
            let page = store.list_memberships(&granted, &account, only, limit, after).await?;
            Reply::ok(&AccountGroupsResponse::from(&page))
        }
        (None, true) => {
            let page = store.list_group_ids_of_account(&granted, &account, only, limit, after).await?;
            Reply::ok(&AccountGroupsResponse::of_ids(&page))
        }
        (Some(time), false) => {
            let page = store.list_memberships_at(&granted, &account, time, only, limit, after).await?;
            Reply::ok(&AccountGroupsResponse::from(&page))
        }
        (Some(time), true) => {
            let page = store.list_group_ids_at(&granted, &account, time, only, limit, after).await?;
            Reply::ok(&AccountGroupsResponse::of_ids(&page))
        }
    })
}

fn id_only(text: &str) -> Result<(), InvalidValue> {
    if text == "id" {
        Ok(())
    } else {
        Err(InvalidValue::new("is no selection of fields", "id, or left out for all fields"))
    }
}
