use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP, numbered};

/// Returns the id and outcome of each change, in the order of the response.
fn outcomes(answer: Answer) -> Vec<(String, String)> {
    let body = answer.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let outcomes = body["outcomes"].as_array().unwrap();
    outcomes.iter().map(|outcome| (text(&outcome["id"]), text(&outcome["outcome"]))).collect()
}

#[tokio::test]
async fn every_id_has_its_own_outcome() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let members = format!("/{engineering}/members");
    api.accounts(&["new", "member", "gone"]).await;
    api.patch(&members, json!({ "add": ["member", "gone"] })).await.ok();

    let body = json!({ "add": ["new", "member", "nobody", "no id"], "remove": ["gone", "stranger", "a/b", ""] });
    let answer = api.patch(&members, body).await;

    assert_eq!(answer.header("membership-settled"), Some("true"));
    let expected = [
        ("new", "added"),
        ("member", "already_member"),
        ("nobody", "unknown_account"),
        ("no id", "unknown_account"),
        ("gone", "removed"),
        ("stranger", "not_direct_member"),
        ("a/b", "not_direct_member"),
        ("", "not_direct_member"),
    ];
    assert_eq!(outcomes(answer), expected.map(|(id, outcome)| (id.to_owned(), outcome.to_owned())));
    assert_eq!(api.get(&members).await.ok()["count"], json!(2));
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["direct_member_count"], json!(2));
}

#[tokio::test]
async fn one_request_changes_at_most_500_ids() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let path = format!("/{engineering}/members");
    api.members(&engineering, 0..250).await;
    api.numbered_accounts(250..500).await;
    let add: Vec<String> = (250..500).map(numbered).collect();
    let remove: Vec<String> = (0..250).map(numbered).collect();

    let outcomes = outcomes(api.patch(&path, json!({ "add": add, "remove": remove })).await);

    assert_eq!(outcomes.len(), 500);
    let (added, removed) = outcomes.split_at(250);
    assert!(added.iter().all(|(_, outcome)| outcome == "added"));
    assert!(removed.iter().all(|(_, outcome)| outcome == "removed"));
    assert_eq!(outcomes.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [add, remove].concat());
    let members = api.get(&path).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(250), 250));

    let add: Vec<String> = (0..251).map(numbered).collect();
    let remove: Vec<String> = (300..550).map(numbered).collect();
    let errors = api.patch(&path, json!({ "add": add, "remove": remove })).await.field_errors();
    assert_eq!(errors, [("body".to_owned(), "has more than 500 ids".to_owned())]);
}

#[tokio::test]
async fn five_hundred_of_the_longest_ids_fit_the_body() {
    let api = Api::start().await;
    let path = format!("/{}/members", api.group("Engineering").await);
    // Each quotation mark is escaped.
    let ids: Vec<String> = (0..500).map(|number| format!("{number:03}{}", "\"".repeat(125))).collect();
    let answer = api.patch(&path, json!({ "remove": ids })).await.ok();
    assert_eq!(answer["outcomes"].as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn repeated_ids_are_named() {
    let api = Api::start().await;
    let path = format!("/{}/members", api.group("Engineering").await);
    let errors =
        api.patch(&path, json!({ "add": ["a", "b", "b", "c"], "remove": ["d", "a", "c"] })).await.field_errors();
    let expected = [("add", "names b a second time"), ("remove", "names a, c a second time")];
    assert_eq!(errors, expected.map(|(field, reason)| (field.to_owned(), reason.to_owned())));
}

#[tokio::test]
async fn empty_change_is_accepted() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    for body in [json!({}), json!({ "add": [] }), json!({ "add": [], "remove": [] })] {
        assert_eq!(outcomes(api.patch(&format!("/{engineering}/members"), body).await), []);
    }
}

#[tokio::test]
async fn invalid_body_changes_nothing() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["a", "b"]).await;
    for (body, fields) in [
        (json!({ "add": ["a", "a"] }), vec!["add"]),
        (json!({ "add": ["a"], "remove": ["b", "a"] }), vec!["remove"]),
        (json!({ "add": "a" }), vec!["add"]),
        (json!({ "add": null, "remove": [1], "replace": ["a"] }), vec!["add", "remove", "replace"]),
        (json!(["a"]), vec!["body"]),
    ] {
        let errors = api.patch(&format!("/{engineering}/members"), body).await.field_errors();
        assert_eq!(errors.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), fields);
    }
    assert_eq!(api.get(&format!("/{engineering}/members")).await.ok()["count"], json!(0));
}

#[tokio::test]
async fn body_must_be_json_of_at_most_128_kib() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let patch = |body: String, content_type: &str| {
        let request = api.request(Method::PATCH, &format!("/{engineering}/members"));
        Answer::to(request.header("content-type", content_type).body(body))
    };
    patch("{}".into(), "text/plain").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    patch(" ".repeat(131_073), "application/json").await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(patch(String::new(), "application/json").await.field_errors()[0].0, "body");
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        for body in [json!({}), json!({ "add": ["acc-1"] }), json!({ "add": ["no id"] })] {
            assert_eq!(api.patch(&format!("/{id}/members"), body).await.not_found(), "the group does not exist");
        }
    }
}
