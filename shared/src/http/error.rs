//! The one table from errors to statuses, codes and messages.

use std::time::Duration;

use lambda_http::http::StatusCode;

use crate::api::{FieldError, ValidationErrors};
use crate::authz::{Denied, Role};
use crate::domain::{Error, Guarded, InvalidValue, Missing};

/// The reason why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The request violates the contract.
    Validation(ValidationErrors),
    /// The gateway verified no caller.
    Unauthorized,
    /// The caller lacks the required role.
    Forbidden {
        /// The roles of which one is required.
        denied: Denied,
        /// The claim of the token that holds the caller's roles.
        claim: String,
        /// Whether a manager of the group needs none.
        or_manager: bool,
    },
    /// The caller lacks the role that the change needs, in addition to that of an administrator.
    Guarded {
        /// Why the change needs it.
        reason: Guarded,
        /// The role.
        role: Role,
        /// The claim of the token that holds the caller's roles.
        claim: String,
    },
    /// No route has the path. The text is one that a route has, where the client's is close to it.
    NoRoute(Option<String>),
    /// A route has the path, but only with these methods, as `Allow` lists them.
    MethodNotAllowed(String),
    /// The body is too large.
    PayloadTooLarge {
        /// The most bytes, a multiple of 1024.
        max: usize,
    },
    /// The body has a `Content-Encoding`.
    EncodedBody,
    /// The content type of the body is not JSON.
    UnsupportedMediaType,
    /// The store refused or failed the operation.
    Store(Error),
}

impl From<ValidationErrors> for ApiError {
    fn from(errors: ValidationErrors) -> Self {
        Self::Validation(errors)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::ForeignCursor => Self::Validation(
                FieldError::new(
                    "after",
                    InvalidValue::new("is not a cursor of this list", "an endCursor of the same list"),
                )
                .into(),
            ),
            Error::BeforeHistory(begin) => Self::Validation(
                FieldError::new(
                    "at",
                    InvalidValue::because(format!("is before {begin}, where this history begins"), "a later time"),
                )
                .into(),
            ),
            error => Self::Store(error),
        }
    }
}

impl From<Missing> for ApiError {
    fn from(missing: Missing) -> Self {
        Self::Store(Error::Missing(missing))
    }
}

/// The parts of an error response.
#[derive(Debug)]
pub struct ErrorReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error code of the contract, such as `NOT_FOUND`.
    pub code: &'static str,
    /// A sentence for people, without internal details.
    pub message: String,
    /// The time after which to retry; only with 503.
    pub retry_after: Option<Duration>,
    /// The methods of the path; only with 405.
    pub allow: Option<String>,
}

impl ApiError {
    /// Whether the status is 5xx.
    #[must_use]
    pub fn is_server_error(&self) -> bool {
        self.reply().status.is_server_error()
    }

    /// Returns the cause for the log, with internal details that the client must not see.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            _ => self.reply().message,
        }
    }

    /// Returns the parts of the response.
    #[must_use]
    pub fn reply(&self) -> ErrorReply {
        let (status, code, message) = match self {
            Self::Validation(errors) => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR", errors.to_string()),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "a valid token is required".into()),
            Self::Forbidden { denied, claim, or_manager } => {
                (StatusCode::FORBIDDEN, "FORBIDDEN", forbidden(denied, claim, *or_manager))
            }
            Self::Guarded { reason, role, claim } => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                format!("this needs the role {} in the token's claim {claim}: {reason}", role.as_str()),
            ),
            Self::NoRoute(None) => (StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such path".into()),
            Self::NoRoute(Some(near)) => {
                (StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no such path; did you mean {near}?"))
            }
            Self::MethodNotAllowed(allow) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                format!("the path has no such method, only {allow}"),
            ),
            Self::PayloadTooLarge { max } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", format!("the body is over {} KiB", max / 1024))
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "the body must be sent with content type application/json".into(),
            ),
            Self::EncodedBody => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "the body must be sent without Content-Encoding".into(),
            ),
            Self::Store(error) => store_reply(error),
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1));
        ErrorReply { status, code, message, retry_after, allow: self.allow() }
    }

    fn allow(&self) -> Option<String> {
        match self {
            Self::MethodNotAllowed(methods) => Some(methods.clone()),
            _ => None,
        }
    }
}

fn forbidden(denied: &Denied, claim: &str, or_manager: bool) -> String {
    let roles: Vec<&str> = denied.roles.iter().map(Role::as_str).collect();
    let needed = if let [role] = roles[..] {
        format!("the role {role}")
    } else {
        format!("one of the roles {}", roles.join(", "))
    };
    let or_manager = if or_manager { ", or a manager of the group" } else { "" };
    format!("this needs {needed} in the token's claim {claim}{or_manager}")
}

fn store_reply(error: &Error) -> (StatusCode, &'static str, String) {
    match error {
        Error::Missing(missing) => (StatusCode::NOT_FOUND, "NOT_FOUND", missing.to_string()),
        Error::VersionMismatch | Error::AccountChanged | Error::Exists | Error::TooManyRemovals { .. } => {
            (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", error.to_string())
        }
        Error::IdempotencyKeyReused
        | Error::ExternalIdTaken(_)
        | Error::NameTaken(_)
        | Error::Cycle(_)
        | Error::TooManyChildren
        | Error::TooManyManagers
        | Error::TooManyAncestors
        | Error::TooManyConditions(_)
        | Error::HasStarted
        | Error::OnlyIndirect(_) => (StatusCode::CONFLICT, "CONFLICT", error.to_string()),
        Error::Guarded(_) => (StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
        Error::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the service is busy; try again".into())
        }
        Error::ForeignCursor | Error::BeforeHistory(_) | Error::Internal { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "an internal error occurred".into())
        }
    }
}
