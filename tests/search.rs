//! Search by any part of a name: what it finds while names come, change and go, against the naive answer; and what the
//! index it reads is made of.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use serde_json::{Value, json};
use shared::domain::{FoldedText, Suffix};

use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, longest_name, percent_encoded};

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

/// Where a name has the term for the first time, as the order of a search has it.
fn place(name: &str, term: &str) -> Option<String> {
    let (name, term) = (FoldedText::fold(name), FoldedText::fold(term));
    let at = name.as_str().find(term.as_str())?;
    Some(name.as_str()[at..].to_owned())
}

/// Of all parts of a name just one stands for a term that is in it, and none for one that is not.
#[test]
fn one_part_of_a_name_stands_for_a_term() {
    let case = (text(1..12), text(1..4));
    let holds = |(name, term): (String, String)| {
        let (name, term) = (FoldedText::fold(&name), FoldedText::fold(&term));
        let length = term.char_count();
        let is_for = |suffix: &Suffix| suffix.gram == length.min(Suffix::LONGEST_GRAM);
        let begins = |suffix: &Suffix| is_for(suffix) && suffix.text.as_str().starts_with(term.as_str());
        let standing: Vec<_> = name.suffixes().into_iter().filter(|it| begins(it) && it.repeats < length).collect();
        assert!(length > 2 || name.suffixes().iter().filter(|it| begins(it)).count() == standing.len());
        let first = name.as_str().find(term.as_str()).map(|at| &name.as_str()[at..]);
        assert_eq!(standing.iter().map(|suffix| suffix.text.as_str()).collect::<Vec<_>>(), Vec::from_iter(first));
        Ok(())
    };
    TestRunner::new(config(3_000)).run(&case, holds).unwrap();
}

/// An index tells rows with the same key in no order of ours: of a name, however long and monotonous, no two have it.
#[test]
fn no_two_parts_of_a_name_have_the_same_place() {
    for name in ["a", "ab", "abc", "\u{fdfa}", "\u{fdfa}x", "😀", "か\u{3099}"] {
        let name = FoldedText::fold(&name.chars().cycle().take(256).collect::<String>());
        let suffixes = name.suffixes();
        let places: HashSet<_> = suffixes.iter().map(|suffix| (suffix.gram, suffix.text.as_str())).collect();
        assert_eq!(places.len(), suffixes.len(), "{}", name.as_str());
    }
}

/// Something that happens to the group at this place, between two pages.
#[derive(Debug, Clone)]
enum Change {
    Rename(usize, String),
    Delete(usize),
}

