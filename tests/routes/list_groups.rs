use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use shared::domain::FoldedText;

use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::{Api, account, event_source, version};

fn names(groups: &[Value]) -> Vec<&str> {
    groups.iter().map(|group| group["name"].as_str().unwrap()).collect()
}

/// Lists all pages.
async fn list(api: &Api, query: &str) -> Vec<Value> {
    api.all_items(query, "groups").await
}

#[tokio::test]
async fn empty_list_is_an_empty_page() {
    let api = Api::start().await;
    let expected = json!({ "groups": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
    assert_eq!(api.get("").await.ok(), expected);
    assert_eq!(api.get("?search=x").await.ok(), expected);
}

#[tokio::test]
async fn groups_come_by_name_without_case_then_id() {
    let api = Api::start().await;
    let created = [
        "zebra",
        "Apple",
        "apple pie",
        "APPLE",
        "apple!",
        "Äpfel",
        "émile",
        "Zulu",
        "𝔄pple 2",
        "ﬁnance",
        "Finanz",
        "\u{10000}",
        "\u{e000}",
        "apple",
        "straße",
        "STRASSE",
    ];
    for name in created {
        api.group(name).await;
    }
    let groups = list(&api, "").await;
    let mut expected = groups.clone();
    expected.sort_by_key(|group| {
        let name = FoldedText::fold(group["name"].as_str().unwrap()).as_str().to_owned();
        (name, group["id"].as_str().unwrap().to_owned())
    });
    assert_eq!(names(&groups), names(&expected));
    assert_eq!(names(&groups)[..6], ["Apple", "APPLE", "apple", "𝔄pple 2", "apple pie", "apple!"]);
}

#[tokio::test]
async fn pages_of_any_size_add_up() {
    let api = Api::start().await;
    for number in 0..12 {
        api.group(&format!("Group {number:02}")).await;
    }
    let all = list(&api, "").await;
    assert_eq!(all.len(), 12);
    for limit in [1, 2, 5, 11, 12, 13, 1_000] {
        assert_eq!(list(&api, &format!("?limit={limit}")).await, all, "limit {limit}");
        assert_eq!(list(&api, &format!("?limit={limit}&search=")).await, all, "an empty search is no search");
        assert_eq!(list(&api, &format!("?limit={limit}&search=group")).await, all, "limit {limit}");
        let page = api.get(&format!("?limit={limit}")).await.ok();
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(limit < 12));
    }
    assert_eq!(api.get("").await.ok()["groups"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn default_limit_is_50() {
    let api = Api::start().await;
    for number in 0..51 {
        api.group(&format!("Group {number}")).await;
    }
    let page = api.get("").await.ok();
    assert_eq!((page["groups"].as_array().unwrap().len(), &page["pageInfo"]["hasNextPage"]), (50, &json!(true)));
}

#[tokio::test]
async fn unknown_parameter_suggests_the_near_one() {
    let api = Api::start().await;
    for (parameter, reason) in [
        ("Search", "is not known here; did you mean search?"),
        ("members", "is not known here; did you mean member?"),
        ("page", "is not known here"),
    ] {
        let errors = api.get(&format!("?{parameter}=a")).await.field_errors();
        assert_eq!(errors, [(parameter.to_owned(), reason.to_owned())]);
    }
}

#[tokio::test]
async fn limit_is_1_to_1000() {
    let api = Api::start().await;
    api.group("A").await;
    for valid in [1, 1_000] {
        api.get(&format!("?limit={valid}")).await.ok();
    }
    for (limit, reason) in [("0", "is less than 1"), ("1001", "is more than 1000"), ("x", "is not a whole number")] {
        for query in ["", "&search=a", "&member=acc-1"] {
            let errors = api.get(&format!("?limit={limit}{query}")).await.field_errors();
            assert_eq!(errors, [("limit".to_owned(), reason.to_owned())]);
        }
    }
}

#[tokio::test]
async fn search_finds_any_part_of_a_name_ordered_by_match() {
    let api = Api::start().await;
    for name in ["Engineering Team", "Sales Team", "Team Lead", "Finance", "steam", "TEAM", "Büro Hauptstraße"] {
        api.group(name).await;
    }
    // Ordered by the text from the first match on: "team" four times, by id, then "team lead".
    let found = list(&api, "?search=tEaM").await;
    assert_eq!(names(&found), ["Engineering Team", "Sales Team", "steam", "TEAM", "Team Lead"]);
    assert_eq!(names(&list(&api, "?search=STRASSE").await), ["Büro Hauptstraße"]);
    assert_eq!(names(&list(&api, "?search=stra%C3%9Fe").await), ["Büro Hauptstraße"]);
    assert_eq!(names(&list(&api, "?search=%EF%AC%81n").await), ["Finance"], "the ligature finds its letters");
    assert_eq!(names(&list(&api, "?search=%20team%20").await).len(), 5, "a term is trimmed");
    assert!(list(&api, "?search=xyz").await.is_empty());
}

#[tokio::test]
async fn group_with_several_matches_is_found_once() {
    let api = Api::start().await;
    for name in ["aaaa", "banana", "ana"] {
        api.group(name).await;
    }
    // Ordered by the text from the first match on: "aaaa", "ana", "anana".
    assert_eq!(names(&list(&api, "?search=a&limit=1").await), ["aaaa", "ana", "banana"]);
}

#[tokio::test]
async fn search_term_has_at_most_64_characters() {
    let api = Api::start().await;
    api.group(&"😀".repeat(64)).await;
    let term = "%F0%9F%98%80".repeat(64);
    assert_eq!(list(&api, &format!("?search={term}")).await.len(), 1);
    let errors = api.get(&format!("?search={term}%F0%9F%98%80")).await.field_errors();
    assert_eq!(errors, [("search".to_owned(), "is longer than 64 characters".to_owned())]);
}

#[tokio::test]
async fn groups_of_an_account_are_listed_by_name_with_membership_type() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    for name in ["cherry", "Apple", "banana", "Other"] {
        let id = api.group(name).await;
        if name != "Other" {
            api.members(&id, 7..8).await;
        }
    }
    // Lists show copies of the counts.
    Pump::of(&api).await.drain(&api.app).await;
    let groups = list(&api, "?member=acc-00007").await;
    assert_eq!(names(&groups), ["Apple", "banana", "cherry"]);
    assert!(
        groups.iter().all(|group| group["membership_type"] == json!("direct") && group["member_count"] == json!(1))
    );
    for limit in [1, 2, 3, 4] {
        assert_eq!(list(&api, &format!("?member=acc-00007&limit={limit}")).await, groups);
    }
    let all = list(&api, "").await;
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|group| group.get("membership_type").is_none()));
}

#[tokio::test]
async fn all_groups_of_an_account_are_listed_over_several_pages() {
    let api = Api::start().await;
    for number in 0..205 {
        let id = api.group(&format!("Group {number:03}")).await;
        api.members(&id, 1..2).await;
    }
    let expected: Vec<String> = (0..205).map(|number| format!("Group {number:03}")).collect();
    assert_eq!(names(&list(&api, "?member=acc-00001").await), expected);
    assert_eq!(names(&list(&api, "?member=acc-00001&limit=1000").await), expected);
}

#[tokio::test]
async fn account_without_groups_has_an_empty_page_and_unknown_account_is_404() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    assert!(list(&api, "?member=acc-1").await.is_empty());
    for unknown in ["acc-2", "a%20b", &"a".repeat(129)] {
        api.get(&format!("?member={unknown}")).await.not_found();
    }
    assert_eq!(api.get("?member=acc-2").await.not_found(), "the account acc-2 does not exist");
    api.store.delete_account(&event_source(), &account("acc-1").id, version(2)).await.unwrap();
    api.get("?member=acc-1").await.not_found();
}

