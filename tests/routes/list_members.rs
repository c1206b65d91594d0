use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::domain::{Account, AccountId, EdgeId, GroupId};
use shared::store::client_for;
use shared::store::keys::Key;

use crate::harness::{Api, IMPOSSIBLE_GROUPS, NO_GROUP, account, event_source, is_embedded, numbered, version};

fn ids(members: &Value) -> Vec<String> {
    members.as_array().unwrap().iter().map(|member| member["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn empty_group_has_an_empty_page() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let expected = json!({ "members": [], "count": 0, "pageInfo": { "hasNextPage": false, "endCursor": null } });
    assert_eq!(api.get(&format!("/{engineering}/members")).await.ok(), expected);
}

#[tokio::test]
async fn without_a_limit_all_members_are_listed_by_id() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..120).await;

    let page = api.get(&format!("/{engineering}/members")).await.ok();

    assert_eq!(ids(&page["members"]), (0..120).map(numbered).collect::<Vec<_>>());
    assert_eq!(page["count"], json!(120));
    assert_eq!(page["pageInfo"], json!({ "hasNextPage": false, "endCursor": null }));
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(120));
}

#[tokio::test]
async fn pages_of_any_size_add_up() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..30).await;
    let all: Vec<String> = (0..30).map(numbered).collect();
    for limit in [1, 2, 7, 29, 30, 31, 10_000] {
        let path = format!("/{engineering}/members?limit={limit}");
        let listed = api.all_items(&path, "members").await;
        assert_eq!(ids(&json!(listed)), all, "limit {limit}");
        let page = api.get(&path).await.ok();
        assert_eq!(page["count"], json!(30), "the count is of all pages");
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(limit < 30));
    }
}

#[tokio::test]
async fn lists_beyond_one_megabyte_and_ten_thousand_members() {
    let api = Api::start().await;
    let everyone = api.group("Everyone").await;
    api.members(&everyone, 0..10_003).await;
    let path = format!("/{everyone}/members");

    let first = api.get(&path).await.ok();

    assert_eq!(first["members"].as_array().unwrap().len(), 10_000);
    assert_eq!((&first["count"], &first["pageInfo"]["hasNextPage"]), (&json!(10_003), &json!(true)));
    assert_eq!(ids(&json!(api.all_items(&path, "members").await)), (0..10_003).map(numbered).collect::<Vec<_>>());
}

