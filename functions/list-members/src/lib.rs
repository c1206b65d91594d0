//! `GET /api/v1/groups/{id}/members?membership_type=&status=&search=&at=&limit=&after=`: the members of a
//! group.
//!
//! 200 with the members by id and how many there are; without `limit`, up to 10,000 in one response. 404 when the group
//! does not exist. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::operation::{Access, Content, Operation, OperationLink, Success, Tag, link};
use shared::api::responses::MembersResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{AccountTerm, InvalidValue, Limit, MembershipType};
use shared::http::request::{Query, group_id};
use shared::http::{ApiError, Reply, Request};
use shared::store::MemberFilter;

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-members", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Members,
    summary: "List members",
    description: "Returns accounts only, each once, by id. An indirect member lists in `via` the directly nested groups that it \
                  comes through. `count` is the number of all members of the \
                  `membership_type`. With a filter, a page may have few members or none, and still a cursor. With `at`, \
                  returns who was a member then, also of a group that was deleted since, with the accounts' present fields.",
    access: Access::Readers,
    parameters: &["Id", "MembershipType", "Status", "AccountSearch", "At", "MembersLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The members.", headers: &[], content: Some(MEMBERS) },
    errors: &[400, 404],
    links: FROM_MEMBERS,
};

const MEMBERS: Content = Content {
    schema: "Members",
    example: r#"
        {"members":[{"id":"acc-141","name":"sofia.costa","email":"sofia.costa@company.com",
        "membership_type":"indirect","added_date":"2024-01-15T10:30:00Z","status":"active",
        "via":["grp-018d0cab-c440-7000-8000-000000000002"]}],"count":1,"pageInfo":{"hasNextPage":false,
        "endCursor":null}}"#,
};

const FIRST_MEMBER: (&str, &str) = ("path.accountId", "$response.body#/members/0/id");

const FROM_MEMBERS: &[OperationLink] = &[
    link::to("list-members", &[link::SAME_ID, link::NEXT_PAGE]),
    link::to("get-member", &[link::SAME_ID, FIRST_MEMBER]),
    link::to("add-member", &[link::SAME_ID, FIRST_MEMBER]),
    link::to("remove-member", &[link::SAME_ID, FIRST_MEMBER]),
    link::to("list-groups", &[("query.member", "$response.body#/members/0/id")]),
];

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_MEMBERS));
    let filter = MemberFilter {
        membership_type: query.take("membership_type", MembershipType::parse),
        status: query.take("status", |text| Ok(text.to_owned())),
        term: query.take("search", AccountTerm::parse).flatten(),
    };
    let after = query.after();
    let time = app.point_in_time(&mut query);
    if time.is_some() && (filter.status.is_some() || filter.term.is_some()) {
        query.error("at", InvalidValue::new("is given with status or search", "given without them"));
    }
    query.finish()?;
    let id = group_id(&request)?;
    let limit = limit.unwrap_or(Limit::MAX_MEMBERS);
    if let Some(time) = time {
        let only = filter.membership_type;
        let (page, count) = app.store.list_members_at(&granted, &id, time, only, limit, after.as_ref()).await?;
        return Ok(Reply::ok(&MembersResponse::new(&page, count)));
    }
    let (page, count) = app.store.list_members(&granted, &id, &filter, limit, after.as_ref()).await?;
    Ok(Reply::ok(&MembersResponse::new(&page, count)))
}
