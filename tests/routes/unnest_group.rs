use serde_json::json;

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn who_came_through_the_group_goes_and_others_stay() {
    let api = Api::start().await;
    let ids = api.chain(&["Top", "Middle", "Bottom"]).await;
    api.members(&ids[2], 0..40).await;
    api.members(&ids[1], 30..50).await;
    let answer = api.delete(&format!("/{}/groups/{}", ids[1], ids[2])).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    assert_eq!(answer.text, "");
    for (group, count, nested) in [(0, 20, 1), (1, 20, 0), (2, 40, 0)] {
        assert_eq!(api.member_types(&ids[group]).await.len(), count);
        let group = api.get(&format!("/{}", ids[group])).await.ok();
        assert_eq!((&group["member_count"], &group["nested_group_count"]), (&json!(count), &json!(nested)));
    }
    assert_eq!(api.walk("?member=acc-00000", "groups").await.len(), 1);
}

#[tokio::test]
async fn a_group_that_is_nested_again_is_nested_anew() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B"]).await;
    api.members(&ids[1], 0..3).await;
    for _ in 0..3 {
        assert_eq!(api.delete(&format!("/{}/groups/{}", ids[0], ids[1])).await.status, 204);
        assert_eq!(api.member_types(&ids[0]).await, []);
        api.nest(&ids[0], &ids[1]).await;
        assert_eq!(api.member_types(&ids[0]).await.len(), 3);
    }
}

#[tokio::test]
async fn what_is_not_nested_directly_is_not_found() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B", "C"]).await;
    for (parent, child) in [(0, 2), (1, 0), (0, 0)] {
        let answer = api.delete(&format!("/{}/groups/{}", ids[parent], ids[child])).await;
        assert_eq!(answer.not_found(), "the group is not nested directly in the group");
    }
    assert_eq!(api.delete(&format!("/{}/groups/{}", ids[0], ids[1])).await.status, 204);
    api.delete(&format!("/{}/groups/{}", ids[0], ids[1])).await.not_found();
    for other in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.delete(&format!("/{other}/groups/{}", ids[0])).await;
        assert_eq!(answer.not_found(), "the group does not exist");
        let answer = api.delete(&format!("/{}/groups/{other}", ids[0])).await;
        assert_eq!(answer.not_found(), "the group is not nested directly in the group");
    }
}
