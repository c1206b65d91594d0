//! `GET /api/v1/groups?search=&limit=&after=`, or with `member=`, `name=` or `external_id=` instead: a page of groups.
//!
//! 200 with all groups, by name. `search` selects those with the text in their names, ordered by the text from the
//! first match on. `member` selects those of an account, by name, each with its `membership_type`; 404 when there is no
//! such account. `name` selects those of exactly this name, `external_id` the one with this id. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::RequestedAccount;
use shared::api::operation::{Access, Content, Operation, OperationLink, Success, Tag, link};
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{Cursor, ExternalId, FoldedText, GroupName, InvalidValue, Limit, Missing};
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
                  `external_id`, the one with this id, or none. Only one of these can be given. A group that exists while all pages are read appears exactly once. \
                  Member counts may be a moment old; those of a single group are exact.",
    access: Access::Readers,
    parameters: &["Search", "Member", "Name", "ExternalId", "GroupsLimit", "After"],
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
    let Parameters { limit, after, selection } = Parameters::parse(&request)?;
    let (store, after) = (&app.store, after.as_ref());
    let page = match selection {
        Selection::OfAccount(member) => {
            let account = member.id.ok_or(Missing::Account(member.text))?;
            let page = store.list_groups_of_account(&granted, &account, limit, after).await?;
            return Ok(Reply::ok(&GroupsResponse::from(&page)));
        }
        Selection::Search(term) => store.search_groups(&granted, &term, limit, after).await?,
        Selection::Named(name) => store.list_groups_named(&granted, &name.folded(), limit, after).await?,
        Selection::ExternalId(id) => store.list_groups_by_external_id(&granted, &id, after).await?,
        Selection::All => store.list_groups(&granted, limit, after).await?,
    };
    Ok(Reply::ok(&GroupsResponse::from(&page)))
}

/// The groups to list.
enum Selection {
    All,
    Search(FoldedText),
    OfAccount(RequestedAccount),
    Named(GroupName),
    ExternalId(ExternalId),
}

struct Parameters {
    limit: Limit,
    after: Option<Cursor>,
    selection: Selection,
}

impl Parameters {
    fn parse(request: &Request) -> Result<Self, ApiError> {
        let mut query = Query::parse(request);
        let limit = query.take("limit", |text| Limit::parse(text, Limit::MAX_GROUPS)).unwrap_or(Limit::DEFAULT);
        let after = query.after();
        let search = query.take("search", FoldedText::search_term).flatten().map(Selection::Search);
        let member = query.member().map(Selection::OfAccount);
        let name = query.take("name", GroupName::parse).map(Selection::Named);
        let external_id = query.take("external_id", ExternalId::parse).map(Selection::ExternalId);
        let mut selections = [("search", search), ("member", member), ("name", name), ("external_id", external_id)]
            .into_iter()
            .filter_map(|(parameter, selection)| Some((parameter, selection?)));
        let selection = selections.next().map_or(Selection::All, |(_, selection)| selection);
        for (parameter, _) in selections {
            let invalid = InvalidValue::new(
                "is given with another selection",
                "left out where search, member, name or external_id is given",
            );
            query.error(parameter, invalid);
        }
        query.finish()?;
        Ok(Self { limit, after, selection })
    }
}