/// Walks a search page by page, with a change after each of them. Gives the ids in their order.
async fn walk(api: &Api, ids: &[String], term: &str, limit: usize, changes: &[Change]) -> Vec<String> {
    let query = format!("?limit={limit}&search={}", percent_encoded(term));
    let (mut found, mut after) = (Vec::new(), String::new());
    let mut changes = changes.iter();
    loop {
        let page = api.get(&format!("{query}{after}")).await.ok();
        let groups = page["groups"].as_array().unwrap();
        found.extend(groups.iter().map(|group| group["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["pageInfo"]["hasNextPage"].as_bool().unwrap(), page["pageInfo"]["endCursor"].is_string());
        let Some(cursor) = page["pageInfo"]["endCursor"].as_str() else { return found };
        assert_eq!(groups.len(), limit, "a page with another after it is full");
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

/// Holds that a walk found just the groups that it should have found, but for those that changed on its way.
async fn check_walk(api: &Api, ids: &[String], term: &str, limit: usize, changes: &[Change]) {
    let changed: HashSet<&str> = changes
        .iter()
        .map(|change| match change {
            Change::Rename(at, _) | Change::Delete(at) => ids[*at].as_str(),
        })
        .collect();
    let all = api.walk("", "groups").await;
    let found = walk(api, ids, term, limit, changes).await;
    let field = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
    let mut expected: Vec<(String, String)> = all
        .iter()
        .filter(|group| !changed.contains(group["id"].as_str().unwrap()))
        .filter_map(|group| Some((place(&field(group, "name"), term)?, field(group, "id"))))
        .collect();
    expected.sort();
    let unchanged: Vec<&String> = found.iter().filter(|id| !changed.contains(id.as_str())).collect();
    assert_eq!(unchanged, expected.iter().map(|(_, id)| id).collect::<Vec<_>>(), "{term:?}, limit {limit}");
}

#[test]
fn searches_agree_with_the_naive_answer() {
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
            check_walk(&api, &ids, term, limit, &changes).await;
        });
        Ok(())
    };
    TestRunner::new(config(24)).run(&case, holds).unwrap();
}

/// Pages of all sizes over many groups that change meanwhile; what the index holds in the end is what the names ask for.
#[tokio::test]
async fn pages_hold_while_names_change() {
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
    let mut places = fastrand::Rng::with_seed(5);
    for limit in [1, 5, 16, 53, 54, 100] {
        for term in ["t", "te", "m", "ss"] {
            let at = |random: &mut fastrand::Rng| random.usize(..130);
            let changes = [
                Change::Rename(at(&mut places), name()),
                Change::Rename(at(&mut places), name()),
                Change::Delete(at(&mut places)),
                Change::Rename(at(&mut places), name()),
            ];
            check_walk(&api, &ids, term, limit, &changes).await;
        }
    }
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

/// The index has names that nobody has any more, and groups that are gone: what it lacks in a page is filled from behind.
#[tokio::test]
async fn a_page_is_full_though_the_index_is_behind() {
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
    let find = async |query: &str| {
        let groups = api.walk(query, "groups").await;
        groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for limit in [1, 3, 5, 6, 7, 100] {
        let page = api.get(&format!("?search=team&limit={limit}")).await.ok();
        assert_eq!(page["groups"].as_array().unwrap().len(), limit.min(6));
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(limit < 6));
        let found = find(&format!("?search=team&limit={limit}")).await;
        assert_eq!(found, ["team 3", "steam 5", "team 6", "team 7", "team 8", "team 9"]);
    }
    assert!(find("?search=other").await.is_empty(), "what follows is left to the stream");
    pump.drain(&api.app).await;
    assert_eq!(find("?search=other").await, ["other"]);
    assert_eq!(find("?search=st").await, ["steam 5"]);
    assert_sound(&violations(&api).await);
}

/// More parts than a transaction takes, longer than a key: whatever the name, any part of it finds it.
#[tokio::test]
async fn the_longest_names_are_found() {
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
        // A slow table takes longer for fourteen thousand rows than a call has.
        pump.drain(&api.app).await;
        for (term, is_in) in [
            (&long[250..], &long),
            ("\u{fdfa}", &expanding),
            (&expanding[..3 * 64], &expanding),
            ("or", &"short".into()),
        ] {
            assert_eq!(found(term).await, usize::from(is_in == name), "{term} in {name}");
        }
    }
    assert_sound(&violations(&api).await);
}

/// A name's rows stop half way, and another name comes before anybody goes on: no row stays of either.
#[tokio::test]
async fn a_name_that_is_half_written_leaves_nothing() {
    let faults = Faults::default();
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, &faults).await;
    let mut pump = Pump::of(&api).await;
    let long = longest_name();
    let id = api.group("first").await;
    for (half, whole) in [(long.as_str(), "short"), ("brief", long.as_str()), ("little", "last")] {
        api.put(&format!("/{id}"), json!({ "name": half })).await.ok();
        pump.fetch().await;
        let batch = pump.waiting.drain(..).collect();
        // Of more than one transaction, the first alone is done.
        faults.next(TRANSACT, Fault::Passes).next(TRANSACT, Fault::Malformed);
        pump.deliver(&api.app, batch).await;
        faults.stop();
        api.put(&format!("/{id}"), json!({ "name": whole })).await.ok();
        pump.drain(&api.app).await;
        assert_sound(&violations(&api).await);
    }
}

/// No name has a control character, and what is between the parts of a key is one.
#[tokio::test]
async fn what_no_name_holds_is_not_looked_for() {
    let api = Api::start().await;
    api.group("team").await;
    for term in ["m%01", "m%01grp-", "%00a", "te%07am"] {
        api.recorder.take();
        let page = api.get(&format!("?search={term}")).await.ok();
        assert_eq!(page, json!({ "groups": [], "pageInfo": { "hasNextPage": false, "endCursor": null } }));
        assert!(api.recorder.take().is_empty());
    }
    assert_eq!(api.walk("?search=%F4%8F%BF%BF", "groups").await.len(), 0, "nothing comes after the last character");
    api.group("\u{10ffff}").await;
    assert_eq!(api.walk("?search=%F4%8F%BF%BF", "groups").await.len(), 1);
}
