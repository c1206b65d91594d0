use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP};

async fn names_and_distances(api: &Api, path: &str) -> Vec<Value> {
    let found = api.all_items(path, "groups").await;
    found.iter().map(|group| json!([group["name"], group["distance"]])).collect()
}

#[tokio::test]
async fn ancestors_are_listed_by_name_each_with_its_shortest_distance() {
    let api = Api::start().await;
    let [top, middle, bottom] = chain(&api, ["top", "Middle", "Bottom"]).await;
    let [side] = groups(&api, ["side"]).await;
    api.nest(&top, &side).await;
    api.nest(&side, &bottom).await;
    // A second, longer way to the top.
    api.nest(&middle, &side).await;
    let path = format!("/{bottom}/parents");
    for limit in 1..=4 {
        let parents = names_and_distances(&api, &format!("{path}?limit={limit}")).await;
        assert_eq!(parents, [json!(["Middle", 1]), json!(["side", 1])]);
        let all = names_and_distances(&api, &format!("{path}?transitive=true&limit={limit}")).await;
        assert_eq!(all, [json!(["Middle", 1]), json!(["side", 1]), json!(["top", 2])]);
    }
    assert_eq!(names_and_distances(&api, &format!("{path}?transitive=false")).await.len(), 2);
    assert_eq!(names_and_distances(&api, &format!("/{top}/parents?transitive=true")).await, [json!(null); 0]);
}

#[tokio::test]
async fn deleted_group_contains_nothing() {
    let api = Api::start().await;
    let [_, middle, bottom] = chain(&api, ["Top", "Middle", "Bottom"]).await;
    assert_eq!(api.delete(&format!("/{middle}")).await.status, 204);
    assert_eq!(names_and_distances(&api, &format!("/{bottom}/parents?transitive=true")).await, [json!(null); 0]);
}

#[tokio::test]
async fn invalid_parameters_foreign_cursors_and_unknown_groups_are_refused() {
    let api = Api::start().await;
    let [top, middle, bottom] = chain(&api, ["Top", "Middle", "Bottom"]).await;
    api.nest(&top, &bottom).await;
    let page = api.get(&format!("/{bottom}/parents?transitive=true&limit=1")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("transitive=yes", "transitive"),
        ("after=x", "after"),
        (&format!("after={after}"), "after"),
        ("depth=1", "depth"),
    ] {
        assert_eq!(api.get(&format!("/{bottom}/parents?{query}")).await.field_errors()[0].0, field);
    }
    let of_another = format!("/{middle}/parents?transitive=true&after={after}");
    assert_eq!(api.get(&of_another).await.field_errors()[0].0, "after");
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        assert_eq!(api.get(&format!("/{id}/parents")).await.not_found(), "the group does not exist");
    }
}
