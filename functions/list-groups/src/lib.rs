//! `GET /api/v1/groups?search=&external_id=&group_type=&is_privileged=&sort=&limit=&after=`, or with `member=` or `name=` instead of the
//! first two: a page of groups.
//!
//! 200 with all groups, by name. `search` selects those with the text in their names, ordered by the text from the
//! first match on. `member` selects those of an account, by name, each with its `membership_type`; 404 when there is no
//! such account. `name` selects those of exactly this name, `external_id` the one with this id. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::RequestedAccount;
use shared::api::operation::{Access, Content, Operation, OperationLink, Success, Tag, link};
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{ExternalId, FoldedText, GroupName, InvalidValue, Limit, Missing};
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
                  each with its `membership_type`. With `name`, returns those of exactly this name, apart from case; with \
                  `external_id`, the one with this id, or none. Only `search` and `external_id` can be given together; `group_type`, \
                  `is_privileged` and `sort` can be with each of them. A group that exists while all pages are read appears exactly once. \
                  Member counts may be a moment old; those of a single group are exact.",
    access: Access::Readers,
    parameters: &[
        "Search",
        "Member",
        "Name",
        "ExternalId",
        "GroupType",
        "IsPrivileged",
        "Sort",
        "GroupsLimit",
        "After",
    ],
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
    let mut query = Query::parse(&request);
    let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
    let (after, selection, list) = (query.after(), query.group_selection(), List::take(&mut query));
    query.finish()?;
    let (store, after) = (&app.store, after.as_ref());
    let page = match list {
        List::OfAccount(member) => {
            let account = member.id.ok_or(Missing::Account(member.text))?;
            let page = store.list_groups_of_account(&granted, &account, selection, limit, after).await?;
            return Ok(Reply::ok(&GroupsResponse::from(&page)));
        }
        List::Search(term) => store.search_groups(&granted, &term, selection, limit, after).await?,
        List::Named(name) => store.list_groups_named(&granted, &name.folded(), selection, limit, after).await?,
        List::ExternalId(id, term) => store.list_groups_by_external_id(&granted, &id, term, selection, after).await?,
        List::All => store.list_groups(&granted, selection, limit, after).await?,
    };
    Ok(Reply::ok(&GroupsResponse::from(&page)))
}

/// The list that is asked for.
enum List {
    All,
    Search(FoldedText),
    OfAccount(RequestedAccount),
    Named(GroupName),
    ExternalId(ExternalId, Option<FoldedText>),
}

impl List {
    fn take(query: &mut Query) -> Self {
        let search = query.take("search", FoldedText::search_term).flatten();
        let external_id = query.take("external_id", ExternalId::parse);
        let found = match (external_id, search) {
            (Some(id), term) => Some(("external_id", Self::ExternalId(id, term))),
            (None, term) => term.map(|term| ("search", Self::Search(term))),
        };
        let member = query.member().map(|member| ("member", Self::OfAccount(member)));
        let name = query.take("name", GroupName::parse).map(|name| ("name", Self::Named(name)));
        let mut lists = [found, member, name].into_iter().flatten();
        let list = lists.next().map_or(Self::All, |(_, list)| list);
        for (parameter, _) in lists {
            let alone = "left out where search, member, name or external_id is given";
            query.error(parameter, InvalidValue::new("is given with another selection", alone));
        }
        list
    }
}
