//! `GET /api/v1/groups?search=&limit=&after=` and `GET /api/v1/groups?member=`: groups by the page.
//!
//! 200 with the page: all groups by name; with `search`, those with the text in their names, by the text from the first
//! match on; with `member`, those that the account is in, by name, each with its `membership_type`. 404 when there is no
//! such account. Any authenticated caller, or those in `READ_ROLES`.

use shared::api::RequestedAccount;
use shared::api::responses::GroupsResponse;
use shared::app::{App, Function};
use shared::authz::Read;
use shared::domain::{Cursor, FoldedText, InvalidValue, Limit, Missing};
use shared::http::request::Query;
use shared::http::{ApiError, Reply, Request};

/// This endpoint.
pub const FUNCTION: Function = Function::new("list-groups", |app, request| Box::pin(handler(app, request)));

/// Handles a request.
///
/// # Errors
/// 400, 401, 403, 404, 503.
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
