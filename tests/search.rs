//! Search by any part of a name: results while groups are created, renamed and deleted, compared with a naive search;
//! search rows and list entries.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use serde_json::{Value, json};
use shared::domain::{FoldedText, GroupFilter, GroupId, Suffix};
use shared::store::client_for;
use shared::store::keys::Key;

use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, NO_GROUP, longest_name, percent_encoded};

const TRANSACT: &str = "TransactWriteItems";

/// Pieces of names and terms that fold, compose, expand and repeat.
const PIECES: [&str; 18] =
    ["a", "A", "b", "ß", "S", "s", " ", "!", "É", "e\u{301}", "ﬁ", "f", "i", "İ", "😀", "\u{fdfa}", "か\u{3099}", "-"];

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), pieces).prop_map(|pieces| pieces.concat())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Returns the sort key of a result: the folded name from the first match on.
fn sort_key(name: &str, term: &str) -> Option<String> {
    let (name, term) = (FoldedText::fold(name), FoldedText::fold(term));
    let at = name.as_str().find(term.as_str())?;
    Some(name.as_str()[at..].to_owned())
}

/// Of all suffixes of a name exactly one represents a term that is in the name, and none represents any other term.
#[test]
fn one_suffix_of_a_name_represents_each_term() {
    let case = (text(1..12), text(1..4));
    let holds = |(name, term): (String, String)| {
        let (name, term) = (FoldedText::fold(&name), FoldedText::fold(&term));
        let length = term.char_count();
        let is_for = |suffix: &Suffix| suffix.gram == length.min(Suffix::LONGEST_GRAM);
        let begins = |suffix: &Suffix| is_for(suffix) && suffix.text.as_str().starts_with(term.as_str());
        let representing: Vec<_> = name.suffixes().into_iter().filter(|it| begins(it) && it.repeats < length).collect();
        assert!(length > 2 || name.suffixes().iter().filter(|it| begins(it)).count() == representing.len());
        let first = name.as_str().find(term.as_str()).map(|at| &name.as_str()[at..]);
        assert_eq!(representing.iter().map(|suffix| suffix.text.as_str()).collect::<Vec<_>>(), Vec::from_iter(first));
        Ok(())
    };
    TestRunner::new(config(3_000)).run(&case, holds).unwrap();
}

/// A key has one row, so no two suffixes of a name may have the same one.
#[test]
fn no_two_suffixes_of_a_name_have_the_same_key() {
    for name in ["a", "ab", "abc", "\u{fdfa}", "\u{fdfa}x", "😀", "か\u{3099}"] {
        let name = FoldedText::fold(&name.chars().cycle().take(256).collect::<String>());
        let suffixes = name.suffixes();
        let keys: HashSet<_> = suffixes.iter().map(|suffix| (suffix.gram, suffix.text.as_str())).collect();
        assert_eq!(keys.len(), suffixes.len(), "{}", name.as_str());
    }
}

/// A change between two pages, to the group at this index.
#[derive(Debug, Clone)]
enum Change {
    Rename(usize, String),
    Delete(usize),
}

