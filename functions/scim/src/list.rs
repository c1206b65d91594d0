//! Lists, in pages by number (RFC 7644, section 3.4.2.4) or by cursor (RFC 9865).

use std::str::FromStr;

use serde_json::{Value, json};
use shared::authz::{Granted, Read};
use shared::domain::{Cursor, Error, Limit};
use shared::http::{Reply, Request, StatusCode, request};

use crate::attributes::{Projection, projection};
use crate::call::{Call, Kind, bounded};
use crate::error::ScimError;
use crate::filter::{self, Condition};
use crate::{body, groups, users};

/// The resources on a page, where the client names no number, and the most.
pub(crate) const DEFAULT_COUNT: usize = 100;
pub(crate) const MAX_COUNT: usize = 1_000;

/// A list that is asked for.
pub(crate) struct Listing {
    filter: Option<Vec<Condition>>,
    place: Place,
    count: usize,
    projection: Projection,
}

/// Where the page begins.
enum Place {
    /// After this many resources.
    Number(usize),
    /// After the cursor; `None` for the first page.
    Cursor(Option<Cursor>),
}

/// A page of resources.
#[derive(Default)]
struct Page {
    resources: Vec<Value>,
    /// The number of all resources, where it is known.
    total: Option<usize>,
    next: Option<Cursor>,
}

impl Listing {
    /// Reads the parameters of a query. Others are ignored.
    pub(crate) fn of_query(request: &Request) -> Result<Self, ScimError> {
        let parameter = |name: &str| request::query_parameter(request, name);
        let number = |name| parameter(name).as_deref().map(|text| whole_number(name, text)).transpose();
        let place = place(number("startIndex")?, parameter("cursor"));
        let filter = parameter("filter").as_deref().map(filter::conditions).transpose()?;
        Ok(Self { filter, place, count: count(number("count")?), projection: projection(request)? })
    }

