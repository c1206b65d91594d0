use serde_json::json;

use super::chain;
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn removes_members_inherited_through_the_edge_and_keeps_the_others() {
    let api = Api::start().await;
    let [company, engineering, backend] = chain(&api, ["Company", "Engineering", "Backend"]).await;
    api.members(&backend, 0..40).await;
    api.members(&engineering, 30..50).await;

    let answer = api.delete(&format!("/{engineering}/groups/{backend}")).await;

    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    assert_eq!(answer.text, "");
    for (group, members, nested) in [(&company, 20, 1), (&engineering, 20, 0), (&backend, 40, 0)] {
        assert_eq!(api.member_types(group).await.len(), members);
        let group = api.get(&format!("/{group}")).await.ok();
        assert_eq!((&group["member_count"], &group["nested_group_count"]), (&json!(members), &json!(nested)));
    }
    assert_eq!(api.all_items("?member=acc-00000", "groups").await.len(), 1);
}

#[tokio::test]
async fn group_can_be_unnested_and_nested_repeatedly() {
    let api = Api::start().await;
    let [engineering, backend] = chain(&api, ["Engineering", "Backend"]).await;
    api.members(&backend, 0..3).await;
    for _ in 0..3 {
        assert_eq!(api.delete(&format!("/{engineering}/groups/{backend}")).await.status, 204);
        assert_eq!(api.member_types(&engineering).await, []);
        api.nest(&engineering, &backend).await;
        assert_eq!(api.member_types(&engineering).await.len(), 3);
    }
}

#[tokio::test]
async fn group_that_is_not_directly_nested_is_404() {
    let api = Api::start().await;
    let [company, engineering, backend] = chain(&api, ["Company", "Engineering", "Backend"]).await;
    for (parent, child) in [(&company, &backend), (&engineering, &company), (&company, &company)] {
        let answer = api.delete(&format!("/{parent}/groups/{child}")).await;
        assert_eq!(answer.not_found(), "the group is not nested directly in the group");
    }
    assert_eq!(api.delete(&format!("/{company}/groups/{engineering}")).await.status, 204);
    api.delete(&format!("/{company}/groups/{engineering}")).await.not_found();
    for unknown in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.delete(&format!("/{unknown}/groups/{company}")).await;
        assert_eq!(answer.not_found(), "the group does not exist");
        let answer = api.delete(&format!("/{company}/groups/{unknown}")).await;
        assert_eq!(answer.not_found(), "the group is not nested directly in the group");
    }
}
