//! `ANY /scim/v2/{proxy+}`: SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865), by which identity providers create accounts and fill groups.
//!
//! Users are accounts; the members of a group are its direct members, accounts and nested groups. Reading for any caller who may read,
//! writing for administrators.

mod attributes;
mod body;
mod call;
mod discovery;
mod error;
mod filter;
mod group;
mod groups;
mod list;
mod members;
mod pages;
mod patch;
mod user;
mod users;

use shared::app::{App, Function};
use shared::http::{ApiError, Method, Reply, Request};

use self::call::{Call, Kind};
use self::error::{ScimError, error_reply, unfinished_reply};
use self::list::Listing;

/// This endpoint.
pub const FUNCTION: Function =
    Function::new("scim", |app, request| Box::pin(handler(app, request))).with_error_reply(error_reply);

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    match route(app, &request).await {
        Ok(reply) => Ok(reply),
        Err(ScimError::Request(error)) => Ok(error.into_reply()),
        Err(ScimError::Unfinished { done, all }) => Ok(unfinished_reply(done, all)),
        Err(ScimError::Api(error)) => Err(error),
    }
}

async fn route(app: &App, request: &Request) -> Result<Reply, ScimError> {
    let (call, path) = Call::new(app, request);
    let call = &call;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    // Before anything is parsed. A search is a `POST` that reads.
    match (request.method(), segments.last()) {
        (&Method::GET | &Method::HEAD, _) | (_, Some(&".search")) => drop(call.read()?),
        _ => drop(call.write()?),
    }
    let kind = match segments.first() {
        Some(&"Users") => Kind::User,
        Some(&"Groups") => Kind::Group,
        _ => return discovery_or_search(call, &segments).await,
    };
    match (request.method(), &segments[1..]) {
        (&Method::GET | &Method::HEAD, []) => list::reply(call, &[kind], &Listing::of_query(request)?).await,
        (&Method::POST, []) => match kind {
            Kind::User => users::create(call).await,
            Kind::Group => groups::create(call).await,
        },
        (_, []) => Err(ScimError::method("GET, HEAD, POST")),
        (&Method::POST, [".search"]) => list::reply(call, &[kind], &Listing::of_body(request)?).await,
        (_, [".search"]) => Err(ScimError::method("POST")),
        (method, [id]) => match kind {
            Kind::User => users::answer(call, method, id).await,
            Kind::Group => groups::answer(call, method, id).await,
        },
        _ => Err(ScimError::no_path()),
    }
}

async fn discovery_or_search(call: &Call<'_>, segments: &[&str]) -> Result<Reply, ScimError> {
    match (segments, call.request.method()) {
        ([".search"], &Method::POST) => {
            list::reply(call, &[Kind::User, Kind::Group], &Listing::of_body(call.request)?).await
        }
        ([".search"], _) => Err(ScimError::method("POST")),
        (["Me" | "Bulk"], _) => Err(ScimError::not_implemented()),
        (["ServiceProviderConfig" | "ResourceTypes" | "Schemas", ..], &Method::GET | &Method::HEAD) => {
            discovery::reply(call, segments)
        }
        (["ServiceProviderConfig" | "ResourceTypes" | "Schemas", ..], _) => Err(ScimError::method("GET, HEAD")),
        _ => Err(ScimError::no_path()),
    }
}
