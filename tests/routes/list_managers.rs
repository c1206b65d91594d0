use serde_json::{Value, json};
use shared::domain::AccountId;

use crate::harness::{Api, NO_GROUP, event_source, version};

#[tokio::test]
async fn managers_are_listed_by_id_and_deleted_ones_without_a_name() {
    let api = Api::start().await;
    let (group, leads) = (api.group("Team").await, api.group("Leads").await);
    api.accounts(&["acc-1", "acc-2"]).await;
    for id in ["acc-2", &leads, "acc-1"] {
        api.put(&format!("/{group}/managers/{id}"), Value::Null).await.ok();
    }
    api.store.delete_account(&event_source(), &AccountId::parse("acc-1").unwrap(), version(2)).await.unwrap();
    assert_eq!(api.delete(&format!("/{leads}")).await.status, 204);
    let managers = api.get(&format!("/{group}/managers")).await.ok()["managers"].take();
    let shown: Vec<_> =
        managers.as_array().unwrap().iter().map(|it| (it["id"].as_str().unwrap(), it.get("name").cloned())).collect();
    assert_eq!(shown, [("acc-1", None), ("acc-2", Some(json!("name.of.acc-2"))), (leads.as_str(), None)]);
}

#[tokio::test]
async fn unknown_group_is_404_and_unknown_parameter_400() {
    let api = Api::start().await;
    api.get(&format!("/{NO_GROUP}/managers")).await.not_found();
    let group = api.group("Team").await;
    assert_eq!(api.get(&format!("/{group}/managers?limit=1")).await.field_errors()[0].0, "limit");
}
