//! Replies of the handlers.

use std::fmt::Display;
use std::time::Duration;

use lambda_http::Body;
use lambda_http::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use lambda_http::http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::error::ErrorReply;
use super::{ApiError, HttpResponse};
use crate::api::responses::{ErrorBody, ErrorDetail, ErrorResponse, PreviewResponse};
use crate::domain::GroupId;
use crate::domain::preview::Preview;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const MEMBERSHIP_SETTLED: HeaderName = HeaderName::from_static("membership-settled");

/// The media type of the reply to a dry run. It has its own, so that a client never takes it for the reply to a change.
pub const PREVIEW_MEDIA_TYPE: &str = "application/vnd.groups.preview+json";

/// A response under construction: status, headers and body.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Reply {
    /// Returns 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Returns 200 with the effects that a change would have.
    #[must_use]
    pub fn preview(preview: &Preview) -> Self {
        Self::document(StatusCode::OK, PREVIEW_MEDIA_TYPE, &PreviewResponse::from(preview))
    }

    /// Returns 201 with a body, and the URL of the new group in `Location`.
    pub fn created(body: &impl Serialize, id: &GroupId) -> Self {
        let reply = Self::json(StatusCode::CREATED, body);
        reply.location(format!("/api/v1/groups/{id}"))
    }

    /// Returns 204 without a body.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// Returns 204 with the methods of a path.
    #[must_use]
    pub fn allow(methods: &str) -> Self {
        Self::no_content().header(ALLOW, methods.to_owned())
    }

    /// Returns a body of this JSON media type.
    pub fn document(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Self {
        let mut reply = Self::json(status, body);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        reply
    }

    /// Returns the length of the body, in bytes.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            _ => 0,
        }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Serializing a response type cannot fail: no map has keys other than strings, no implementation is fallible.
        let text = serde_json::to_string(body).unwrap_or_default();
        Self { status, headers: HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), body: Body::Text(text) }
    }

    /// Returns 304: the client has this state already.
    #[must_use]
    pub fn not_modified(state: impl Display) -> Self {
        Self { status: StatusCode::NOT_MODIFIED, ..Self::no_content() }.etag(state)
    }

    /// Adds the URL of a new resource as `Location`.
    #[must_use]
    pub fn location(self, url: String) -> Self {
        self.header(LOCATION, url)
    }

    /// Adds the headers that belong to an error reply.
    #[must_use]
    pub fn with_headers_of(self, error: &ErrorReply) -> Self {
        let mut reply = self;
        if error.status == StatusCode::UNAUTHORIZED {
            reply = reply.header(WWW_AUTHENTICATE, "Bearer".into());
        }
        if let Some(methods) = &error.allow {
            reply = reply.header(ALLOW, methods.clone());
        }
        match error.retry_after {
            Some(after) => reply.retry_after(after),
            None => reply,
        }
    }

    /// Adds the time after which the request can be sent again.
    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        self.header(RETRY_AFTER, after.as_secs().to_string())
    }

    /// Adds the state as `ETag`.
    #[must_use]
    pub fn etag(self, state: impl Display) -> Self {
        self.header(ETAG, format!("\"{state}\""))
    }

    /// Returns the same reply without its body, as to `HEAD`.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: Body::Empty, ..self }
    }

    /// Adds `Membership-Settled`: whether all ancestors already show the change of members.
    #[must_use]
    pub fn membership_settled(self, settled: bool) -> Self {
        self.header(MEMBERSHIP_SETTLED, settled.to_string())
    }

    fn header(mut self, name: HeaderName, value: String) -> Self {
        // Every value here is generated ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Returns the reply to a failed request; `request_id` identifies it in the logs.
    #[must_use]
    pub fn error(error: &ApiError, request_id: &str) -> Self {
        let reply = error.reply();
        let details = match error {
            ApiError::Validation(errors) => errors
                .0
                .iter()
                .map(|error| ErrorDetail { field: &error.field, reason: &error.invalid.reason })
                .collect(),
            _ => Vec::new(),
        };
        let body = ErrorBody { code: reply.code, message: &reply.message, details, request_id };
        Self::json(reply.status, &ErrorResponse { error: body }).with_headers_of(&reply)
    }
}

impl From<Reply> for HttpResponse {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}
