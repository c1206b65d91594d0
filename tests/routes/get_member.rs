use serde_json::json;

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn returns_the_member_as_the_list_shows_it() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;

    let added = api.put(&format!("/{engineering}/members/acc-1"), json!(null)).await.ok();

    assert_eq!(api.get(&format!("/{engineering}/members/acc-1")).await.ok(), added);
    assert_eq!(api.get(&format!("/{engineering}/members")).await.ok()["members"], json!([added]));
}

#[tokio::test]
async fn account_that_is_not_a_member_is_404() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;
    let message = "the account is not a member of the group";
    for account in ["acc-1", "acc-9", &"a".repeat(129), "a%20b", "a%2Fb"] {
        assert_eq!(api.get(&format!("/{engineering}/members/{account}")).await.not_found(), message, "{account}");
    }
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.get(&format!("/{id}/members/acc-1")).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}
