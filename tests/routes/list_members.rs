use serde_json::{Value, json};

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, numbered};

fn ids(members: &Value) -> Vec<String> {
    members.as_array().unwrap().iter().map(|member| member["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_group_has_no_members() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let expected = json!({ "members": [], "count": 0, "pageInfo": { "hasNextPage": false, "endCursor": null } });
    assert_eq!(api.get(&format!("/{id}/members")).await.ok(), expected);
}

#[tokio::test]
async fn without_a_limit_all_members_come_by_id() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..120).await;
    let members = api.get(&format!("/{id}/members")).await.ok();
    assert_eq!(ids(&members["members"]), (0..120).map(numbered).collect::<Vec<_>>());
    assert_eq!(members["count"], json!(120));
    assert_eq!(members["pageInfo"], json!({ "hasNextPage": false, "endCursor": null }));
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(120));
}

#[tokio::test]
async fn pages_of_any_size_add_up() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..30).await;
    let all: Vec<String> = (0..30).map(numbered).collect();
    for limit in [1, 2, 7, 29, 30, 31, 10_000] {
        let walked = api.walk(&format!("/{id}/members?limit={limit}"), "members").await;
        assert_eq!(ids(&json!(walked)), all, "limit {limit}");
        let page = api.get(&format!("/{id}/members?limit={limit}")).await.ok();
        assert_eq!(page["count"], json!(30), "the count is of all pages");
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(limit < 30));
    }
}

#[tokio::test]
async fn more_than_a_megabyte_and_past_ten_thousand() {
    let api = Api::start().await;
    let id = api.group("Everyone").await;
    api.members(&id, 0..10_003).await;
    let path = format!("/{id}/members");
    let first = api.get(&path).await.ok();
    assert_eq!(first["members"].as_array().unwrap().len(), 10_000);
    assert_eq!((&first["count"], &first["pageInfo"]["hasNextPage"]), (&json!(10_003), &json!(true)));
    assert_eq!(ids(&json!(api.walk(&path, "members").await)), (0..10_003).map(numbered).collect::<Vec<_>>());
}

#[tokio::test]
async fn members_can_be_asked_for_by_type() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..5).await;
    let direct = api.get(&format!("/{id}/members?membership_type=direct&limit=2")).await.ok();
    assert_eq!((direct["members"].as_array().unwrap().len(), &direct["count"]), (2, &json!(5)));
    let walked = api.walk(&format!("/{id}/members?membership_type=direct&limit=2"), "members").await;
    assert_eq!(walked.len(), 5);
    let indirect = api.get(&format!("/{id}/members?membership_type=indirect")).await.ok();
    assert_eq!((&indirect["members"], &indirect["count"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_walk_survives_members_that_come_and_go() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.members(&id, 0..20).await;
    let page = api.get(&format!("/{id}/members?limit=10")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    // The member that the cursor stands on leaves, one before it comes, the next one leaves.
    api.delete(&format!("/{id}/members/{}", numbered(9))).await;
    api.accounts(&["acc-"]).await;
    api.put(&format!("/{id}/members/acc-"), Value::Null).await.ok();
    api.delete(&format!("/{id}/members/{}", numbered(10))).await;
    let rest = api.get(&format!("/{id}/members?limit=10&after={after}")).await.ok();
    assert_eq!(ids(&rest["members"]), (11..20).map(numbered).collect::<Vec<_>>());
    assert_eq!(rest["count"], json!(19));
}

#[tokio::test]
async fn parameters_are_checked_all_at_once() {
    let api = Api::start().await;
    let id = api.group("A").await;
    for (limit, reason) in [
        ("0", "is less than 1"),
        ("10001", "is more than the maximum"),
        ("99999999999999999999", "is more than the maximum"),
        ("-1", "is not a whole number"),
        ("1.5", "is not a whole number"),
        ("", "is not a whole number"),
        ("%2B5", "is not a whole number"),
        ("%D9%A1", "is not a whole number"),
    ] {
        let faults = api.get(&format!("/{id}/members?limit={limit}")).await.faults();
        assert_eq!(faults, [("limit".to_owned(), reason.to_owned())], "{limit}");
    }
    let faults = api.get(&format!("/{id}/members?limit=0&membership_type=Direct&x=1&x=2")).await.faults();
    let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["x", "limit", "membership_type", "x"]);
}

#[tokio::test]
async fn no_group_has_no_members() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        api.get(&format!("/{id}/members")).await.not_found();
        api.get(&format!("/{id}/members?limit=1&membership_type=direct")).await.not_found();
    }
}
