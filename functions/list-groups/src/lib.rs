//! `GET /api/v1/groups?search=&limit=&after=` and `GET /api/v1/groups?member=`: a page of groups.
//!
//! 200 with all groups, by name. `search` selects those with the text in their names, ordered by the text from the
//! first match on. `member` selects those of an account, by name, each with its `membership_type`; 404 when there is no
//! such account. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::RequestedAccount;
use shared::api::operation::{Access, Content, Operation, OperationLink, Success, Tag, link};
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{Cursor, FoldedText, InvalidValue, Limit, Missing};
use shared::http::request::Query;
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-groups", |app, request| Box::pin(handler(app, request)));

/// Its description in the OpenAPI document.
pub const OPERATION: Operation = Operation {
    tag: Tag::Groups,
    summary: "List groups",
    description: "Returns all groups by name, ignoring case. With `search`, returns the groups whose names contain the text, \
                  ordered by the name from the first match on. With `member`, returns the groups that the account is in, \
                  each with its `membership_type`. A group that exists while all pages are read appears exactly once. \
                  Member counts may be a moment old; those of a single group are exact.",
    access: Access::Readers,
    parameters: &["Search", "Member", "GroupsLimit", "After"],
    request_body: None,
    success: Success { status: 200, description: "The page.", headers: &[], content: Some(Content::GROUPS) },
    errors: &[400, 404],
    links: FROM_PAGE,
};

const FIRST_GROUP: (&str, &str) = ("path.id", "$response.body#/groups/0/id");

const FROM_PAGE: &[OperationLink] = &[
    link::to("list-groups", &[link::NEXT_PAGE]),
    link::to("get-group", &[FIRST_GROUP]),
    link::to("list-members", &[FIRST_GROUP]),
    link::to("nest-group", &[FIRST_GROUP, ("path.childId", "$response.body#/groups/1/id")]),
];

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let granted = app.authorize::<Read>(&request)?;
    let Parameters { limit, after, search, member } = Parameters::parse(&request)?;
    let (store, after) = (&app.store, after.as_ref());
    Ok(match (member, search) {
        (Some(member), _) => {
            let account = member.id.ok_or(Missing::Account(member.text))?;
            let page = store.list_groups_of_account(&granted, &account, limit, after).await?;
            Reply::ok(&GroupsResponse::from(&page))
        }
        (None, Some(term)) => {
            let page = store.search_groups(&granted, &term, limit, after).await?;
            Reply::ok(&GroupsResponse::from(&page))
        }
        (None, None) => {
            let page = store.list_groups(&granted, limit, after).await?;
            Reply::ok(&GroupsResponse::from(&page))
        }
    })
}

struct Parameters {
    limit: Limit,
    after: Option<Cursor>,
    search: Option<FoldedText>,
    member: Option<RequestedAccount>,
}

impl Parameters {
    fn parse(request: &Request) -> Result<Self, ApiError> {
        let mut query = Query::parse(request);
        let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS));
        let after = query.after();
        let search = query.take("search", FoldedText::search_term).flatten();
        let member = query.member();
        if search.is_some() && member.is_some() {
            query.error("search", InvalidValue::new("is given with member", "left out where member is given"));
        }
        query.finish()?;
        Ok(Self { limit: limit.unwrap_or(Limit::DEFAULT), after, search, member })
    }
}