/// Reads all pages of a search, with one change after each page; returns the ids in order.
async fn search_while_changing(api: &Api, ids: &[String], term: &str, limit: usize, changes: &[Change]) -> Vec<String> {
    let query = format!("?limit={limit}&search={}", percent_encoded(term));
    let (mut found, mut after) = (Vec::new(), String::new());
    let mut changes = changes.iter();
    loop {
        let page = api.get(&format!("{query}{after}")).await.ok();
        let groups = page["groups"].as_array().unwrap();
        found.extend(groups.iter().map(|group| group["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["pageInfo"]["hasNextPage"].as_bool().unwrap(), page["pageInfo"]["endCursor"].is_string());
        let Some(cursor) = page["pageInfo"]["endCursor"].as_str() else { return found };
        assert_eq!(groups.len(), limit, "a page that has a next page is full");
        after = format!("&after={cursor}");
        match changes.next() {
            Some(Change::Rename(at, name)) => {
                api.put(&format!("/{}", ids[*at]), json!({ "name": name })).await;
            }
            Some(Change::Delete(at)) => {
                api.delete(&format!("/{}", ids[*at])).await;
            }
            None => {}
        }
    }
}

/// Asserts that a search finds every matching group and no other, except for groups that changed meanwhile.
async fn check_search(api: &Api, ids: &[String], term: &str, limit: usize, changes: &[Change]) {
    let changed: HashSet<&str> = changes
        .iter()
        .map(|change| match change {
            Change::Rename(at, _) | Change::Delete(at) => ids[*at].as_str(),
        })
        .collect();
    let all = api.all_items("", "groups").await;
    let found = search_while_changing(api, ids, term, limit, changes).await;
    let field = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
    let mut expected: Vec<(String, String)> = all
        .iter()
        .filter(|group| !changed.contains(group["id"].as_str().unwrap()))
        .filter_map(|group| Some((sort_key(&field(group, "name"), term)?, field(group, "id"))))
        .collect();
    expected.sort();
    let unchanged: Vec<&String> = found.iter().filter(|id| !changed.contains(id.as_str())).collect();
    assert_eq!(unchanged, expected.iter().map(|(_, id)| id).collect::<Vec<_>>(), "{term:?}, limit {limit}");
}

#[test]
fn search_agrees_with_a_naive_search() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let changes = prop_oneof![
        3 => (0..12_usize, text(1..8)).prop_map(|(at, name)| Change::Rename(at, format!("x{name}"))),
        1 => (0..12_usize).prop_map(Change::Delete),
    ];
    let case = (prop::collection::vec(text(1..8), 12), text(1..4), 1_usize..6, prop::collection::vec(changes, 0..5));
    let holds = |(names, term, limit, changes): (Vec<String>, String, usize, Vec<Change>)| {
        let term = if term.trim().is_empty() { "a" } else { term.trim() };
        runtime.block_on(async {
            let api = Api::start().await;
            let mut ids = Vec::new();
            for name in names {
                ids.push(api.group(if name.trim().is_empty() { "a" } else { &name }).await);
            }
            check_search(&api, &ids, term, limit, &changes).await;
        });
        Ok(())
    };
    TestRunner::new(config(24)).run(&case, holds).unwrap();
}

/// Pages of several sizes over 130 groups that change meanwhile; in the end the search rows match the names.
#[tokio::test]
async fn pages_are_right_while_names_change() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut random = fastrand::Rng::with_seed(4);
    let mut name = || -> String {
        let pieces = (0..random.usize(2..6)).map(|_| *random.choice(&["team", "Te", "am", " ", "x", "ß"]).unwrap());
        format!("t{}", pieces.collect::<String>())
    };
    let mut ids = Vec::new();
    for _ in 0..130 {
        ids.push(api.group(&name()).await);
    }
    let mut indexes = fastrand::Rng::with_seed(5);
    for limit in [1, 5, 16, 53, 54, 100] {
        for term in ["t", "te", "m", "ss"] {
            let at = |random: &mut fastrand::Rng| random.usize(..130);
            let changes = [
                Change::Rename(at(&mut indexes), name()),
                Change::Rename(at(&mut indexes), name()),
                Change::Delete(at(&mut indexes)),
                Change::Rename(at(&mut indexes), name()),
            ];
            check_search(&api, &ids, term, limit, &changes).await;
        }
    }
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

fn names(groups: &[Value]) -> Vec<&str> {
    groups.iter().map(|group| group["name"].as_str().unwrap()).collect()
}

/// Deleted groups still have search rows. A page leaves them out and is filled up with the next results.
#[tokio::test]
async fn page_is_full_although_deleted_groups_have_rows() {
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, &Faults::default()).await;
    let mut pump = Pump::of(&api).await;
    let mut ids = HashMap::new();
    for number in 0..10 {
        ids.insert(number, api.group(&format!("team {number}")).await);
    }
    for number in [0, 1, 4] {
        assert_eq!(api.delete(&format!("/{}", ids[&number])).await.status, 204);
    }
    for (number, name) in [(2, "other"), (5, "steam 5")] {
        api.put(&format!("/{}", ids[&number]), json!({ "name": name })).await.ok();
    }
    for is_purged in [false, true] {
        for limit in [1, 3, 5, 6, 7, 100] {
            let page = api.get(&format!("?search=team&limit={limit}")).await.ok();
            assert_eq!(page["groups"].as_array().unwrap().len(), limit.min(6));
            assert_eq!(page["pageInfo"]["hasNextPage"], json!(limit < 6));
            let found = api.all_items(&format!("?search=team&limit={limit}"), "groups").await;
            let expected = ["team 3", "steam 5", "team 6", "team 7", "team 8", "team 9"];
            assert_eq!(names(&found), expected, "purged: {is_purged}");
        }
        pump.drain(&api.app).await;
    }
    assert_sound(&violations(&api).await);
}

/// Puts a list entry, as a read finds it while a transaction is in progress.
async fn put_entry(api: &Api, name: &str, id: &str) {
    let entry =
        Key::list_entry(GroupFilter::default(), &FoldedText::fold(name).sort_key(), &GroupId::parse(id).unwrap());
    let client = client_for(&api.endpoint, |builder| builder);
    client.put_item().table_name(&api.table).set_item(Some(entry.to_attributes())).send().await.unwrap();
}

/// The table has two entries of a group that is being renamed, and entries of groups that are gone.
#[tokio::test]
async fn list_shows_each_group_once_and_is_full_although_entries_are_stale() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(api.group(&format!("team {number}")).await);
    }
    put_entry(&api, "a", &ids[3]).await;
    for name in ["team 0", "team 1", "zulu"] {
        put_entry(&api, name, NO_GROUP).await;
    }
    for limit in [5, 6, 100] {
        let page = api.get(&format!("?limit={limit}")).await.ok();
        let groups = page["groups"].as_array().unwrap();
        assert_eq!(names(groups), ["team 3", "team 0", "team 1", "team 2", "team 4"], "limit {limit}");
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(false));
    }
    let page = api.get("?limit=2").await.ok();
    assert_eq!(names(page["groups"].as_array().unwrap()), ["team 3", "team 0"]);
    assert_eq!(page["pageInfo"]["hasNextPage"], json!(true));
}

