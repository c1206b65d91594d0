use serde_json::{Value, json};

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

fn names(groups: &[Value]) -> Vec<&str> {
    groups.iter().map(|group| group["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn directly_nested_groups_come_by_name_a_page_at_a_time() {
    let api = Api::start().await;
    let parent = api.group("Parent").await;
    for name in ["gamma", "Beta", "alpha", "delta"] {
        let child = api.group(name).await;
        api.nest(&parent, &child).await;
    }
    let below = api.group("Below").await;
    let beta = api.get("?search=beta").await.ok()["groups"][0]["id"].as_str().unwrap().to_owned();
    api.nest(&beta, &below).await;
    let path = format!("/{parent}/groups");
    for limit in 1..=5 {
        let groups = api.walk(&format!("{path}?limit={limit}"), "groups").await;
        assert_eq!(names(&groups), ["alpha", "Beta", "delta", "gamma"]);
    }
    let groups = api.walk(&path, "groups").await;
    assert_eq!(groups[1], api.get(&format!("/{beta}")).await.ok());
}

#[tokio::test]
async fn a_group_without_nested_groups_has_an_empty_page() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..2).await;
    let page = api.get(&format!("/{id}/groups")).await.ok();
    assert_eq!(page, json!({ "groups": [], "pageInfo": { "hasNextPage": false, "endCursor": null } }));
}

#[tokio::test]
async fn a_nested_group_that_is_deleted_is_not_listed() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B"]).await;
    assert_eq!(api.delete(&format!("/{}", ids[1])).await.status, 204);
    assert!(api.walk(&format!("/{}/groups", ids[0]), "groups").await.is_empty());
}

#[tokio::test]
async fn parameters_are_checked() {
    let api = Api::start().await;
    let ids = api.chain(&["A", "B"]).await;
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after"), ("name=x", "name")] {
        let faults = api.get(&format!("/{}/groups?{query}", ids[0])).await.faults();
        assert_eq!(faults[0].0, field);
    }
    // A cursor belongs to the list of one group.
    let third = api.group("C").await;
    api.nest(&ids[0], &third).await;
    let page = api.get(&format!("/{}/groups?limit=1", ids[0])).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    assert_eq!(api.get(&format!("/{}/groups?after={after}", ids[1])).await.faults()[0].0, "after");
    assert_eq!(api.get(&format!("?after={after}")).await.faults()[0].0, "after");
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        assert_eq!(api.get(&format!("/{id}/groups")).await.not_found(), "the group does not exist");
    }
}
