use reqwest::Method;
use serde_json::{Value, json};

use super::groups;
use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP};

/// Updates a group with this `If-Match` header.
async fn put_if(api: &Api, id: &str, if_match: &str, body: Value) -> Answer {
    Answer::to(api.request(Method::PUT, &format!("/{id}")).header("If-Match", if_match).json(&body)).await
}

#[tokio::test]
async fn only_the_given_fields_change() {
    let api = Api::start().await;
    let created = api.post("", json!({ "name": "A", "description": "d", "is_privileged": true })).await.body;
    let path = format!("/{}", created["id"].as_str().unwrap());
    for (change, version) in [
        (json!({ "name": " B " }), 2),
        (json!({ "description": "e" }), 3),
        (json!({ "group_type": "distribution" }), 4),
        (json!({ "is_privileged": false }), 5),
        (json!({ "description": null }), 6),
        (json!({ "name": "C", "description": "f", "group_type": "security", "is_privileged": true }), 7),
    ] {
        let before = api.get(&path).await.ok();
        let answer = api.put(&path, change.clone()).await;
        assert_eq!(answer.header("etag"), Some(format!("\"{version}-0\"").as_str()));
        let mut expected = before;
        for (field, value) in change.as_object().unwrap() {
            expected[field] = match value {
                Value::String(text) => json!(text.trim()),
                Value::Null => json!(""),
                value => value.clone(),
            };
        }
        expected["updated_at"] = answer.body["updated_at"].clone();
        assert_eq!(answer.ok(), expected);
        assert_eq!(api.get(&path).await.ok(), expected);
    }
}

#[tokio::test]
async fn empty_object_changes_nothing() {
    let api = Api::start().await;
    let created = api.post("", json!({ "name": "A" })).await.body;
    let id = created["id"].as_str().unwrap();
    let answer = api.put(&format!("/{id}"), json!({})).await;
    assert_eq!(answer.header("etag"), Some("\"1-0\""));
    assert_eq!(answer.ok(), created);
    assert_eq!(put_if(&api, id, "\"1-0\"", json!({})).await.ok(), created);
    put_if(&api, id, "\"2-0\"", json!({})).await.refused(412, "PRECONDITION_FAILED");
}

/// Neither a version nor an event: each would say that something changed.
#[tokio::test]
async fn present_values_change_nothing() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut publishing = Pump::publishing(&api).await;
    let body = json!({ "name": "A", "description": "d", "group_type": "distribution", "is_privileged": true });
    let created = api.post("", body.clone()).await.body;
    let id = created["id"].as_str().unwrap();
    for same in [body, json!({ "name": " A " }), json!({ "description": "d" }), json!({ "is_privileged": true })] {
        let answer = api.put(&format!("/{id}"), same.clone()).await;
        assert_eq!(answer.header("etag"), Some("\"1-0\""), "{same}");
        assert_eq!(answer.ok(), created);
        assert_eq!(put_if(&api, id, "\"1-0\"", same.clone()).await.ok(), created);
        put_if(&api, id, "\"2-0\"", same).await.refused(412, "PRECONDITION_FAILED");
    }
    publishing.fetch().await;
    assert_eq!(publishing.waiting.len(), 1, "only the creation is published");
}

#[tokio::test]
async fn renamed_group_moves_in_the_list() {
    let api = Api::start().await;
    let [apple, banana] = groups(&api, ["Apple", "Banana"]).await;
    api.put(&format!("/{apple}"), json!({ "name": "Cherry" })).await.ok();
    let ids: Vec<Value> = api.all_items("", "groups").await.into_iter().map(|group| group["id"].clone()).collect();
    assert_eq!(ids, [json!(banana), json!(apple)]);
}

#[tokio::test]
async fn if_match_guards_against_lost_updates() {
    let api = Api::start().await;
    let id = api.group("A").await;
    put_if(&api, &id, "\"2-0\"", json!({ "name": "B" })).await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(put_if(&api, &id, "\"1-0\"", json!({ "name": "B" })).await.header("etag"), Some("\"2-0\""));
    put_if(&api, &id, "\"1-0\"", json!({ "name": "C" })).await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(put_if(&api, &id, "\"1-0\", \"2-0\"", json!({ "name": "D" })).await.header("etag"), Some("\"3-0\""));
    assert_eq!(put_if(&api, &id, "*", json!({ "name": "E" })).await.header("etag"), Some("\"4-0\""));
    for other in ["W/\"4-0\"", "\"a,b\" , \"\"", "\"04-0\"", "\"\"", "\"x\"", "\"18446744073709551616-0\""] {
        put_if(&api, &id, other, json!({ "name": "F" })).await.refused(412, "PRECONDITION_FAILED");
    }
    assert_eq!(api.get(&format!("/{id}")).await.ok()["name"], json!("E"));
}

