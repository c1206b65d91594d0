//! Answers.

use lambda_http::Body;
use lambda_http::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_http::http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::{ApiError, HttpResponse};
use crate::api::responses::{ErrorBody, ErrorDetail, ErrorResponse};
use crate::domain::{GroupId, Version};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const MEMBERSHIP_SETTLED: HeaderName = HeaderName::from_static("membership-settled");

/// An answer in the making.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a body and where the new group is.
    pub fn created(body: &impl Serialize, id: &GroupId) -> Self {
        let reply = Self::json(StatusCode::CREATED, body);
        reply.header(LOCATION, format!("/api/v1/groups/{id}"))
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Empty }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Serializing a response type cannot fail: no maps with keys other than strings, no fallible implementations.
        let text = serde_json::to_string(body).unwrap_or_default();
        Self { status, headers: HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), body: Body::Text(text) }
    }

    /// With the version as `ETag`.
    #[must_use]
    pub fn etag(self, version: Version) -> Self {
        self.header(ETAG, format!("\"{}\"", version.0))
    }

    /// With whether every effect of a change of members is visible already, in all groups above.
    #[must_use]
    pub fn membership_settled(self, settled: bool) -> Self {
        self.header(MEMBERSHIP_SETTLED, settled.to_string())
    }

    fn header(mut self, name: HeaderName, value: String) -> Self {
        // Every value here is ASCII of our own making.
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The answer to a request that failed; `request_id` names it in the logs.
    #[must_use]
    pub fn error(error: &ApiError, request_id: &str) -> Self {
        let parts = error.reply();
        let details = match error {
            ApiError::Validation(errors) => {
                errors.0.iter().map(|error| ErrorDetail { field: &error.field, reason: error.invalid.reason }).collect()
            }
            _ => Vec::new(),
        };
        let body = ErrorBody { code: parts.code, message: &parts.message, details, request_id };
        let mut reply = Self::json(parts.status, &ErrorResponse { error: body });
        if parts.status == StatusCode::UNAUTHORIZED {
            reply = reply.header(WWW_AUTHENTICATE, "Bearer".into());
        }
        match parts.retry_after {
            Some(after) => reply.header(RETRY_AFTER, after.as_secs().to_string()),
            None => reply,
        }
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
