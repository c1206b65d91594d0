//! The parameters of all operations, with the bounds that the code checks.

use serde_json::{Map, Value, json};
use shared::api::schema::WHITE_SPACE;
use shared::domain::{EmailTerm, FoldedText, Limit};
use shared::http::condition::MAX_ENTITY_TAGS;
use shared::http::request::MAX_IDEMPOTENCY_KEY;

use super::schemas::reference;

/// Every parameter, by the name that an endpoint's `OPERATION` has for it.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn parameters() -> Map<String, Value> {
    let group = "grp-018d0cab-c440-7000-8000-000000000001";
    let [path, query, header] = ["path", "query", "header"];
    let all = [
        ("Id", path, "id", "The group. A malformed id is not found.", reference("GroupId"), json!(group)),
        (
            "ChildId",
            path,
            "childId",
            "The nested group.",
            reference("GroupId"),
            json!("grp-018d0cab-c440-7000-8000-000000000002"),
        ),
        ("AccountId", path, "accountId", "The account.", reference("AccountId"), json!("acc-123")),
        ("ManagerId", path, "managerId", "The account or the group.", reference("AccountId"), json!("acc-123")),
        ("GroupsLimit", query, "limit", "Groups on the page.", groups_limit(), json!(2)),
        ("MembersLimit", query, "limit", MEMBERS_LIMIT, limit(Limit::MAX_MEMBERS), json!(2)),
        ("AccountsLimit", query, "limit", "Accounts on the page.", groups_limit(), json!(2)),
        ("AccountGroupsLimit", query, "limit", ACCOUNT_GROUPS_LIMIT, limit(Limit::MAX_MEMBERS), json!(2)),
        ("PathsLimit", query, "limit", "Paths in the reply; 100 without it.", limit(Limit::MAX_PATHS), json!(10)),
        ("After", query, "after", AFTER, json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }), Value::Null),
        ("Search", query, "search", SEARCH, search(), json!("team")),
        (
            "Name",
            query,
            "name",
            "Only groups of exactly this name, apart from case.",
            reference("GroupName"),
            json!("Finance"),
        ),
        (
            "ExternalId",
            query,
            "external_id",
            "Only the group with this id in another system.",
            reference("ExternalId"),
            Value::Null,
        ),
        ("GroupType", query, "group_type", "Only groups of this type.", reference("GroupType"), Value::Null),
        (
            "IsPrivileged",
            query,
            "is_privileged",
            "Only groups that are privileged, or only those that are not.",
            json!({ "type": "boolean" }),
            Value::Null,
        ),
        (
            "Sort",
            query,
            "sort",
            "The order: `-name` is the reverse. With `search`, the order of searches or its reverse.",
            json!({ "type": "string", "enum": ["name", "-name"], "default": "name" }),
            Value::Null,
        ),
        ("Member", query, "member", "Only groups that the account is in.", reference("AccountId"), Value::Null),
        ("MembershipType", query, "membership_type", MEMBERSHIP_TYPE, reference("MembershipType"), json!("direct")),
        (
            "Fields",
            query,
            "fields",
            "Only the ids of the groups.",
            json!({ "type": "string", "enum": ["id"] }),
            Value::Null,
        ),
        ("AccountSearch", query, "search", ACCOUNT_SEARCH, search(), json!("john d")),
        (
            "Email",
            query,
            "email",
            "Only accounts with this e-mail address, in any case.",
            email(),
            json!("john.doe@company.com"),
        ),
        (
            "Status",
            query,
            "status",
            "Only accounts with exactly this status, such as `active`.",
            json!({ "type": "string" }),
            json!("active"),
        ),
        ("At", query, "at", AT, reference("Timestamp"), Value::Null),
        ("Since", query, "since", "Only changes from this second on.", reference("Timestamp"), Value::Null),
        ("Until", query, "until", "Only changes before this second.", reference("Timestamp"), Value::Null),
        (
            "HistoryAccount",
            query,
            "account_id",
            "Only changes of the membership of this account.",
            reference("AccountId"),
            Value::Null,
        ),
        ("HistoryLimit", query, "limit", "Changes on the page.", groups_limit(), json!(2)),
        ("Transitive", query, "transitive", TRANSITIVE, json!({ "type": "boolean", "default": false }), json!(true)),
        ("DryRun", query, "dry_run", DRY_RUN, json!({ "type": "boolean", "default": false }), Value::Null),
        (
            "MaxRemovals",
            query,
            "max_removals",
            MAX_REMOVALS,
            json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            Value::Null,
        ),
        ("IfMatch", header, "If-Match", IF_MATCH, entity_tags(), json!("*")),
        ("IfNoneMatch", header, "If-None-Match", IF_NONE_MATCH, entity_tags(), json!("\"1-0\"")),
        ("IfNew", header, "If-None-Match", IF_NEW, json!({ "type": "string", "pattern": r"^\*$" }), Value::Null),
        ("IdempotencyKey", header, "Idempotency-Key", IDEMPOTENCY_KEY, idempotency_key(), json!("7d2f0f6e")),
    ];
    let object = |(key, place, name, description, schema, example): (&str, &str, &str, &str, Value, Value)| {
        let mut object = json!({ "name": name, "in": place, "description": description, "schema": schema });
        object["required"] = json!(place == "path");
        if !example.is_null() {
            object["example"] = example;
        }
        (self::key(key), object)
    };
    all.into_iter().map(object).collect()
}

