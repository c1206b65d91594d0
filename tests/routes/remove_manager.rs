use serde_json::{Value, json};

use crate::harness::{Api, NO_GROUP};

#[tokio::test]
async fn removed_manager_is_gone_and_can_be_added_again() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.accounts(&["acc-1", "acc-2"]).await;
    for id in ["acc-1", "acc-2"] {
        api.put(&format!("/{group}/managers/{id}"), Value::Null).await.ok();
    }
    let path = format!("/{group}/managers/acc-1");
    assert_eq!(api.delete(&path).await.status, 204);
    api.get(&path).await.not_found();
    assert_eq!(api.delete(&path).await.not_found(), "it is not a manager of the group");
    assert_eq!(api.get(&format!("/{group}/managers")).await.ok()["managers"][0]["id"], json!("acc-2"));
    api.put(&path, Value::Null).await.ok();
}

#[tokio::test]
async fn unknown_group_is_404_and_unknown_parameter_400() {
    let api = Api::start().await;
    api.delete(&format!("/{NO_GROUP}/managers/acc-1")).await.not_found();
    let group = api.group("Team").await;
    assert_eq!(api.delete(&format!("/{group}/managers/acc-1?dry_run=true")).await.field_errors()[0].0, "dry_run");
}
