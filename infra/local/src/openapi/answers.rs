//! What the API answers when it does not do what was asked, as it answers it, and the headers of all answers.

use serde_json::{Map, Value, json};
use shared::api::{FieldError, ValidationErrors};
use shared::domain::{Error, GroupName, InvalidValue, Missing};
use shared::http::{ApiError, HttpResponse, Reply};

use super::schemas::reference;
use crate::demo;

/// Answers of one status.
struct Refusal {
    status: u16,
    name: &'static str,
    description: &'static str,
    /// The gateway's own message, where it answers with this status by itself.
    gateway: Option<&'static str>,
    /// Headers, and whether all of these answers have them.
    headers: &'static [(&'static str, bool)],
}

const REFUSALS: [Refusal; 11] = [
    refusal(400, "Invalid", "A parameter, header or body is not as described: all errors of a body at once.", None),
    Refusal {
        headers: &[("WWW-Authenticate", true)],
        ..refusal(
            401,
            "Unauthorized",
            "No token, or one that does not verify. As a rule it is the gateway that says so.",
            Some("Unauthorized"),
        )
    },
    refusal(403, "Forbidden", "The caller lacks the role. Decided before anything is looked up or read.", None),
    refusal(
        404,
        "NotFound",
        "The group, account, membership or nesting does not exist, or the gateway has no such path.",
        Some("Not Found"),
    ),
    refusal(409, "Conflict", "What there is stands against it.", None),
    refusal(412, "PreconditionFailed", "`If-Match` does not hold.", None),
    refusal(
        413,
        "PayloadTooLarge",
        "The body is over 64 KiB. Of one over 10 MB it is the gateway that says so.",
        Some("Request Entity Too Large"),
    ),
    refusal(415, "UnsupportedMediaType", "The body is not JSON by its content type.", None),
    refusal(
        429,
        "TooManyRequests",
        "The gateway throttles: more requests at once than it is set up for.",
        Some("Too Many Requests"),
    ),
    refusal(500, "InternalError", "A fault of ours; nothing of its inside is shown.", Some("Internal Server Error")),
    Refusal {
        headers: &[("Retry-After", false)],
        ..refusal(
            503,
            "Unavailable",
            "The table is busy or out of reach: try again. Nothing is lost by it.",
            Some("Service Unavailable"),
        )
    },
];

const fn refusal(status: u16, name: &'static str, description: &'static str, gateway: Option<&'static str>) -> Refusal {
    Refusal { status, name, description, gateway, headers: &[] }
}

/// What functions answer, each with the name of an example.
fn errors() -> Vec<(&'static str, ApiError)> {
    let (team, other) = (demo::engineering_team(), "grp-018d0cab-c440-7000-8000-00000000ffff");
    let errors = vec![
        FieldError::new("name", InvalidValue::new("is empty", GroupName::EXPECTED)),
        FieldError::new("member_count", InvalidValue::new("is read-only", "left out")),
    ];
    let store = ApiError::Store;
    vec![
        ("errors", ApiError::Validation(ValidationErrors(errors))),
        ("foreign-cursor", Error::ForeignCursor.into()),
        ("no-caller", ApiError::Unauthorized),
        ("no-role", ApiError::Forbidden),
        ("no-group", Missing::Group.into()),
        ("no-account", Missing::Account("acc-999".into()).into()),
        ("no-member", Missing::Member.into()),
        ("no-group-to-nest", Missing::NestedGroup(other.into()).into()),
        ("no-nesting", Missing::Nesting.into()),
        ("key-reused", store(Error::IdempotencyKeyReused)),
        ("cycle", store(Error::Cycle(vec![team, team]))),
        ("too-many-children", store(Error::TooManyChildren)),
        ("too-many-ancestors", store(Error::TooManyAncestors)),
        ("only-indirect", store(Error::OnlyIndirect(vec![team]))),
        ("changed", store(Error::VersionMismatch)),
        ("too-large", ApiError::PayloadTooLarge),
        ("no-json", ApiError::UnsupportedMediaType),
        ("fault", store(Error::Internal { operation: "", code: String::new() })),
        ("busy", store(Error::Unavailable { operation: "" })),
    ]
}

/// The name of the answers of a status.
pub(super) fn name(status: u16) -> &'static str {
    REFUSALS.iter().find(|refusal| refusal.status == status).map_or("", |refusal| refusal.name)
}

/// All answers of an error, by their names.
pub(super) fn refusals() -> Map<String, Value> {
    let errors = errors();
    REFUSALS.iter().map(|refusal| (refusal.name.to_owned(), told(refusal, &errors))).collect()
}

fn told(refusal: &Refusal, errors: &[(&str, ApiError)]) -> Value {
    let mut schemas = Vec::new();
    let mut examples = Map::new();
    let of_functions = errors.iter().filter(|(_, error)| error.reply().status == refusal.status);
    for (name, error) in of_functions {
        if examples.is_empty() {
            let code = json!({ "properties": { "code": { "const": error.reply().code } } });
            let mut schema = reference("Error");
            schema["properties"] = json!({ "error": code });
            schemas.push(schema);
        }
        examples.insert((*name).to_owned(), json!({ "value": body(error) }));
    }
    if let Some(message) = refusal.gateway {
        schemas.push(reference("GatewayError"));
        examples.insert("gateway".into(), json!({ "value": { "message": message } }));
    }
    let schema = if schemas.len() == 1 { schemas.swap_remove(0) } else { json!({ "oneOf": schemas }) };
    let mut told = json!({
        "description": refusal.description,
        "content": { "application/json": { "schema": schema, "examples": examples } },
    });
    for (name, _) in refusal.headers {
        told["headers"][name] = header(name);
    }
    told
}

/// The body that a function answers with.
fn body(error: &ApiError) -> Value {
    let response = HttpResponse::from(Reply::error(error, "9f0c3a52-7d6e-4a0b-8f3e-2b1f6c7d8e90"));
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// A reference to a header.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Every header of an answer, by its name.
pub(super) fn headers() -> Map<String, Value> {
    let optional =
        |name: &str| REFUSALS.iter().flat_map(|refusal| refusal.headers).any(|(it, all)| *it == name && !all);
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let all = [
        ("ETag", "The version of the group's own fields, for `If-Match`.", text(r#"^"[1-9][0-9]*"$"#), json!("\"1\"")),
        (
            "Location",
            "The path of the new group.",
            text("^/api/v1/groups/grp-[0-9a-f-]{36}$"),
            json!(format!("/api/v1/groups/{}", demo::engineering_team())),
        ),
        (
            "Membership-Settled",
            "Whether every effect, through all groups above, is visible already; otherwise the rest follows by itself.",
            json!({ "type": "boolean" }),
            json!(true),
        ),
        (
            "Retry-After",
            "Seconds to wait; of the function's own answers.",
            json!({ "type": "integer", "minimum": 1 }),
            json!(1),
        ),
        ("WWW-Authenticate", "What is wanted.", text("^Bearer"), json!("Bearer")),
    ];
    let told = |(name, description, schema, example): (&str, &str, Value, Value)| {
        let required = !optional(name);
        let told = json!({ "description": description, "required": required, "schema": schema, "example": example });
        (name.to_owned(), told)
    };
    all.into_iter().map(told).collect()
}
