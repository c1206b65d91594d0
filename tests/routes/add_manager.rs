use serde_json::{Value, json};

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, numbered};

#[tokio::test]
async fn account_or_group_becomes_a_manager_once() {
    let api = Api::start().await;
    let (group, leads) = (api.group("Team").await, api.group("Leads").await);
    api.accounts(&["acc-1"]).await;
    let account = api.put(&format!("/{group}/managers/acc-1"), Value::Null).await.ok();
    assert_eq!(account["added_at"], api.get(&format!("/{group}/managers/acc-1")).await.ok()["added_at"]);
    let expected = json!({
        "id": "acc-1", "type": "account", "name": "name.of.acc-1", "added_at": account["added_at"], "added_by": "alice",
    });
    assert_eq!(account, expected);
    assert_eq!(api.put(&format!("/{group}/managers/acc-1"), json!({})).await.ok(), expected);
    let leads = api.put(&format!("/{group}/managers/{}", leads.to_uppercase()), Value::Null).await.ok();
    assert_eq!((&leads["type"], &leads["name"]), (&json!("group"), &json!("Leads")));
    assert_eq!(api.get(&format!("/{group}/managers")).await.ok()["managers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn unknown_groups_and_managers_are_404() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{NO_GROUP}/managers/acc-1"), Value::Null).await.not_found();
    let unknown = api.put(&format!("/{group}/managers/acc-2"), Value::Null).await;
    assert_eq!(unknown.not_found(), "the account acc-2 does not exist");
    let unknown = api.put(&format!("/{group}/managers/{NO_GROUP}"), Value::Null).await;
    assert_eq!(unknown.not_found(), format!("the group {NO_GROUP}, which should manage it, does not exist"));
    for impossible in IMPOSSIBLE_GROUPS {
        api.put(&format!("/{impossible}/managers/acc-1"), Value::Null).await.not_found();
    }
    assert_eq!(api.get(&format!("/{group}/managers")).await.ok(), json!({ "managers": [] }));
}

#[tokio::test]
async fn group_has_at_most_a_hundred_managers() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.numbered_accounts(0..101).await;
    for number in 0..100 {
        api.put(&format!("/{group}/managers/{}", numbered(number)), Value::Null).await.ok();
    }
    let refused = api.put(&format!("/{group}/managers/{}", numbered(100)), Value::Null).await;
    assert_eq!(refused.refused(409, "CONFLICT"), "a group has at most 100 managers; a group can be one");
    api.put(&format!("/{group}/managers/{}", numbered(99)), Value::Null).await.ok();
    assert_eq!(api.get(&format!("/{group}/managers")).await.ok()["managers"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn concurrent_managers_are_all_added() {
    let api = &Api::start().await;
    let group = &api.group("Team").await;
    api.numbered_accounts(0..8).await;
    let add = (0..8).map(|number| async move {
        api.put(&format!("/{group}/managers/{}", numbered(number)), Value::Null).await.ok();
    });
    futures::future::join_all(add).await;
    assert_eq!(api.get(&format!("/{group}/managers")).await.ok()["managers"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn body_and_query_must_be_empty() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    api.accounts(&["acc-1"]).await;
    let path = format!("/{group}/managers/acc-1");
    assert_eq!(api.put(&path, json!({ "role": "owner" })).await.field_errors()[0].0, "role");
    assert_eq!(api.put(&format!("{path}?dry_run=true"), json!({})).await.field_errors()[0].0, "dry_run");
    api.get(&path).await.not_found();
}