    /// Reads the body of a search (RFC 7644, section 3.4.3).
    pub(crate) fn of_body(request: &Request) -> Result<Self, ScimError> {
        let body = body::object(request)?;
        let number = |name| {
            body::get(&body, name).map(|value| whole_number(name, value.to_string().trim_matches('"'))).transpose()
        };
        let names = |name| -> Vec<&str> {
            let names = body::get(&body, name).and_then(Value::as_array);
            names.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (only, without) = (names("attributes"), names("excludedAttributes"));
        Ok(Self {
            filter: body::text(&body, "filter")?.map(filter::conditions).transpose()?,
            place: place(number("startIndex")?, body::text(&body, "cursor")?.map(str::to_owned)),
            count: count(number("count")?),
            projection: Projection::new(only.into_iter(), without.into_iter()),
        })
    }
}

fn place(start_index: Option<i64>, cursor: Option<String>) -> Place {
    match cursor {
        Some(cursor) => Place::Cursor(Some(cursor).filter(|cursor| !cursor.is_empty()).map(Cursor)),
        // A number below 1 counts as 1.
        None => Place::Number(usize::try_from(start_index.unwrap_or(1).max(1) - 1).unwrap_or(usize::MAX)),
    }
}

fn count(count: Option<i64>) -> usize {
    count.map_or(DEFAULT_COUNT, |count| usize::try_from(count.max(0)).unwrap_or(MAX_COUNT).min(MAX_COUNT))
}

fn whole_number(name: &str, text: &str) -> Result<i64, ScimError> {
    let detail = || format!("{name} must be a whole number, such as 1");
    i64::from_str(text).map_err(|_| ScimError::bad_request("invalidValue", detail()))
}

/// Returns a page of resources of these kinds, one kind after the other.
pub(crate) async fn reply(call: &Call<'_>, kinds: &[Kind], listing: &Listing) -> Result<Reply, ScimError> {
    let granted = call.read()?;
    let page = match (&listing.filter, &listing.place) {
        (Some(conditions), place) => filtered(call, &granted, kinds, conditions, place, listing).await?,
        (None, Place::Number(skip)) => numbered(call, &granted, kinds, *skip, listing).await?,
        (None, Place::Cursor(after)) => after_cursor(call, &granted, kinds, after.as_ref(), listing).await?,
    };
    let Page { mut resources, total, next } = page;
    resources.iter_mut().for_each(|resource| listing.projection.apply(resource));
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    if let Some(total) = total {
        body["totalResults"] = json!(total);
    }
    match (&listing.place, next) {
        (Place::Number(skip), _) => body["startIndex"] = json!(skip.saturating_add(1)),
        (Place::Cursor(_), Some(Cursor(next))) => body["nextCursor"] = json!(next),
        (Place::Cursor(_), None) => {}
    }
    let instead = "the page is larger than 4 MiB; ask for fewer resources with count, or leave members out with excludedAttributes=members";
    bounded(StatusCode::OK, &body, instead)
}

/// The resources that meet all conditions. There are few: each condition is an equality.
async fn filtered(
    call: &Call<'_>,
    granted: &Granted<Read>,
    kinds: &[Kind],
    conditions: &[Condition],
    place: &Place,
    listing: &Listing,
) -> Result<Page, ScimError> {
    let skip = match place {
        Place::Number(skip) => *skip,
        Place::Cursor(None) => 0,
        Place::Cursor(Some(Cursor(text))) => text.parse().map_err(|_| invalid_cursor())?,
    };
    let (mut accounts, mut groups) = (Vec::new(), Vec::new());
    for kind in kinds {
        match kind {
            Kind::User => accounts = users::find(call, granted, conditions).await?,
            Kind::Group => groups = groups::find(call, granted, conditions).await?,
        }
    }
    let total = accounts.len() + groups.len();
    let users = accounts.iter().skip(skip).take(listing.count).map(|it| users::resource(call, it));
    let mut resources: Vec<Value> = users.collect();
    let groups_before = skip.saturating_sub(accounts.len());
    let groups = groups.into_iter().skip(groups_before).take(listing.count - resources.len()).collect();
    resources.extend(groups::resources(call, granted, groups, &listing.projection).await?);
    let shown = skip.saturating_add(resources.len());
    let next = (shown < total && !resources.is_empty()).then(|| Cursor(shown.to_string()));
    Ok(Page { resources, total: Some(total), next })
}

async fn numbered(
    call: &Call<'_>,
    granted: &Granted<Read>,
    kinds: &[Kind],
    skip: usize,
    listing: &Listing,
) -> Result<Page, ScimError> {
    let (mut resources, mut total) = (Vec::new(), 0);
    for kind in kinds {
        let (skip, count) = (skip.saturating_sub(total), listing.count - resources.len());
        total += match kind {
            Kind::User => {
                let (accounts, all) = call.app.store.numbered_accounts(granted, skip, count).await?;
                resources.extend(accounts.iter().map(|account| users::resource(call, account)));
                all
            }
            Kind::Group => {
                let (groups, all) = call.app.store.numbered_groups(granted, skip, count).await?;
                resources.extend(groups::resources(call, granted, groups, &listing.projection).await?);
                all
            }
        };
    }
    Ok(Page { resources, total: Some(total), next: None })
}

async fn after_cursor(
    call: &Call<'_>,
    granted: &Granted<Read>,
    kinds: &[Kind],
    after: Option<&Cursor>,
    listing: &Listing,
) -> Result<Page, ScimError> {
    let foreign = |error| match error {
        Error::ForeignCursor => invalid_cursor(),
        error => error.into(),
    };
    let Ok(limit) = Limit::parse(&listing.count.to_string(), Limit::MAX_GROUPS) else { return Ok(Page::default()) };
    let store = &call.app.store;
    match kinds {
        [Kind::User] => {
            let page = store.list_accounts(granted, &Default::default(), limit, after).await.map_err(foreign)?;
            let resources = page.items.iter().map(|account| users::resource(call, account)).collect();
            Ok(Page { resources, total: None, next: page.next })
        }
        [Kind::Group] => {
            let page = store.list_groups(granted, Default::default(), limit, after).await.map_err(foreign)?;
            let resources = groups::resources(call, granted, page.items, &listing.projection).await?;
            Ok(Page { resources, total: None, next: page.next })
        }
        _ => Err(ScimError::bad_request("invalidCursor", "a search of all types has pages by startIndex only")),
    }
}

fn invalid_cursor() -> ScimError {
    ScimError::bad_request("invalidCursor", "cursor must be a nextCursor of the same list, or empty for its first page")
}
