use serde_json::json;

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn returns_the_group_as_created_with_its_etag() {
    let api = Api::start().await;
    let created = api.post("", json!({ "name": "Engineering Team", "is_privileged": true })).await;
    let id = created.body["id"].as_str().unwrap();

    let found = api.get(&format!("/{id}")).await;

    assert_eq!(found.header("etag"), Some("\"1-0\""));
    assert_eq!(found.ok(), created.body);
}

#[tokio::test]
async fn new_group_is_readable_at_once() {
    let api = Api::start().await;
    for round in 0..50 {
        let id = api.group(&format!("Group {round}")).await;
        assert_eq!(api.get(&format!("/{id}")).await.ok()["name"], json!(format!("Group {round}")));
    }
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        assert_eq!(api.get(&format!("/{id}")).await.not_found(), "the group does not exist");
    }
}
