//! A request, with the parts that every operation needs.

use serde_json::Value;
use shared::app::App;
use shared::authz::{Administer, Granted, Read};
use shared::http::{Reply, Request, StatusCode};

use crate::error::ScimError;

/// The media type of every body.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";

/// The resource types that clients create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
}

/// The largest body of a response, in bytes: Lambda carries 6 MB, in which quotes are escaped.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) request: &'a Request,
    /// The URL that locations begin with, up to and including `/scim/v2`.
    pub(crate) base: String,
}

impl<'a> Call<'a> {
    /// Returns the call of a request, and the path below `/scim/v2`.
    pub(crate) fn new(app: &'a App, request: &'a Request) -> (Self, String) {
        let (base, path) = split_url(request);
        (Self { app, request, base }, path)
    }

    pub(crate) fn read(&self) -> Result<Granted<Read>, ScimError> {
        Ok(self.app.authorize(self.request)?)
    }

    pub(crate) fn write(&self) -> Result<Granted<Administer>, ScimError> {
        Ok(self.app.authorize(self.request)?)
    }

    pub(crate) fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    pub(crate) const fn schema(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }
}

/// Returns a body. One that is too large is an error, and `instead` says what to ask for.
pub(crate) fn bounded(status: StatusCode, body: &Value, instead: &str) -> Result<Reply, ScimError> {
    let reply = Reply::document(status, MEDIA_TYPE, body);
    if reply.body_bytes() > MAX_RESPONSE_BYTES {
        return Err(ScimError::bad_request("tooMany", instead));
    }
    Ok(reply)
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
