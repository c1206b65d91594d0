//! Counts the cost of a search over a growing number of groups, beside reading all names; and the cost of writing names.

use std::fmt::Write;

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::json;
use shared::domain::{FoldedText, Group, GroupName, GroupProfile, GroupSelection, Limit};

use crate::harness::meter::Meter;
use crate::harness::recorder::sequential;
use crate::harness::{Answer, Api, administer, now, percent_encoded, read};

/// Groups in the table.
const SIZES: [usize; 3] = [100, 10_000, 100_000];

/// From a term that three of five names contain, one of them twice, to one that no name contains.
const TERMS: [&str; 6] = ["e", "al", "sales", "00", "00042", "no such name"];

/// Returns the table of costs.
pub async fn measure() -> String {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let mut table = String::from("term | groups | found | requests | rounds | read units\n");
    let mut groups = 0;
    for size in SIZES {
        let create = (groups..size).map(|number| create(&api, number));
        stream::iter(create).buffer_unordered(8).collect::<()>().await;
        groups = size;
        for term in TERMS {
            search(&api, &meter, term, size, &mut table).await;
        }
        list_all(&api, &meter, size, &mut table).await;
    }
    names(&api, &meter, &mut table).await;
    table
}

/// Creates one of many groups: the first ten thousand are named by department and number, the others by a code.
async fn create(api: &Api, number: usize) {
    const DEPARTMENTS: [&str; 5] = ["Sales", "Legal", "People", "Ops", "IT"];
    let name = match number {
        ..10_000 => format!("{} {number:05}", DEPARTMENTS[number % 5]),
        // A short name has all its rows too. Longer ones only cost the emulator time.
        _ => format!("{number:04x}"),
    };
    let profile = GroupProfile::named(GroupName::parse(&name).unwrap());
    let group = Group::new(api.app.new_group_id(), profile, now());
    api.store.create_group(&administer(), group, None, None).await.unwrap().leave_to_stream();
}

/// Searches for a page of fifty.
async fn search(api: &Api, meter: &Meter, term: &str, groups: usize, table: &mut String) {
    api.recorder.take();
    meter.take();
    let page = api.get(&format!("?search={}", percent_encoded(term))).await.ok();
    let (requests, units) = (api.recorder.take(), meter.take());
    let (found, count, rounds) = (page["groups"].as_array().unwrap().len(), requests.len(), sequential(&requests));
    writeln!(table, "{term} | {groups} | {found} | {count} | {rounds} | {}", units.read).unwrap();
}

/// Counts the cost of a search that reads the list of all groups, for comparison.
async fn list_all(api: &Api, meter: &Meter, groups: usize, table: &mut String) {
    api.recorder.take();
    meter.take();
    let (term, mut found, mut after) = (FoldedText::fold("00042"), 0, None);
    loop {
        let page = api
            .app
            .store
            .list_groups(&read(), GroupSelection::default(), Limit::MAX_GROUPS, after.as_ref())
            .await
            .unwrap();
        found += page.items.iter().filter(|group| group.profile.name.folded().contains(&term)).count();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (requests, units) = (api.recorder.take(), meter.take());
    let count = requests.len();
    writeln!(table, "00042 in the list of all | {groups} | {found} | {count} | {count} | {}", units.read).unwrap();
}

/// Counts the cost of creating and renaming a group, by length of the name.
async fn names(api: &Api, meter: &Meter, table: &mut String) {
    writeln!(table, "\ncall | characters | requests | rounds | read units | write units").unwrap();
    let name = |length: usize, seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.lowercase()).take(length).collect::<String>()
    };
    for length in [10, 20, 40, 98, 99, 256] {
        let mut path = String::new();
        for (call, method, seed) in [("create", Method::POST, 1), ("rename", Method::PUT, 2)] {
            api.recorder.take();
            meter.take();
            let request = api.request(method, &path).json(&json!({ "name": name(length, seed) }));
            let group = Answer::to(request).await.body;
            let (requests, units) = (api.recorder.take(), meter.take());
            let (count, rounds) = (requests.len(), sequential(&requests));
            writeln!(table, "{call} | {length} | {count} | {rounds} | {} | {}", units.read, units.write).unwrap();
            path = format!("/{}", group["id"].as_str().unwrap());
        }
    }
}
