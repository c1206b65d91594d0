use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use shared::domain::{Account, AccountId};

use crate::harness::{Api, event_source, percent_encoded, version};

const PATH: &str = "/api/v1/accounts";

/// Stores an account with this name and address, at a version of this number.
async fn store(api: &Api, id: &str, name: &str, email: &str, number: i64) {
    let id = AccountId::parse(id).unwrap();
    let status = if id.as_str().ends_with('0') { "inactive" } else { "active" };
    let account =
        Account { id, name: name.into(), email: email.into(), status: status.into(), version: version(number) };
    api.store.put_account(&event_source(), &account).await.unwrap();
}

/// Five people, two of them with the same name.
async fn company(api: &Api) {
    for (id, name, email) in [
        ("acc-1", "Jane Smith", "j.smith@company.com"),
        ("acc-2", "john.doe", "John.Doe@company.com"),
        ("acc-3", "Éva O'Neil", "eva@other.org"),
        ("acc-4", "jane smith", "jane@company.com"),
        ("acc-10", "Smitten Kitten", ""),
    ] {
        store(api, id, name, email, 1).await;
    }
}

/// Returns the ids of all pages.
async fn ids(api: &Api, query: &str) -> Vec<String> {
    let found = api.all_items(&format!("{PATH}?{query}"), "accounts").await;
    found.iter().map(|account| account["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn accounts_are_listed_by_name() {
    let api = Api::start().await;
    company(&api).await;
    for limit in 1..=6 {
        let found = ids(&api, &format!("limit={limit}")).await;
        assert_eq!(found, ["acc-1", "acc-4", "acc-2", "acc-10", "acc-3"]);
    }
    let first = api.get(&format!("{PATH}?limit=1")).await.ok();
    let account = &first["accounts"][0];
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let mut single = api.get(&format!("{PATH}/acc-1")).await.ok();
    single.as_object_mut().unwrap().remove("group_count");
    assert_eq!(*account, single);
}

#[tokio::test]
async fn search_finds_the_beginnings_of_words_in_any_order() {
    let api = Api::start().await;
    company(&api).await;
    for (term, expected) in [
        ("smi", vec!["acc-1", "acc-4", "acc-10"]),
        ("SMITH", vec!["acc-1", "acc-4"]),
        ("smith jane", vec!["acc-1", "acc-4"]),
        ("j", vec!["acc-1", "acc-4", "acc-2"]),
        ("j.smith@comp", vec!["acc-1"]),
        ("jane@", vec!["acc-4"]),
        ("neil", vec!["acc-3"]),
        ("e\u{301}va", vec!["acc-3"]),
        ("eva", vec!["acc-3"]),
        ("mith", vec![]),
        ("company", vec![]),
        ("--", vec![]),
        ("", vec!["acc-1", "acc-4", "acc-2", "acc-10", "acc-3"]),
    ] {
        for limit in [1, 2, 50] {
            assert_eq!(ids(&api, &format!("limit={limit}&search={}", percent_encoded(term))).await, expected, "{term}");
        }
    }
}

#[tokio::test]
async fn address_is_found_in_any_case_and_filters_combine() {
    let api = Api::start().await;
    company(&api).await;
    assert_eq!(ids(&api, "email=JOHN.DOE@COMPANY.COM").await, ["acc-2"]);
    assert_eq!(ids(&api, "email=%20john.doe@company.com").await, ["acc-2"]);
    assert_eq!(ids(&api, "email=john.doe@company").await, [""; 0]);
    assert_eq!(ids(&api, "email=john.doe@company.com&search=jane").await, [""; 0]);
    assert_eq!(ids(&api, "search=smi&status=inactive").await, ["acc-10"]);
    assert_eq!(ids(&api, "status=active&limit=1").await, ["acc-1", "acc-4", "acc-2", "acc-3"]);
    assert_eq!(ids(&api, "status=Active").await, [""; 0]);
}

#[tokio::test]
async fn next_search_shows_a_renamed_account_and_none_that_is_deleted() {
    let api = Api::start().await;
    company(&api).await;
    store(&api, "acc-1", "Jane Miller", "j.miller@company.com", 2).await;
    assert_eq!(ids(&api, "search=smith").await, ["acc-4"]);
    assert_eq!(ids(&api, "search=mill").await, ["acc-1"]);
    assert_eq!(ids(&api, "email=j.smith@company.com").await, [""; 0]);
    // An event that is late changes nothing.
    store(&api, "acc-1", "Jane Smith", "j.smith@company.com", 1).await;
    assert_eq!(ids(&api, "search=mill").await, ["acc-1"]);
    let deleted = AccountId::parse("acc-1").unwrap();
    assert!(api.store.delete_account(&event_source(), &deleted, version(3)).await.unwrap());
    assert_eq!(ids(&api, "search=jane").await, ["acc-4"]);
    assert_eq!(ids(&api, "email=j.miller@company.com").await, [""; 0]);
    assert_eq!(ids(&api, "").await.len(), 4);
    store(&api, "acc-1", "Jane Returned", "", 4).await;
    assert_eq!(ids(&api, "search=returned").await, ["acc-1"]);
}

/// Random names of few words, against a search of each account by itself.
#[tokio::test]
async fn pages_of_a_search_are_those_of_a_naive_search() {
    let api = Api::start().await;
    let mut random = Rng::with_seed(21);
    let vocabulary = ["an", "anna", "annab", "bo", "bob", "c"];
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..60 {
        let words: Vec<&str> = (0..random.usize(1..4)).map(|_| vocabulary[random.usize(..vocabulary.len())]).collect();
        let (id, name) = (format!("acc-{number}"), words.join(" "));
        let email = format!("{}@x.org", vocabulary[random.usize(..vocabulary.len())]);
        store(&api, &id, &name, &email, 1).await;
        texts.insert(id, format!("{name} {}", email.strip_suffix("@x.org").unwrap()));
    }
    for term in ["a", "an", "anna", "b", "bob an", "c bo", "an b c", "x"] {
        let has = |text: &str| term.split(' ').all(|part| text.split(' ').any(|word| word.starts_with(part)));
        let mut expected: Vec<&String> = texts.iter().filter(|(_, text)| has(text)).map(|(id, _)| id).collect();
        for limit in [1, 7, 1_000] {
            let mut found = ids(&api, &format!("limit={limit}&search={}", percent_encoded(term))).await;
            found.sort();
            expected.sort();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{term}");
        }
    }
}

#[tokio::test]
async fn invalid_parameters_and_foreign_cursors_are_refused() {
    let api = Api::start().await;
    company(&api).await;
    let page = api.get(&format!("{PATH}?search=smi&limit=1")).await.ok();
    let after = percent_encoded(page["pageInfo"]["endCursor"].as_str().unwrap());
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        (&format!("search={}", "a".repeat(65)), "search"),
        ("email=", "email"),
        (&format!("email={}", "a".repeat(255)), "email"),
        ("after=x", "after"),
        (&format!("after={after}"), "after"),
        (&format!("search=smith&after={after}"), "after"),
        (&format!("search=smi&status=active&after={after}"), "after"),
        ("name=jane", "name"),
    ] {
        assert_eq!(api.get(&format!("{PATH}?{query}")).await.field_errors()[0].0, field, "{query}");
    }
    assert_eq!(api.get(&format!("{PATH}?search=SMI&after={after}")).await.ok()["accounts"][0]["id"], "acc-4");
    assert_eq!(api.get(PATH).await.ok()["pageInfo"], json!({ "hasNextPage": false, "endCursor": Value::Null }));
}
