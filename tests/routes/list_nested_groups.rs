use serde_json::{Value, json};

use super::chain;
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

fn names(groups: &[Value]) -> Vec<&str> {
    groups.iter().map(|group| group["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn directly_nested_groups_are_paged_by_name() {
    let api = Api::start().await;
    let parent = api.group("Parent").await;
    for name in ["gamma", "Beta", "alpha", "delta"] {
        let child = api.group(name).await;
        api.nest(&parent, &child).await;
    }
    let grandchild = api.group("Grandchild").await;
    let beta = api.get("?search=beta").await.ok()["groups"][0]["id"].as_str().unwrap().to_owned();
    api.nest(&beta, &grandchild).await;

    let path = format!("/{parent}/groups");
    for limit in 1..=5 {
        let groups = api.all_items(&format!("{path}?limit={limit}"), "groups").await;
        assert_eq!(names(&groups), ["alpha", "Beta", "delta", "gamma"]);
    }
    let groups = api.all_items(&path, "groups").await;
    assert_eq!(groups[1], api.get(&format!("/{beta}")).await.ok());
}

#[tokio::test]
async fn group_without_nested_groups_has_an_empty_page() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..2).await;
    let page = api.get(&format!("/{engineering}/groups")).await.ok();
    assert_eq!(page, json!({ "groups": [], "pageInfo": { "hasNextPage": false, "endCursor": null } }));
}

#[tokio::test]
async fn deleted_nested_group_is_not_listed() {
    let api = Api::start().await;
    let [parent, child] = chain(&api, ["Parent", "Child"]).await;
    assert_eq!(api.delete(&format!("/{child}")).await.status, 204);
    assert!(api.all_items(&format!("/{parent}/groups"), "groups").await.is_empty());
}

#[tokio::test]
async fn invalid_parameters_foreign_cursors_and_unknown_groups_are_refused() {
    let api = Api::start().await;
    let [parent, child] = chain(&api, ["Parent", "Child"]).await;
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after"), ("name=x", "name")] {
        let errors = api.get(&format!("/{parent}/groups?{query}")).await.field_errors();
        assert_eq!(errors[0].0, field);
    }
    // A cursor belongs to the list of one group.
    let second_child = api.group("Second child").await;
    api.nest(&parent, &second_child).await;
    let page = api.get(&format!("/{parent}/groups?limit=1")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    assert_eq!(api.get(&format!("/{child}/groups?after={after}")).await.field_errors()[0].0, "after");
    assert_eq!(api.get(&format!("?after={after}")).await.field_errors()[0].0, "after");
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        assert_eq!(api.get(&format!("/{id}/groups")).await.not_found(), "the group does not exist");
    }
}
