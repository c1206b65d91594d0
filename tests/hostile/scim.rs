//! Mutated bodies and filters of SCIM.

use groups_local::functions::SCIM;
use groups_local::gateway::invoke;
use lambda_http::Context;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::material::{mutated, mutations};
use super::{World, fuzz};
use crate::harness::recorder::writes;
use crate::harness::workspace::recorded;

const TEAM: &str = "grp-018d0cab-c440-7000-8000-000000000001";

/// Requests with a body, each with a valid one.
fn requests() -> [(&'static str, String, Value); 6] {
    let member = json!([{ "value": "acc-101", "display": "x" }, { "value": TEAM }]);
    let of_group = json!([
        { "op": "Add", "path": "members", "value": member },
        { "op": "remove", "path": "members[value eq \"acc-102\"]" },
        { "op": "replace", "value": { "displayName": "Tëam", "externalId": "e" } },
    ]);
    let of_user = json!([
        { "op": "Replace", "path": "active", "value": "False" },
        { "op": "add", "path": "emails[type eq \"work\" and not (primary eq true)].value", "value": "a@b" },
        { "op": "replace", "value": { "name.givenName": "A", "emails": [{ "value": "c@d" }] } },
    ]);
    let user =
        json!({ "userName": "a", "emails": [{ "value": "a@b", "primary": true }], "active": true, "externalId": "e" });
    [
        ("PATCH", format!("Groups/{TEAM}"), json!({ "Operations": of_group })),
        ("PATCH", "Users/acc-103".to_owned(), json!({ "Operations": of_user })),
        (
            "POST",
            "Groups".to_owned(),
            json!({ "displayName": "New", "externalId": "e", "members": [{ "value": "acc-1" }] }),
        ),
        ("POST", "Users".to_owned(), user.clone()),
        ("PUT", "Users/acc-104".to_owned(), user),
        (
            "POST",
            ".search".to_owned(),
            json!({ "filter": "id eq \"a\" and userName eq b", "count": 2, "startIndex": 1 }),
        ),
    ]
}

fn event(method: &str, path: &str) -> Value {
    let mut event = recorded("scim");
    event["rawPath"] = json!(format!("/scim/v2/{path}"));
    event["requestContext"]["http"]["path"] = event["rawPath"].clone();
    event["requestContext"]["http"]["method"] = json!(method);
    event["rawQueryString"] = json!("");
    event["headers"]["content-type"] = json!("application/scim+json");
    event
}

/// Asserts that the answer has SCIM's form, and that a refusal changes nothing.
async fn assert_answered(world: &World, event: &Value) {
    let before = world.known_rows().await;
    world.api.recorder.take();
    let answer = invoke(SCIM, &world.api.app, event, Context::default()).await.expect("it answers");
    let status = answer["statusCode"].as_u64().unwrap();
    assert!(status < 500, "{answer}");
    let text = answer["body"].as_str().unwrap_or_default();
    if status != 204 {
        assert_eq!(answer["headers"]["content-type"], json!("application/scim+json"));
        let body: Value = serde_json::from_str(text).unwrap();
        assert!(body["schemas"].is_array() && (status < 400 || body["detail"].is_string()), "{text}");
    }
    if status >= 400 {
        let has_written = !writes(&world.api.recorder.take()).is_empty();
        assert!(!has_written || world.rows().await == before, "a refusal changes nothing: {answer}");
        world.keep_rows(before);
    }
}

#[test]
fn every_body_gets_an_answer_of_scim() {
    let cases = (0..requests().len(), mutations());
    fuzz(250, cases, World::start, async |world, (which, mutations)| {
        let (method, path, body) = &requests()[which];
        let mut event = event(method, path);
        event["body"] = json!(String::from_utf8_lossy(&mutated(body, &mutations, &[])));
        assert_answered(world, &event).await;
    });
}

#[test]
fn every_filter_gets_an_answer_of_scim() {
    let words = [
        "userName",
        "emails.value",
        "eq",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        "\"a\"",
        "\"",
        "\\",
        "x",
        "5",
        "null",
        "pr",
        "é",
    ];
    let texts = prop::collection::vec((prop::sample::select(words.to_vec()), any::<bool>()), 0..12);
    fuzz(250, texts, World::start, async |world, words| {
        let text: String = words.iter().map(|(word, gap)| format!("{word}{}", if *gap { " " } else { "" })).collect();
        let mut event = event("GET", "Users");
        event["rawQueryString"] =
            json!(format!("filter={}", text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()));
        event["queryStringParameters"] = json!({ "filter": text });
        assert_answered(world, &event).await;
    });
}