#[tokio::test]
async fn one_of_many_concurrent_updates_of_a_version_succeeds() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let updates = (0..20).map(|n| put_if(&api, &id, "\"1-0\"", json!({ "name": format!("Writer {n}") })));
    let (api, id) = (&api, &id);
    let answers = futures::future::join_all(updates).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(api.get(&format!("/{id}")).await.ok(), won[0].body);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        lost.refused(412, "PRECONDITION_FAILED");
    }
}

#[tokio::test]
async fn if_match_must_be_entity_tags() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let many = vec!["\"1-0\""; 21].join(", ");
    for invalid in ["1", "\"1", "\"1-0\" \"2-0\"", ",", "", "\"a\"b\"", &many] {
        let errors = put_if(&api, &id, invalid, json!({ "name": "B" })).await.field_errors();
        assert_eq!(errors[0].0, "If-Match", "{invalid}");
    }
}

#[tokio::test]
async fn all_field_errors_are_reported_at_once() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let body = json!({
        "name": null, "description": "d".repeat(1_025), "group_type": null, "is_privileged": null, "version": 1,
        "created_at": "2024-01-15T10:30:00Z",
    });
    let errors = api.put(&format!("/{id}"), body).await.field_errors();
    let mut fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["created_at", "description", "group_type", "is_privileged", "name", "version"]);
    assert_eq!(api.get(&format!("/{id}")).await.header("etag"), Some("\"1-0\""));
}

#[tokio::test]
async fn body_must_be_json_of_at_most_128_kib() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let put = |body: String, content_type: &str| {
        Answer::to(api.request(Method::PUT, &format!("/{id}")).header("content-type", content_type).body(body))
    };
    put("{}".into(), "text/plain").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    put(" ".repeat(131_073), "application/json").await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(put("nope".into(), "application/json").await.field_errors()[0].0, "body");
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        for body in [json!({}), json!({ "name": "B" })] {
            api.put(&format!("/{id}"), body.clone()).await.not_found();
            put_if(&api, id, "\"1-0\"", body.clone()).await.not_found();
            put_if(&api, id, "W/\"1-0\"", body).await.not_found();
        }
    }
    assert!(api.all_items("", "groups").await.is_empty(), "nothing was created");
}

#[tokio::test]
async fn renamed_group_is_in_the_next_list_and_search_by_its_new_name_only() {
    let api = Api::start().await;
    let [id, other] = groups(&api, ["Finance", "Legal"]).await;
    let ids = async |query: &str| {
        let groups = api.all_items(query, "groups").await;
        groups.into_iter().map(|group| group["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (name, in_list) in [("Money", [&other, &id]), ("accounts", [&id, &other]), ("ACCOUNTS", [&id, &other])] {
        api.put(&format!("/{id}"), json!({ "name": name })).await.ok();
        assert_eq!(ids("").await.iter().collect::<Vec<_>>(), in_list);
        assert_eq!(ids(&format!("?search={name}")).await, [id.as_str()]);
        assert_eq!(ids("?search=inan").await, [] as [&str; 0]);
    }
    assert_eq!(ids("?search=money").await, [] as [&str; 0]);
}

/// All callers succeed, each in a version of its own, and the rows of the name are those of the last one.
#[tokio::test]
async fn concurrent_renames_leave_the_rows_of_the_last_name() {
    let api = &Api::start_with_long_timeout().await;
    let id = &api.group("Team").await;
    let rename = |number: usize| async move {
        let answer = api.put(&format!("/{id}"), json!({ "name": format!("Team {number}") })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.header("etag").unwrap().to_owned()
    };
    let mut tags = futures::future::join_all((0..8).map(rename)).await;
    tags.sort();
    assert_eq!(tags, (2..10).map(|version| format!("\"{version}-0\"")).collect::<Vec<_>>());
    assert_eq!(api.all_items("?search=team", "groups").await.len(), 1);
    assert_sound(&violations(api).await);
}