/// The key of a parameter in the document. No schema has the same: generators of clients would make one type of both.
pub(super) fn key(name: &str) -> String {
    format!("{name}Parameter")
}

const MEMBERS_LIMIT: &str = "Members on the page. Without it, one page has all members up to the maximum.";
const ACCOUNT_SEARCH: &str = "Only accounts in which each word of this text begins a word of the name or of the part of the e-mail address before its `@`; a \
     text with an `@` must begin the address. Compared as names of groups are. Trimmed; an empty text does not search.";
const ACCOUNT_GROUPS_LIMIT: &str =
    "Groups on the page: 1 to 1,000, and 50 without it. With `fields=id`, 1 to 10,000, and 10,000 without it.";
const AT: &str = "Who was a member at this time, after all changes of that second, as far back as history is kept.";
const TRANSITIVE: &str = "Whether groups at every level above are listed, not only those right above.";
const MEMBERSHIP_TYPE: &str = "Only memberships of this type.";
const AFTER: &str = "The `endCursor` of the previous page. All other parameters except `limit` must be the same.";
const SEARCH: &str = "Only groups whose names contain this text. Both are compared by Unicode's `NFKC_Casefold`, which ignores case and invisible characters. \
                      Trimmed; an empty text does not search.";
const DRY_RUN: &str = "Changes nothing. The reply to a change that would succeed is 200 with its effects, as \
                       `application/vnd.groups.preview+json`.";
const MAX_REMOVALS: &str = "Refuses the change with 412 if more accounts than this would lose a membership in some group, or if there are too \
                            many to count.";
const IF_MATCH: &str = "Only while the group is in one of these states, each an `ETag` of the group, or in any (`*`). An update of the \
                        group compares the first part of the tag, all other requests both. A weak tag never matches.";
const IF_NONE_MATCH: &str =
    "The `ETag`s that the client has. Where one of them still holds, the reply is 304 without a body.";
const IF_NEW: &str = "`*`: only to create what the path names, not where it exists.";
const IDEMPOTENCY_KEY: &str = "For 24 hours, the same key with the same caller and body returns the first reply again and creates \
                               nothing.";

fn limit(max: Limit) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": max.items() })
}

fn groups_limit() -> Value {
    let mut limit = limit(Limit::MAX_GROUPS);
    limit["default"] = json!(Limit::DEFAULT.items());
    limit
}

fn search() -> Value {
    let between = FoldedText::MAX_TERM_CHARS - 2;
    let outer = format!("[^{WHITE_SPACE}]");
    let pattern = format!(r"^[{WHITE_SPACE}]*({outer}([\s\S]{{0,{between}}}{outer})?)?[{WHITE_SPACE}]*$");
    json!({ "type": "string", "pattern": pattern })
}

/// A list of entity tags, or `*` (RFC 9110, sections 5.6.1 and 13.1.1).
fn entity_tags() -> Value {
    let (tag, more) = (r#"(W/)?"[\t !#-~]*""#, MAX_ENTITY_TAGS - 1);
    json!({ "type": "string", "pattern": format!(r"^(\*|[\t ,]*{tag}([\t ]*,[\t ,]*{tag}){{0,{more}}}[\t ,]*)$") })
}

fn email() -> Value {
    let between = EmailTerm::MAX_CHARS - 2;
    let outer = format!("[^{WHITE_SPACE}]");
    let pattern = format!(r"^[{WHITE_SPACE}]*{outer}([\s\S]{{0,{between}}}{outer})?[{WHITE_SPACE}]*$");
    json!({ "type": "string", "pattern": pattern })
}

fn idempotency_key() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[!-~]+$" })
}
