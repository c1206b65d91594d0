use serde_json::{Value, json};

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, account, ingest, version};

#[tokio::test]
async fn a_member_is_no_member_any_more() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..2).await;
    let answer = api.delete(&format!("/{id}/members/acc-00000")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("membership-settled"), Some("true"));
    api.get(&format!("/{id}/members/acc-00000")).await.not_found();
    let members = api.get(&format!("/{id}/members")).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(1));
    assert!(api.walk("?member=acc-00000", "groups").await.is_empty());
}

#[tokio::test]
async fn who_is_no_member_is_not_found() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..1).await;
    api.accounts(&["acc-1"]).await;
    for account in ["acc-1", "acc-9", "a%20b"] {
        let answer = api.delete(&format!("/{id}/members/{account}")).await;
        assert_eq!(answer.not_found(), "the account is not a member of the group");
    }
    assert_eq!(api.delete(&format!("/{id}/members/acc-00000")).await.status, 204);
    api.delete(&format!("/{id}/members/acc-00000")).await.not_found();
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn a_member_whose_account_is_gone_can_be_removed() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..1).await;
    let gone = account("acc-00000").id;
    assert!(api.store.delete_account(&ingest(), &gone, version(2)).await.unwrap());
    assert_eq!(api.delete(&format!("/{id}/members/acc-00000")).await.status, 204);
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn who_comes_back_is_a_member_since_then() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..1).await;
    let path = format!("/{id}/members/acc-00000");
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.put(&path, Value::Null).await.status, 200);
    assert_eq!(api.get(&format!("/{id}/members")).await.ok()["count"], json!(1));
}

#[tokio::test]
async fn no_group_loses_no_members() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.delete(&format!("/{id}/members/acc-1")).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}

#[tokio::test]
async fn who_is_a_member_only_through_nested_groups_is_removed_there() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B", "C"]).await;
    api.members(&ids[2], 0..1).await;
    let answer = api.delete(&format!("/{}/members/acc-00000", ids[0])).await;
    let told = format!("the account is a member only through the nested groups {}", ids[1]);
    assert_eq!(answer.refused(409, "CONFLICT"), told);
    let body = api.patch(&format!("/{}/members", ids[0]), json!({ "remove": ["acc-00000"] })).await.ok();
    assert_eq!(body["outcomes"], json!([{ "id": "acc-00000", "outcome": "not_direct_member" }]));
    assert_eq!(api.member_types(&ids[0]).await, [("acc-00000".to_owned(), "indirect".to_owned())]);
}

#[tokio::test]
async fn who_is_inherited_as_well_stays_an_indirect_member() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B"]).await;
    api.members(&ids[1], 0..1).await;
    let path = format!("/{}/members/acc-00000", ids[0]);
    let indirect = api.get(&path).await.ok();
    let direct = api.put(&path, Value::Null).await.ok();
    assert_eq!((&direct["membership_type"], &direct["added_date"]), (&json!("direct"), &indirect["added_date"]));
    let counts = async || {
        let group = api.get(&format!("/{}", ids[0])).await.ok();
        [group["member_count"].clone(), group["direct_member_count"].clone()]
    };
    assert_eq!(counts().await, [json!(1), json!(1)]);
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.get(&path).await.ok(), indirect);
    assert_eq!(counts().await, [json!(1), json!(0)]);
    assert_eq!(api.walk("?member=acc-00000", "groups").await[0]["membership_type"], json!("indirect"));
}
