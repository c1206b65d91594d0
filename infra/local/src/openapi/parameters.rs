//! The parameters of all operations. Bounds are the code's own.

use serde_json::{Map, Value, json};
use shared::api::schema::WHITE_SPACE;
use shared::domain::{FoldedText, Limit};
use shared::http::request::{MAX_ENTITY_TAGS, MAX_IDEMPOTENCY_KEY};

use super::schemas::reference;

/// Every parameter, by the name that operations refer to it by.
pub(super) fn parameters() -> Map<String, Value> {
    let group = "grp-018d0cab-c440-7000-8000-000000000001";
    let [path, query, header] = ["path", "query", "header"];
    let all = [
        ("Id", path, "id", "The group. One that cannot exist is not found.", reference("GroupId"), json!(group)),
        (
            "ChildId",
            path,
            "childId",
            "The nested group.",
            reference("GroupId"),
            json!("grp-018d0cab-c440-7000-8000-000000000002"),
        ),
        ("AccountId", path, "accountId", "The account.", reference("AccountId"), json!("acc-123")),
        ("GroupsLimit", query, "limit", "Groups on the page.", groups_limit(), json!(2)),
        (
            "MembersLimit",
            query,
            "limit",
            "Members on the page; without it, all in one answer up to the maximum.",
            limit(Limit::MAX_MEMBERS),
            json!(2),
        ),
        ("After", query, "after", AFTER, json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }), Value::Null),
        ("Search", query, "search", SEARCH, search(), json!("team")),
        ("Member", query, "member", "Only groups that the account is in.", reference("AccountId"), Value::Null),
        ("MembershipType", query, "membership_type", "Only these.", reference("MembershipType"), json!("direct")),
        ("IfMatch", header, "If-Match", IF_MATCH, if_match(), json!("*")),
        ("IdempotencyKey", header, "Idempotency-Key", IDEMPOTENCY_KEY, idempotency_key(), json!("7d2f0f6e")),
    ];
    let told = |(key, place, name, description, schema, example): (&str, &str, &str, &str, Value, Value)| {
        let mut told = json!({ "name": name, "in": place, "description": description, "schema": schema });
        told["required"] = json!(place == "path");
        if !example.is_null() {
            told["example"] = example;
        }
        (key.to_owned(), told)
    };
    all.into_iter().map(told).collect()
}

const AFTER: &str = "Where to go on: an `endCursor` of the same list with the same other parameters but `limit`; any other \
                     is refused.";
const SEARCH: &str = "Only groups with this text anywhere in their names, whatever its case: Unicode NFKC, then full case \
                      folding, on both sides. Trimmed; empty is no search. Not together with `member`.";
const IF_MATCH: &str =
    "Only at one of these versions, each an `ETag` of the group, or at any (`*`). A weak tag never matches.";
const IDEMPOTENCY_KEY: &str = "With the same key, the same caller and the same body, the first answer comes again for 24 hours \
                               and nothing is created.";

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

/// A list of entity tags (RFC 9110, section 13.1.1), or any.
fn if_match() -> Value {
    let (tag, more) = (r#"(W/)?"[\t !#-~]*""#, MAX_ENTITY_TAGS - 1);
    json!({ "type": "string", "pattern": format!(r"^(\*|{tag}([\t ]*,[\t ]*{tag}){{0,{more}}})$") })
}

fn idempotency_key() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[!-~]+$" })
}
