use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use shared::domain::FoldedText;

use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, account, event_source, longest_name, version};

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
    let errors = api.get("?limit=&member=&search=a&sort=size&group_type=mail&is_privileged=1").await.field_errors();
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["limit", "group_type", "is_privileged", "sort", "member"]);
    let errors = api.get("?search=a&member=acc-1").await.field_errors();
    assert_eq!(errors, [("member".to_owned(), "is given with another selection".to_owned())]);
    let errors = api.get("?limit=1&limit=2").await.field_errors();
    assert_eq!(errors, [("limit".to_owned(), "is given more than once".to_owned())]);
}

/// Groups with all combinations of fields, whose names share parts.
async fn create_mixed_groups(api: &Api) {
    for (number, name) in
        ["Team a", "steam", "Team b", "tea", "Other", "team team", "Zulu", "alpha team"].iter().enumerate()
    {
        let group_type = if number % 2 == 0 { "security" } else { "distribution" };
        let body = json!({ "name": name, "group_type": group_type, "is_privileged": number % 3 == 0 });
        assert_eq!(api.post("", body).await.status, 201);
    }
}

#[tokio::test]
async fn filters_and_order_combine_with_each_other_and_with_every_list() {
    let api = Api::start().await;
    create_mixed_groups(&api).await;
    api.accounts(&["acc-1"]).await;
    for group in list(&api, "").await {
        api.put(&format!("/{}/members/acc-1", group["id"].as_str().unwrap()), Value::Null).await.ok();
    }
    let mut selected = 0;
    for base in ["", "search=team", "search=e", "search=zz", "name=TEA", "member=acc-1"] {
        let all = list(&api, &format!("?{base}")).await;
        for group_type in [None, Some("security"), Some("distribution")] {
            for is_privileged in [None, Some(true), Some(false)] {
                for descending in [false, true] {
                    let mut query = format!("?{base}&sort={}", if descending { "-name" } else { "name" });
                    group_type.iter().for_each(|value| query += &format!("&group_type={value}"));
                    is_privileged.iter().for_each(|value| query += &format!("&is_privileged={value}"));
                    let is_selected = |group: &&Value| {
                        group_type.is_none_or(|value| group["group_type"] == value)
                            && is_privileged.is_none_or(|value| group["is_privileged"] == value)
                    };
                    let mut expected: Vec<&Value> = all.iter().filter(is_selected).collect();
                    if descending {
                        expected.reverse();
                    }
                    selected += expected.len();
                    for limit in [1, 3, 50] {
                        let found = list(&api, &format!("{query}&limit={limit}")).await;
                        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}&limit={limit}");
                    }
                }
            }
        }
    }
    assert!(selected > 100, "{selected}");
}

#[tokio::test]
async fn changed_group_is_in_its_new_lists_at_once() {
    let api = Api::start().await;
    // The rows of the second name need more than one transaction.
    for name in ["Team", &longest_name()] {
        let id = api.group(name).await;
        let term = &name[1..4];
        let lists = async |query: &str| {
            [list(&api, &format!("?{query}")).await.len(), list(&api, &format!("?search={term}&{query}")).await.len()]
        };
        for (change, then, no_longer) in [
            (json!({ "group_type": "distribution" }), "group_type=distribution", "group_type=security"),
            (json!({ "is_privileged": true }), "is_privileged=true", "is_privileged=false"),
            (
                json!({ "name": format!("{}!", &name[1..]), "group_type": "security" }),
                "group_type=security",
                "group_type=distribution",
            ),
        ] {
            api.patch(&format!("/{id}"), change.clone()).await.ok();
            assert_eq!((lists(then).await, lists(no_longer).await), ([1, 1], [0, 0]), "{change}");
            assert_sound(&violations(&api).await);
        }
        assert_eq!(api.delete(&format!("/{id}")).await.status, 204);
        assert_eq!(lists("is_privileged=true").await, [0, 0]);
    }
}

#[tokio::test]
async fn external_id_combines_with_search_and_filters() {
    let api = Api::start().await;
    api.post("", json!({ "name": "Finance", "external_id": "00g1" })).await;
    for (query, count) in [
        ("", 1),
        ("&search=fin", 1),
        ("&search=legal", 0),
        ("&group_type=security&is_privileged=false&sort=-name", 1),
        ("&group_type=distribution", 0),
        ("&is_privileged=true", 0),
    ] {
        assert_eq!(list(&api, &format!("?external_id=00g1{query}")).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn cursor_belongs_to_its_filter_and_order() {
    let api = Api::start().await;
    create_mixed_groups(&api).await;
    let lists = ["", "sort=-name", "group_type=security", "group_type=distribution", "is_privileged=false"];
    for base in ["", "search=e&"] {
        for from in lists {
            let page = api.get(&format!("?{base}{from}&limit=1")).await.ok();
            let cursor = page["pageInfo"]["endCursor"].as_str().unwrap();
            for to in lists {
                let status = api.get(&format!("?{base}{to}&after={cursor}")).await.status;
                assert_eq!(status.as_u16(), if from == to { 200 } else { 400 }, "{base} {from} {to}");
            }
        }
    }
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
