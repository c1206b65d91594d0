//! The error replies of the API, with examples made by the code that makes the replies, and the headers of all replies.

use serde_json::{Map, Value, json};
use shared::api::{FieldError, ValidationErrors};
use shared::authz::{Denied, Role};
use shared::domain::{Error, GroupName, Guarded, InvalidValue, Missing};
use shared::http::request::MAX_BODY_BYTES;
use shared::http::{ApiError, HttpResponse, Reply};

use super::schemas;
use crate::demo;

/// The error replies of one status.
struct ErrorResponseSpec {
    status: u16,
    name: &'static str,
    description: &'static str,
    /// The gateway's own message, where the gateway itself can reply with this status.
    gateway: Option<&'static str>,
    /// Headers, each with whether every reply of this status has it.
    headers: &'static [(&'static str, bool)],
}

const ERROR_RESPONSES: [ErrorResponseSpec; 12] = [
    ErrorResponseSpec {
        headers: &[("ETag", true)],
        ..spec(304, "NotModified", "The group is still in a state that `If-None-Match` names. No body.", None)
    },
    spec(400, "Invalid", "A parameter, header or body is not as described. For a body, all errors are listed.", None),
    ErrorResponseSpec {
        headers: &[("WWW-Authenticate", true)],
        ..spec(
            401,
            "Unauthorized",
            "The token is missing or not valid. Usually the gateway itself replies.",
            Some("Unauthorized"),
        )
    },
    spec(
        403,
        "Forbidden",
        "The caller lacks the role. Decided before anything is looked up or read, but for the role that changes of privileged groups need.",
        None,
    ),
    spec(404, "NotFound", "The group, account, membership or nesting does not exist, or there is no such path.", None),
    spec(409, "Conflict", "The request contradicts the current state.", None),
    spec(
        412,
        "PreconditionFailed",
        "`If-Match` or `If-None-Match` does not hold, or the change would remove more members than `max_removals`.",
        None,
    ),
    spec(
        413,
        "PayloadTooLarge",
        "The body is over 128 KiB. The gateway itself refuses one over 10 MB.",
        Some("Request Entity Too Large"),
    ),
    spec(415, "UnsupportedMediaType", "The content type of the body is not JSON, or the body is encoded.", None),
    spec(
        429,
        "TooManyRequests",
        "The route's rate limit is exceeded. The gateway itself replies.",
        Some("Too Many Requests"),
    ),
    spec(
        500,
        "InternalError",
        "Internal error. Details are in the log under `request_id`.",
        Some("Internal Server Error"),
    ),
    ErrorResponseSpec {
        headers: &[("Retry-After", false)],
        ..spec(
            503,
            "Unavailable",
            "The table is busy or unreachable. Retry: the request can be sent again.",
            Some("Service Unavailable"),
        )
    },
];

const fn spec(
    status: u16,
    name: &'static str,
    description: &'static str,
    gateway: Option<&'static str>,
) -> ErrorResponseSpec {
    ErrorResponseSpec { status, name, description, gateway, headers: &[] }
}

/// Returns every error of the functions, each with the name of its example.
fn errors() -> Vec<(&'static str, ApiError)> {
    let (team, other) = (demo::engineering_team(), "grp-018d0cab-c440-7000-8000-00000000ffff");
    let errors = vec![
        FieldError::new("name", InvalidValue::new("is empty", GroupName::EXPECTED)),
        FieldError::new("member_count", InvalidValue::new("is read-only", "left out")),
    ];
    let store = ApiError::Store;
    let roles = Role::parse("Administrator").into_iter().collect();
    let no_privileged_role =
        |role| ApiError::Guarded { reason: Guarded::NestedIn(team), role, claim: "cognito:groups".into() };
    let no_privileged_role = Role::parse("PrivilegedAdministrator").map(no_privileged_role);
    let no_role = ApiError::Forbidden { denied: Denied { roles }, claim: "cognito:groups".into(), or_manager: true };
    let errors = vec![
        ("errors", ApiError::Validation(ValidationErrors(errors))),
        ("foreign-cursor", Error::ForeignCursor.into()),
        ("no-caller", ApiError::Unauthorized),
        ("no-role", no_role),
        ("no-path", ApiError::NoRoute(Some("/api/v1/groups".into()))),
        ("no-group", Missing::Group.into()),
        ("no-account", Missing::Account("acc-999".into()).into()),
        ("no-member", Missing::Member.into()),
        ("no-group-to-nest", Missing::NestedGroup(other.into()).into()),
        ("no-nesting", Missing::Nesting.into()),
        ("key-reused", store(Error::IdempotencyKeyReused)),
        ("cycle", store(Error::Cycle(vec![team, team]))),
        ("too-many-children", store(Error::TooManyChildren)),
        ("too-many-ancestors", store(Error::TooManyAncestors)),
        ("external-id-taken", store(Error::ExternalIdTaken(team))),
        ("only-indirect", store(Error::OnlyIndirect(vec![team]))),
        ("too-many-conditions", store(Error::TooManyConditions(90))),
        ("changed", store(Error::VersionMismatch)),
        ("exists", store(Error::Exists)),
        ("too-many-removals", store(Error::TooManyRemovals { removals: 12, max_removals: 10, is_complete: true })),
        ("too-large", ApiError::PayloadTooLarge { max: MAX_BODY_BYTES }),
        ("no-json", ApiError::UnsupportedMediaType),
        ("encoded", ApiError::EncodedBody),
        ("fault", store(Error::Internal { operation: "", code: String::new() })),
        ("busy", store(Error::Unavailable { operation: "" })),
    ];
    errors.into_iter().chain(no_privileged_role.map(|error| ("no-privileged-role", error))).collect()
}

