//! JSON Schemas of the values and requests that are parsed by hand. The bounds are the constants of the code.
//! `tests/openapi` checks that a text matches its pattern exactly when the parser accepts it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::requests::{
    AddMemberRequest, ChangeMembersRequest, CheckMembershipsRequest, CreateGroupRequest, UpdateGroupRequest,
};
use crate::domain::group::Description;
use crate::domain::{AccountId, ExternalId, GroupEmail, GroupId, GroupName, GroupType, MembershipType, Timestamp};

/// White space as `str::trim` removes it (Unicode's `White_Space`), for a character class of an ECMA-262 expression.
pub const WHITE_SPACE: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// Invisible characters (Unicode's `Default_Ignorable_Code_Point`) of 16 bits, for such a class. Generators of clients differ
/// about how a pattern spells the others.
const INVISIBLE: &str = r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8";
/// Control characters (Unicode's `Cc`), for such a class.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";

/// Implements [`JsonSchema`] for a type, under the name that the schema has in `openapi.yaml`.
macro_rules! schema {
    ($type:ty, $name:literal, |$generator:ident| $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(GroupId, "GroupId", |_generator| json_schema!({
    "description": "`grp-` and a UUIDv7 (RFC 9562) in lower case.",
    "type": "string",
    "pattern": "^grp-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "examples": ["grp-018d0cab-c440-7000-8000-000000000001"],
}));

schema!(AccountId, "AccountId", |_generator| {
    // Without the dot: `.` and `..` are no ids.
    let visible = r#"!"$&-\-0->@-~"#;
    json_schema!({
        "description": "Assigned by the account system: visible ASCII characters other than `/ ? # %`, and neither `.` nor `..`.",
        "type": "string",
        "minLength": 1,
        "maxLength": Self::MAX_CHARS,
        "pattern": format!(r"^([{visible}][{visible}.]?|\.[{visible}]|[{visible}.]{{3,{}}})$", Self::MAX_CHARS),
        "examples": ["acc-123"],
    })
});

schema!(GroupName, "GroupName", |_generator| {
    let between = Self::MAX_CHARS - 2;
    let outer = format!("[^{CONTROL}{WHITE_SPACE}]");
    json_schema!({
        "description": format!("1 to {} characters after trimming, at least one of them visible, no control characters. Need not be unique.", Self::MAX_CHARS),
        "type": "string",
        "minLength": 1,
        "pattern": format!("^[{WHITE_SPACE}]*{outer}([^{CONTROL}]{{0,{between}}}{outer})?[{WHITE_SPACE}]*$"),
        "allOf": [{ "pattern": format!("[^{WHITE_SPACE}{INVISIBLE}]") }],
        "examples": ["Engineering Team"],
    })
});

schema!(Description, "Description", |_generator| json_schema!({
    "type": "string",
    "maxLength": Self::MAX_CHARS,
    "examples": ["All engineering staff"],
}));

schema!(ExternalId, "ExternalId", |_generator| {
    let between = Self::MAX_CHARS - 2;
    let outer = format!("[^{CONTROL}{WHITE_SPACE}]");
    json_schema!({
        "description": "The group's id in another system; no two groups have the same.",
        "type": "string",
        "minLength": 1,
        "maxLength": Self::MAX_CHARS,
        "pattern": format!("^{outer}([^{CONTROL}]{{0,{between}}}{outer})?$"),
        "examples": ["00g1emaKYZTWRYYRRTSK"],
    })
});

schema!(GroupEmail, "GroupEmail", |_generator| {
    let part = format!("[^@{CONTROL}{WHITE_SPACE}]+");
    json_schema!({
        "description": "One e-mail address.",
        "type": "string",
        "maxLength": Self::MAX_CHARS,
        "pattern": format!("^{part}@{part}$"),
        "examples": ["engineering@company.com"],
    })
});

schema!(GroupType, "GroupType", |_generator| json_schema!({
    "description": "`security` grants access, `distribution` addresses mail.",
    "type": "string",
    "enum": [Self::Security.as_str(), Self::Distribution.as_str()],
}));

schema!(MembershipType, "MembershipType", |_generator| json_schema!({
    "description": "`direct` when added to the group itself, else `indirect`.",
    "type": "string",
    "enum": [Self::Direct.as_str(), Self::Indirect.as_str()],
}));

schema!(Timestamp, "Timestamp", |_generator| json_schema!({
    "description": "RFC 3339, in UTC, with whole seconds.",
    "type": "string",
    "format": "date-time",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    "examples": ["2024-01-15T10:30:00Z"],
}));

/// The name of an outcome.
pub(super) struct OutcomeName;

schema!(OutcomeName, "OutcomeName", |_generator| json_schema!({
    "description": "`retry`: the result is unknown; send the change again.",
    "type": "string",
    "enum": ["added", "already_member", "scheduled", "removed", "not_direct_member", "unknown_account", "retry"],
}));

/// The name of a change in a history.
pub(super) struct HistoryChangeName;

schema!(HistoryChangeName, "HistoryChangeName", |_generator| json_schema!({
    "description": "The kind of change. `member_changed`: a member is direct or indirect now, or comes through other groups.",
    "type": "string",
    "enum": [
        "group_created",
        "group_updated",
        "group_deleted",
        "member_added",
        "member_changed",
        "member_removed",
        "group_nested",
        "group_unnested",
    ],
}));

/// The code of an error.
pub(super) struct ErrorCode;

schema!(ErrorCode, "ErrorCode", |_generator| json_schema!({
    "description": "The kind of error, for programs.",
    "type": "string",
    "enum": [
        "VALIDATION_ERROR",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "CONFLICT",
        "PRECONDITION_FAILED",
        "PAYLOAD_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE",
        "INTERNAL_ERROR",
        "UNAVAILABLE",
    ],
}));

schema!(CreateGroupRequest, "CreateGroup", |generator| json_schema!({
    "description": "A group to create. Other fields are refused.",
    "type": "object",
    "required": ["name"],
    "properties": profile(generator),
    "additionalProperties": false,
}));

schema!(UpdateGroupRequest, "UpdateGroup", |generator| json_schema!({
    "description": "The fields to change. Other fields are refused.",
    "type": "object",
    "properties": profile(generator),
    "additionalProperties": false,
}));

/// Null clears the field.
fn nullable(schema: &Schema) -> serde_json::Value {
    serde_json::json!({ "anyOf": [schema, { "type": "null" }] })
}

fn profile(generator: &mut SchemaGenerator) -> serde_json::Value {
    serde_json::json!({
        "name": generator.subschema_for::<GroupName>(),
        "description": {
            "description": "Empty unless given; null clears it.",
            "type": ["string", "null"],
            "maxLength": Description::MAX_CHARS,
        },
        "group_type": generator.subschema_for::<GroupType>(),
        "is_privileged": { "description": "Whether it grants elevated rights; false unless given.", "type": "boolean" },
        "external_id": nullable(&generator.subschema_for::<ExternalId>()),
        "email": nullable(&generator.subschema_for::<GroupEmail>()),
    })
}

schema!(AddMemberRequest, "AddMember", |generator| json_schema!({
    "description": "From when until when the account is a member. The body may also be absent.",
    "type": "object",
    "properties": { "starts_at": starts_at(generator), "expires_at": expires_at(generator) },
    "additionalProperties": false,
}));

fn starts_at(generator: &mut SchemaGenerator) -> serde_json::Value {
    serde_json::json!({
        "description": "When the accounts that are added become members, within a minute. At once unless given, or with null.",
        "anyOf": [generator.subschema_for::<Timestamp>(), { "type": "null" }],
    })
}

fn expires_at(generator: &mut SchemaGenerator) -> serde_json::Value {
    serde_json::json!({
        "description": "The second from which on the accounts that are added are direct members no more; later than now and than `starts_at`. Null for never. Unless given, that of a direct member stays.",
        "anyOf": [generator.subschema_for::<Timestamp>(), { "type": "null" }],
    })
}

schema!(ChangeMembersRequest, "ChangeMembers", |generator| {
    let ids = |description: &str| {
        serde_json::json!({
            "description": description,
            "type": "array",
            "items": { "type": "string" },
            "uniqueItems": true,
            "maxItems": Self::MAX_IDS,
        })
    };
    json_schema!({
        "description": format!("Ids of accounts, at most {} together, without duplicates.", Self::MAX_IDS),
        "type": "object",
        "properties": {
            "add": ids("Accounts to make direct members."),
            "remove": ids("Accounts to remove from the direct members."),
            "starts_at": starts_at(generator),
            "expires_at": expires_at(generator),
        },
        "additionalProperties": false,
    })
});

schema!(CheckMembershipsRequest, "CheckMemberships", |_generator| json_schema!({
    "type": "object",
    "required": ["group_ids"],
    "properties": {
        "group_ids": {
            "description": "Ids of groups. One may be repeated.",
            "type": "array",
            "items": { "type": "string" },
            "maxItems": Self::MAX_IDS,
        },
    },
    "additionalProperties": false,
}));

/// The body of a request without fields, which may be absent.
pub struct EmptyRequest;

schema!(EmptyRequest, "Nothing", |_generator| json_schema!({
    "description": "An object without fields. The body may also be absent.",
    "type": "object",
    "additionalProperties": false,
    "maxProperties": 0,
}));