/// Not even the stream runs. The last name differs in more rows than fit into a transaction: only the list has it at once.
#[tokio::test]
async fn lists_and_searches_show_every_rename_at_once() {
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, &Faults::default()).await;
    let mut pump = Pump::of(&api).await;
    let id = api.group("Finance").await;
    let other = api.group("Legal").await;
    let finds = async |query: &str| {
        let groups = api.all_items(query, "groups").await;
        groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (name, part, former_part) in [("People", "eop", "nan"), ("peoples", "ples", "nan"), ("Ops", "ops", "eop")] {
        api.put(&format!("/{id}"), json!({ "name": name })).await.ok();
        assert_eq!(finds("").await, ["Legal", name]);
        assert_eq!(finds(&format!("?search={part}")).await, [name]);
        assert!(finds(&format!("?search={former_part}")).await.is_empty());
        assert_sound(&violations(&api).await);
    }
    let long = longest_name();
    api.put(&format!("/{id}"), json!({ "name": long })).await.ok();
    let mut in_list = finds("").await;
    in_list.sort();
    let mut expected = vec!["Legal".to_owned(), long.clone()];
    expected.sort();
    assert_eq!(in_list, expected);
    assert!(finds("?search=ops").await.is_empty(), "it is not found by a former name");
    // The former name of the group has no rows left before it gets the next one.
    api.put(&format!("/{id}"), json!({ "name": "Last" })).await.ok();
    pump.drain(&api.app).await;
    assert_eq!(finds("?search=la").await, ["Last"]);
    assert_eq!(finds("?search=le").await, ["Legal"]);
    api.delete(&format!("/{other}")).await;
    assert_eq!(finds("").await, ["Last"]);
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

/// These names have more suffixes than fit into a transaction, and suffixes longer than a key.
#[tokio::test]
async fn longest_names_are_found_by_any_part() {
    let api = Api::start_streaming(|config| config.settle_budget = Duration::from_secs(30), &Faults::default()).await;
    let long = longest_name();
    let expanding = "\u{fdfa}".repeat(256);
    let mut pump = Pump::of(&api).await;
    let id = api.group(&long).await;
    let found = async |term: &str| {
        let page = api.get(&format!("?search={}", percent_encoded(term))).await.ok();
        page["groups"].as_array().unwrap().len()
    };
    for name in [&long, &expanding, "short", &long] {
        api.put(&format!("/{id}"), json!({ "name": name })).await.ok();
        // A slow table needs longer for fourteen thousand rows than the time budget of a call.
        pump.drain(&api.app).await;
        for (term, matching) in [
            (&long[250..], &long),
            ("\u{fdfa}", &expanding),
            (&expanding[..3 * 64], &expanding),
            ("or", &"short".into()),
        ] {
            assert_eq!(found(term).await, usize::from(matching == name), "{term} in {name}");
        }
    }
    assert_sound(&violations(&api).await);
}

/// Writing the rows of a name stops after one transaction, then the group is renamed: no row of the first name remains.
#[tokio::test]
async fn half_written_name_leaves_no_rows() {
    let faults = Faults::default();
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, &faults).await;
    let mut pump = Pump::of(&api).await;
    let long = longest_name();
    let id = api.group("first").await;
    for (half_written, name) in [(long.as_str(), "short"), ("brief", long.as_str()), ("little", "last")] {
        api.put(&format!("/{id}"), json!({ "name": half_written })).await.ok();
        pump.fetch().await;
        let batch = pump.waiting.drain(..).collect();
        // Only the first transaction succeeds.
        faults.next(TRANSACT, Fault::Passes).next(TRANSACT, Fault::Malformed);
        pump.deliver(&api.app, batch).await;
        faults.stop();
        api.put(&format!("/{id}"), json!({ "name": name })).await.ok();
        pump.drain(&api.app).await;
        assert_sound(&violations(&api).await);
    }
}

/// Names have no control characters. The separator in a key is one, so a term with it must not reach the table.
#[tokio::test]
async fn term_with_a_control_character_never_reaches_dynamodb() {
    let api = Api::start().await;
    api.group("team").await;
    for term in ["m%01", "m%01grp-", "%00a", "te%07am"] {
        api.recorder.take();
        let page = api.get(&format!("?search={term}")).await.ok();
        assert_eq!(page, json!({ "groups": [], "pageInfo": { "hasNextPage": false, "endCursor": null } }));
        assert!(api.recorder.take().is_empty());
    }
    assert_eq!(api.all_items("?search=%F4%8F%BF%BF", "groups").await.len(), 0, "no name is after the last character");
    api.group("\u{10ffff}").await;
    assert_eq!(api.all_items("?search=%F4%8F%BF%BF", "groups").await.len(), 1);
}
