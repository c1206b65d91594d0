//! `ANY /scim/v2/{proxy+}`: SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865), by which identity providers create accounts and fill groups.
//!
//! Users are accounts; the members of a group are its direct members, accounts and nested groups. Reading for any caller who may read,
//! writing for administrators.

mod attributes;
mod body;
mod discovery;
mod error;
mod filter;
mod groups;
mod list;
mod members;
mod patch;
mod user;
mod users;

use shared::app::{App, Function};
use shared::authz::{Administer, Granted, Read};
use shared::http::header::{self, HeaderName};
use shared::http::{ApiError, Method, Reply, Request};

use self::error::{ScimError, error_reply};
use self::list::Listing;

/// This endpoint.
pub const FUNCTION: Function =
    Function::new("scim", |app, request| Box::pin(handler(app, request))).with_error_reply(error_reply);

/// The media type of every body.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";

/// The resource types that clients create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
}

/// A request, with the parts that every operation needs.
pub(crate) struct Call<'a> {
    app: &'a App,
    request: &'a Request,
    /// The URL that locations begin with, up to and including `/scim/v2`.
    base: String,
}

impl Call<'_> {
    fn read(&self) -> Result<Granted<Read>, ScimError> {
        Ok(self.app.authorize(self.request)?)
    }

    fn write(&self) -> Result<Granted<Administer>, ScimError> {
        Ok(self.app.authorize(self.request)?)
    }

    /// Whether `If-None-Match` has this entity tag.
    fn has_current(&self, tag: &str) -> bool {
        self.tags(header::IF_NONE_MATCH).is_some_and(|mut tags| tags.any(|it| it == "*" || it.trim_start_matches("W/") == tag))
    }

    /// Whether `If-Match` is absent or has this entity tag.
    fn permits(&self, tag: &str) -> bool {
        self.tags(header::IF_MATCH).is_none_or(|mut tags| tags.any(|it| it == "*" || it == tag))
    }

    fn tags(&self, name: HeaderName) -> Option<impl Iterator<Item = &str>> {
        let tags = self.request.headers().get(name)?.to_str().ok()?;
        Some(tags.split(',').map(str::trim))
    }

    fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }
}

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    match route(app, &request).await {
        Ok(reply) => Ok(reply),
        Err(ScimError::Request(error)) => Ok(error.into_reply()),
        Err(ScimError::Api(error)) => Err(error),
    }
}

async fn route(app: &App, request: &Request) -> Result<Reply, ScimError> {
    let (base, path) = split_url(request);
    let call = &Call { app, request, base };
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
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

/// Splits the URL after `/scim/v2`: the base of locations, and the path below it.
fn split_url(request: &Request) -> (String, String) {
    const ROOT: &str = "/scim/v2";
    let uri = request.uri();
    let (before, below) = uri.path().split_once(ROOT).unwrap_or_default();
    let origin = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => String::new(),
    };
    (format!("{origin}{before}{ROOT}"), below.to_owned())
}
