//! Errors in SCIM's form (RFC 7644, section 3.12).

use std::time::Duration;

use serde_json::{Value, json};
use shared::api::{FieldError, ValidationErrors};
use shared::domain::{Error, GroupId, InvalidValue};
use shared::http::{ApiError, Reply, StatusCode};

use crate::call::MEDIA_TYPE;

/// The reason why a request failed.
#[derive(Debug)]
pub(crate) enum ScimError {
    /// The request breaks a rule of SCIM.
    Request(RequestError),
    /// The time of the invocation ended before all members were changed. The same request, sent again, goes on.
    Unfinished {
        /// The members that are changed.
        done: usize,
        /// The members to change.
        all: usize,
    },
    /// As the other endpoints.
    Api(ApiError),
}

/// An error that only SCIM has.
#[derive(Debug)]
pub(crate) struct RequestError {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: String,
}

impl<E: Into<ApiError>> From<E> for ScimError {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}

impl ScimError {
    /// 400 with a `scimType` of RFC 7644, table 9, or of RFC 9865.
    pub(crate) fn bad_request(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(scim_type), detail)
    }

    /// The attribute has another value than it may have.
    pub(crate) fn invalid_value(attribute: &str, invalid: InvalidValue) -> Self {
        Self::Api(ValidationErrors::from(FieldError::new(attribute, invalid)).into())
    }

    pub(crate) fn no_path() -> Self {
        let detail = "there is no such path; there are /Users, /Groups, /.search, /ServiceProviderConfig, /ResourceTypes and /Schemas";
        Self::new(StatusCode::NOT_FOUND, None, detail)
    }

    pub(crate) fn no_resource(kind: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("the {kind} {id} does not exist"))
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        Self::Api(ApiError::MethodNotAllowed(allow.to_owned()))
    }

    pub(crate) fn not_implemented() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            None,
            "neither /Me nor /Bulk is implemented, as /ServiceProviderConfig says",
        )
    }

    /// 503 for a group that is created, but lacks members.
    pub(crate) fn created_in_part(id: &GroupId, done: usize, all: usize) -> Self {
        let detail =
            format!("the group {id} is created with {done} of {all} members; send the others to it by PUT or PATCH");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, None, detail)
    }

    fn new(status: StatusCode, scim_type: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self::Request(RequestError { status, scim_type, detail: detail.into() })
    }
}

impl RequestError {
    pub(crate) fn into_reply(self) -> Reply {
        Reply::document(self.status, MEDIA_TYPE, &body(self.status, self.scim_type, &self.detail))
    }
}

/// Returns the reply to a request that is to be sent again.
pub(crate) fn unfinished_reply(done: usize, all: usize) -> Reply {
    let (status, detail) = (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{done} of {all} members are changed; send the same request again for the others"),
    );
    Reply::document(status, MEDIA_TYPE, &body(status, None, &detail)).retry_after(Duration::from_secs(1))
}

/// Returns the reply to a request that failed as on other endpoints.
pub(crate) fn error_reply(error: &ApiError, _request_id: &str) -> Reply {
    let parts = error.reply();
    let scim_type = match error {
        ApiError::Validation(_) => Some("invalidValue"),
        ApiError::Store(Error::NameTaken(_) | Error::ExternalIdTaken(_)) => Some("uniqueness"),
        _ => None,
    };
    Reply::document(parts.status, MEDIA_TYPE, &body(parts.status, scim_type, &parts.message)).with_headers_of(&parts)
}

fn body(status: StatusCode, scim_type: Option<&str>, detail: &str) -> Value {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.as_str(),
        "detail": detail,
    });
    if let Some(scim_type) = scim_type {
        body["scimType"] = json!(scim_type);
    }
    body
}