#[tokio::test]
async fn members_are_filtered_by_type() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..5).await;
    let direct_members = format!("/{engineering}/members?membership_type=direct&limit=2");

    let direct = api.get(&direct_members).await.ok();
    assert_eq!((direct["members"].as_array().unwrap().len(), &direct["count"]), (2, &json!(5)));
    assert_eq!(api.all_items(&direct_members, "members").await.len(), 5);
    let indirect = api.get(&format!("/{engineering}/members?membership_type=indirect")).await.ok();
    assert_eq!((&indirect["members"], &indirect["count"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn members_are_selected_by_status_and_by_the_beginnings_of_words() {
    let api = Api::start().await;
    let [parent, child] = super::chain(&api, ["Parent", "Child"]).await;
    for (id, name, status, group) in [
        ("acc-1", "Jane Smith", "active", &parent),
        ("acc-2", "John Smith", "suspended", &child),
        ("acc-3", "Smilla Jensen", "active", &child),
        ("acc-4", "Bo", "active", &child),
    ] {
        let account = Account { name: name.into(), status: status.into(), ..account(id) };
        api.store.put_account(&event_source(), &account).await.unwrap();
        api.put(&format!("/{group}/members/{id}"), Value::Null).await.ok();
    }
    for (query, expected) in [
        ("search=smi", vec!["acc-1", "acc-2", "acc-3"]),
        ("search=j+smi", vec!["acc-1", "acc-2", "acc-3"]),
        ("search=SMITH&status=active", vec!["acc-1"]),
        ("status=suspended", vec!["acc-2"]),
        ("status=active&membership_type=indirect", vec!["acc-3", "acc-4"]),
        ("search=smi&membership_type=indirect", vec!["acc-2", "acc-3"]),
        ("search=mith", vec![]),
        ("search=", vec!["acc-1", "acc-2", "acc-3", "acc-4"]),
    ] {
        for limit in [1, 2, 100] {
            let found = api.all_items(&format!("/{parent}/members?{query}&limit={limit}"), "members").await;
            assert_eq!(ids(&json!(found)), expected, "{query}");
        }
        let count = if query.contains("indirect") { 3 } else { 4 };
        assert_eq!(api.get(&format!("/{parent}/members?{query}")).await.ok()["count"], count);
    }
    let page = api.get(&format!("/{parent}/members?search=smi&limit=1")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    for query in ["", "search=smit&", "search=smi&status=active&"] {
        let answer = api.get(&format!("/{parent}/members?{query}after={after}")).await;
        assert_eq!(answer.field_errors()[0].0, "after");
    }
    let answer = api.get(&format!("/{NO_GROUP}/members?search=a")).await;
    assert_eq!(answer.not_found(), "the group does not exist");
}

#[tokio::test]
async fn paging_continues_while_members_come_and_go() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.members(&engineering, 0..20).await;
    let first = api.get(&format!("/{engineering}/members?limit=10")).await.ok();
    let after = first["pageInfo"]["endCursor"].as_str().unwrap();

    // The last member of the first page leaves, one with a smaller id joins, the next member leaves.
    api.delete(&format!("/{engineering}/members/{}", numbered(9))).await;
    api.accounts(&["acc-"]).await;
    api.put(&format!("/{engineering}/members/acc-"), Value::Null).await.ok();
    api.delete(&format!("/{engineering}/members/{}", numbered(10))).await;

    let second = api.get(&format!("/{engineering}/members?limit=10&after={after}")).await.ok();
    assert_eq!(ids(&second["members"]), (11..20).map(numbered).collect::<Vec<_>>());
    assert_eq!(second["count"], json!(19));
}

#[tokio::test]
async fn all_invalid_parameters_are_reported_at_once() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    for (limit, reason) in [
        ("0", "is less than 1"),
        ("10001", "is more than 10000"),
        ("99999999999999999999", "is more than 10000"),
        ("-1", "is not a whole number"),
        ("1.5", "is not a whole number"),
        ("", "is not a whole number"),
        ("%2B5", "is not a whole number"),
        ("%D9%A1", "is not a whole number"),
    ] {
        let errors = api.get(&format!("/{engineering}/members?limit={limit}")).await.field_errors();
        assert_eq!(errors, [("limit".to_owned(), reason.to_owned())], "{limit}");
    }
    let errors =
        api.get(&format!("/{engineering}/members?limit=0&membership_type=Direct&x=1&x=2")).await.field_errors();
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["x", "limit", "membership_type", "x"]);
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        api.get(&format!("/{id}/members")).await.not_found();
        api.get(&format!("/{id}/members?limit=1&membership_type=direct")).await.not_found();
    }
}

/// Members with so many edges that three fill a megabyte: a page stops while it reads, and so does one of a type that no
/// member has.
#[tokio::test]
async fn page_stops_reading_at_its_bounds() {
    if !is_embedded() {
        // DynamoDB Local takes minutes for such rows, and cuts its pages elsewhere.
        return;
    }
    let api = Api::start().await;
    let group = GroupId::parse(&api.group("Dense").await).unwrap();
    let client = client_for(&api.endpoint, |builder| builder);
    let edges: Vec<String> = (0..6_000).map(|nonce| EdgeId::new(group, nonce).to_string()).collect();
    let version = AttributeValue::S(version(1).to_string());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for number in 0..100 {
        let mut row = Key::member(&group, &AccountId::parse(&numbered(number)).unwrap()).to_attributes();
        row.extend([
            ("direct".into(), AttributeValue::Bool(false)),
            ("via".into(), AttributeValue::Ss(edges.clone())),
            ("added_at".into(), text("2024-01-15T10:30:00Z")),
            ("name".into(), text("a")),
            ("email".into(), text("")),
            ("status".into(), text("active")),
            ("account_version".into(), version.clone()),
        ]);
        client.put_item().table_name(&api.table).set_item(Some(row)).send().await.unwrap();
    }
    for (query, most_requests) in [("limit=10000", 6), ("membership_type=direct", 32)] {
        let (mut found, mut pages, mut after) = (0, 0, String::new());
        loop {
            api.recorder.take();
            let page = api.get(&format!("/{group}/members?{query}{after}")).await.ok();
            // Each once, even where a slow one was sent again.
            let requests: BTreeSet<String> = api.recorder.take().iter().map(|it| it.body.to_string()).collect();
            assert!(requests.len() <= most_requests + 1, "{query}: {} requests", requests.len());
            found += page["members"].as_array().unwrap().len();
            pages += 1;
            match page["pageInfo"]["endCursor"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        assert!(pages > 1, "{query}: more than a page");
        assert_eq!(found, if query == "limit=10000" { 100 } else { 0 });
    }
}
