use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::{Api, percent_encoded};

const PATH: &str = "/api/v1/accounts/acc-1/groups";

/// An account that was added to "child", nested in "Parent" and "alpha", and to "Both", nested in "Parent" too.
struct Company {
    alpha: String,
    both: String,
    child: String,
    parent: String,
}

impl Company {
    async fn create(api: &Api) -> Self {
        api.accounts(&["acc-1"]).await;
        let [parent, child] = chain(api, ["Parent", "child"]).await;
        let [alpha, both, _] = groups(api, ["alpha", "Both", "Other"]).await;
        api.nest(&alpha, &child).await;
        api.nest(&parent, &both).await;
        for group in [&child, &both] {
            api.put(&format!("/{group}/members/acc-1"), Value::Null).await.ok();
        }
        Self { alpha, both, child, parent }
    }
}

#[tokio::test]
async fn groups_are_listed_by_name_with_the_nested_groups_they_come_through() {
    let api = Api::start().await;
    let Company { alpha, both, child, parent } = Company::create(&api).await;
    for limit in 1..=5 {
        let found = api.all_items(&format!("{PATH}?limit={limit}"), "groups").await;
        let summary: Vec<Value> =
            found.iter().map(|group| json!([group["name"], group["membership_type"], group["via"]])).collect();
        let mut through_both = [&both, &child];
        through_both.sort();
        let expected = [
            json!(["alpha", "indirect", [child]]),
            json!(["Both", "direct", null]),
            json!(["child", "direct", null]),
            json!(["Parent", "indirect", through_both]),
        ];
        assert_eq!(summary, expected);
    }
    let listed = api.all_items(PATH, "groups").await;
    let ids: Vec<&str> = listed.iter().map(|group| group["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&alpha, &both, &child, &parent]);
    for kind in ["direct", "indirect"] {
        let path = format!("{PATH}?limit=1&membership_type={kind}");
        let of_kind: Vec<&Value> = listed.iter().filter(|group| group["membership_type"] == kind).collect();
        assert_eq!(api.all_items(&path, "groups").await.iter().collect::<Vec<_>>(), of_kind);
    }
}

#[tokio::test]
async fn ids_alone_are_listed_by_id() {
    let api = Api::start().await;
    let company = Company::create(&api).await;
    let mut all = [&company.alpha, &company.both, &company.child, &company.parent];
    all.sort();
    let mut direct = [&company.both, &company.child];
    direct.sort();
    let (all, direct) = (json!(all), json!(direct));
    for limit in 1..=5 {
        assert_eq!(
            api.all_items(&format!("{PATH}?fields=id&limit={limit}"), "group_ids").await,
            *all.as_array().unwrap()
        );
        let path = format!("{PATH}?fields=id&membership_type=direct&limit={limit}");
        assert_eq!(api.all_items(&path, "group_ids").await, *direct.as_array().unwrap());
    }
    let all_together = api.get(&format!("{PATH}?fields=id")).await.ok();
    assert_eq!(all_together["group_ids"], all);
    assert_eq!(all_together["groups"], Value::Null);
}

#[tokio::test]
async fn deleted_group_is_not_listed() {
    let api = Api::start().await;
    let company = Company::create(&api).await;
    assert_eq!(api.delete(&format!("/{}", company.child)).await.status, 204);
    for (query, items) in [("", "groups"), ("?fields=id", "group_ids")] {
        assert_eq!(api.all_items(&format!("{PATH}{query}"), items).await.len(), 2);
    }
}

#[tokio::test]
async fn account_without_groups_has_an_empty_page() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let end = json!({ "hasNextPage": false, "endCursor": null });
    assert_eq!(api.get(PATH).await.ok(), json!({ "groups": [], "pageInfo": end }));
    assert_eq!(api.get(&format!("{PATH}?fields=id")).await.ok(), json!({ "group_ids": [], "pageInfo": end }));
}

#[tokio::test]
async fn invalid_parameters_foreign_cursors_and_unknown_accounts_are_refused() {
    let api = Api::start().await;
    Company::create(&api).await;
    let after = |page: Value| percent_encoded(page["pageInfo"]["endCursor"].as_str().unwrap());
    let of_all = after(api.get(&format!("{PATH}?limit=1")).await.ok());
    let of_ids = after(api.get(&format!("{PATH}?limit=1&fields=id")).await.ok());
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("fields=id&limit=10001", "limit"),
        ("fields=name", "fields"),
        ("membership_type=both", "membership_type"),
        ("name=x", "name"),
        (&format!("after={of_ids}"), "after"),
        (&format!("fields=id&after={of_all}"), "after"),
        (&format!("membership_type=direct&after={of_all}"), "after"),
    ] {
        assert_eq!(api.get(&format!("{PATH}?{query}")).await.field_errors()[0].0, field, "{query}");
    }
    // The list by `?member=` is the same list.
    api.get(&format!("?member=acc-1&after={of_all}")).await.ok();
    for query in ["", "?fields=id", "?fields=id&limit=1"] {
        let answer = api.get(&format!("/api/v1/accounts/acc-9/groups{query}")).await;
        assert_eq!(answer.not_found(), "the account acc-9 does not exist");
    }
}
