use serde_json::{Value, json};

use super::chain;
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, account, event_source, version};

#[tokio::test]
async fn removed_member_disappears_from_every_list() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..2).await;

    let answer = api.delete(&format!("/{engineering}/members/acc-00000")).await;

    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("membership-settled"), Some("true"));
    api.get(&format!("/{engineering}/members/acc-00000")).await.not_found();
    let members = api.get(&format!("/{engineering}/members")).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(1));
    assert!(api.all_items("?member=acc-00000", "groups").await.is_empty());
}

#[tokio::test]
async fn account_that_is_not_a_member_is_404() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..1).await;
    api.accounts(&["acc-1"]).await;
    for account in ["acc-1", "acc-9", "a%20b"] {
        let answer = api.delete(&format!("/{engineering}/members/{account}")).await;
        assert_eq!(answer.not_found(), "the account is not a member of the group");
    }
    assert_eq!(api.delete(&format!("/{engineering}/members/acc-00000")).await.status, 204);
    api.delete(&format!("/{engineering}/members/acc-00000")).await.not_found();
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn member_with_a_deleted_account_can_be_removed() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..1).await;
    let deleted = account("acc-00000").id;
    assert!(api.store.delete_account(&event_source(), &deleted, version(2)).await.unwrap());

    assert_eq!(api.delete(&format!("/{engineering}/members/acc-00000")).await.status, 204);

    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn removed_member_can_be_added_again() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..1).await;
    let member = format!("/{engineering}/members/acc-00000");

    assert_eq!(api.delete(&member).await.status, 204);
    assert_eq!(api.put(&member, Value::Null).await.status, 200);

    assert_eq!(api.get(&format!("/{engineering}/members")).await.ok()["count"], json!(1));
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.delete(&format!("/{id}/members/acc-1")).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}

#[tokio::test]
async fn indirect_member_is_a_conflict_that_names_the_nested_groups() {
    let api = Api::start().await;
    let [company, engineering, backend] = chain(&api, ["Company", "Engineering", "Backend"]).await;
    api.members(&backend, 0..1).await;

    let answer = api.delete(&format!("/{company}/members/acc-00000")).await;

    let message = format!(
        "the account is a member only through the nested groups {engineering}; remove it from these, or remove these from \
         the group"
    );
    assert_eq!(answer.refused(409, "CONFLICT"), message);
    let body = api.patch(&format!("/{company}/members"), json!({ "remove": ["acc-00000"] })).await.ok();
    assert_eq!(body["outcomes"], json!([{ "id": "acc-00000", "outcome": "not_direct_member" }]));
    assert_eq!(api.member_types(&company).await, [("acc-00000".to_owned(), "indirect".to_owned())]);
}

#[tokio::test]
async fn removed_direct_member_who_also_inherits_stays_an_indirect_member() {
    let api = Api::start().await;
    let [engineering, backend] = chain(&api, ["Engineering", "Backend"]).await;
    api.members(&backend, 0..1).await;
    let member = format!("/{engineering}/members/acc-00000");
    let counts = async || {
        let group = api.get(&format!("/{engineering}")).await.ok();
        [group["member_count"].clone(), group["direct_member_count"].clone()]
    };

    let indirect = api.get(&member).await.ok();
    let direct = api.put(&member, Value::Null).await.ok();
    assert_eq!((&direct["membership_type"], &direct["added_date"]), (&json!("direct"), &indirect["added_date"]));
    assert_eq!(counts().await, [json!(1), json!(1)]);
    assert_eq!(api.delete(&member).await.status, 204);
    assert_eq!(api.get(&member).await.ok(), indirect);
    assert_eq!(counts().await, [json!(1), json!(0)]);
    let groups = api.all_items("?member=acc-00000", "groups").await;
    let listed = groups.iter().find(|group| group["id"] == json!(engineering)).unwrap();
    assert_eq!(listed["membership_type"], json!("indirect"));
}