/// A reference to the error replies of a status.
pub(super) fn reference(status: u16) -> Value {
    let name = ERROR_RESPONSES.iter().find(|spec| spec.status == status).map_or("", |spec| spec.name);
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// All error replies, by the name of their status.
pub(super) fn error_responses() -> Map<String, Value> {
    let errors = errors();
    ERROR_RESPONSES.iter().map(|spec| (spec.name.to_owned(), error_response(spec, &errors))).collect()
}

fn error_response(spec: &ErrorResponseSpec, errors: &[(&str, ApiError)]) -> Value {
    let mut schemas = Vec::new();
    let mut examples = Map::new();
    for (name, error) in errors.iter().filter(|(_, error)| error.reply().status == spec.status) {
        if examples.is_empty() {
            schemas.push(schemas::reference("ErrorReply"));
        }
        examples.insert((*name).to_owned(), json!({ "value": body(error) }));
    }
    if let Some(message) = spec.gateway {
        schemas.push(schemas::reference("GatewayError"));
        examples.insert("gateway".into(), json!({ "value": { "message": message } }));
    }
    let headers = spec.headers.iter().map(|(name, _)| ((*name).to_owned(), header(name)));
    let headers: Map<String, Value> = headers.collect();
    if schemas.is_empty() {
        return json!({ "description": spec.description, "headers": headers });
    }
    let schema = if schemas.len() == 1 { schemas.swap_remove(0) } else { json!({ "oneOf": schemas }) };
    let mut response = json!({
        "description": spec.description,
        "content": { "application/json": { "schema": schema, "examples": examples } },
    });
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    response
}

/// The body of a function's reply.
fn body(error: &ApiError) -> Value {
    let response = HttpResponse::from(Reply::error(error, "9f0c3a52-7d6e-4a0b-8f3e-2b1f6c7d8e90"));
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// A reference to a header.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Every header of a reply, by its name.
pub(super) fn headers() -> Map<String, Value> {
    let is_optional =
        |name: &str| ERROR_RESPONSES.iter().flat_map(|spec| spec.headers).any(|(it, always)| *it == name && !always);
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let all = [
        (
            "ETag",
            "The state of the group, for `If-Match` and `If-None-Match`: the version of its own fields, and the number of changes of \
             its members and nested groups.",
            text(r#"^"[1-9][0-9]*-[0-9]+"$"#),
            json!("\"1-0\""),
        ),
        (
            "Location",
            "The path of the new group.",
            text("^/api/v1/groups/grp-[0-9a-f-]{36}$"),
            json!(format!("/api/v1/groups/{}", demo::engineering_team())),
        ),
        (
            "Membership-Settled",
            "Whether all ancestors already show the change. Otherwise it reaches them in the background. Absent from the reply to a dry run.",
            json!({ "type": "boolean" }),
            json!(true),
        ),
        (
            "Retry-After",
            "Seconds to wait. Only replies of functions have it.",
            json!({ "type": "integer", "minimum": 1 }),
            json!(1),
        ),
        ("WWW-Authenticate", "The scheme to authenticate with.", text("^Bearer"), json!("Bearer")),
    ];
    let object = |(name, description, schema, example): (&str, &str, Value, Value)| {
        // The reply to a dry run has no effects that could be settled.
        let required = !is_optional(name) && name != "Membership-Settled";
        let object = json!({ "description": description, "required": required, "schema": schema, "example": example });
        (name.to_owned(), object)
    };
    all.into_iter().map(object).collect()
}
