use serde_json::{Value, json};

use crate::harness::{Api, NO_GROUP};

#[tokio::test]
async fn manager_is_returned_as_it_was_added() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.accounts(&["acc-1"]).await;
    let added = api.put(&format!("/{group}/managers/acc-1"), Value::Null).await.ok();
    assert_eq!(api.get(&format!("/{group}/managers/acc-1")).await.ok(), added);
    assert_eq!(added["added_by"], json!("alice"));
}

#[tokio::test]
async fn unknown_groups_and_managers_are_404() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.get(&format!("/{NO_GROUP}/managers/acc-1")).await.not_found();
    for id in ["acc-1", NO_GROUP, "%20"] {
        let answer = api.get(&format!("/{group}/managers/{id}")).await;
        assert_eq!(answer.not_found(), "it is not a manager of the group");
    }
}