#[tokio::test]
async fn all_invalid_parameters_are_reported_at_once() {
    let api = Api::start().await;
    let errors = api.get("?limit=&member=&search=a&sort=name").await.field_errors();
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["limit", "member", "sort"]);
    let errors = api.get("?search=a&member=acc-1").await.field_errors();
    assert_eq!(errors, [("member".to_owned(), "is given with another selection".to_owned())]);
    let errors = api.get("?limit=1&limit=2").await.field_errors();
    assert_eq!(errors, [("limit".to_owned(), "is given more than once".to_owned())]);
}

/// Lambda returns at most 6 MB (6,291,556 bytes): a page ends before that and has a next page.
#[tokio::test]
async fn page_ends_before_the_lambda_response_limit() {
    let api = &Api::start().await;
    // The largest group apart from its name: every character is six bytes of JSON, and seven of JSON within JSON.
    let body = json!({ "name": "\"", "description": "\u{1}".repeat(1_024) });
    let create = |_| async { assert_eq!(api.post("", body.clone()).await.status, 201) };
    stream::iter(0..1_000).for_each_concurrent(32, create).await;
    for query in ["?limit=1000", "?limit=1000&search=%22"] {
        let page = api.get(query).await;
        let (bytes, page) = (json!(page.text).to_string().len(), page.ok());
        assert!(bytes < 6_291_556 - 1_024 && bytes > 4_000_000, "{bytes} bytes");
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(true));
        assert_eq!(list(api, query).await.len(), 1_000);
    }
}
