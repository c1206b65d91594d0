//! What a search costs over more and more groups, beside reading all names; and what names cost to write.

use std::fmt::Write;

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::json;
use shared::domain::group::Description;
use shared::domain::{FoldedText, Group, GroupName, GroupProfile, GroupType, Limit};

use crate::harness::meter::Meter;
use crate::harness::recorder::sequential;
use crate::harness::{Answer, Api, administer, now, percent_encoded, read};

/// Groups in the table.
const SIZES: [usize; 3] = [100, 10_000, 100_000];

/// From one that three of five names have, one twice, to one that none has.
const TERMS: [&str; 6] = ["e", "al", "sales", "00", "00042", "no such name"];

/// The table of what calls cost.
pub async fn measure() -> String {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let mut told = String::from("term | groups | found | requests | rounds | read units\n");
    let mut groups = 0;
    for size in SIZES {
        let create = (groups..size).map(|number| create(&api, number));
        stream::iter(create).buffer_unordered(8).collect::<()>().await;
        groups = size;
        for term in TERMS {
            search(&api, &meter, term, size, &mut told).await;
        }
        walk(&api, &meter, size, &mut told).await;
    }
    names(&api, &meter, &mut told).await;
    told
}

/// One of many groups: ten thousand have a department and a number, all others a code.
async fn create(api: &Api, number: usize) {
    const DEPARTMENTS: [&str; 5] = ["Sales", "Legal", "People", "Ops", "IT"];
    let name = match number {
        ..10_000 => format!("{} {number:05}", DEPARTMENTS[number % 5]),
        // No row of a shorter name is left out; it is the emulator that takes its time for them.
        _ => format!("{number:04x}"),
    };
    let profile = GroupProfile {
        name: GroupName::parse(&name).unwrap(),
        description: Description::default(),
        group_type: GroupType::Security,
        is_privileged: false,
    };
    let group = Group::new(api.app.new_group_id(), profile, now());
    api.store.create_group(&administer(), group, None).await.unwrap();
}

/// A page of fifty.
async fn search(api: &Api, meter: &Meter, term: &str, groups: usize, told: &mut String) {
    api.recorder.take();
    meter.take();
    let page = api.get(&format!("?search={}", percent_encoded(term))).await.ok();
    let (requests, units) = (api.recorder.take(), meter.take());
    let (found, count, rounds) = (page["groups"].as_array().unwrap().len(), requests.len(), sequential(&requests));
    writeln!(told, "{term} | {groups} | {found} | {count} | {rounds} | {}", units.read).unwrap();
}

/// What a search would cost that reads the list of all groups.
async fn walk(api: &Api, meter: &Meter, groups: usize, told: &mut String) {
    api.recorder.take();
    meter.take();
    let (term, mut found, mut after) = (FoldedText::fold("00042"), 0, None);
    loop {
        let page = api.app.store.list_groups(&read(), Limit::MAX_GROUPS, after.as_ref()).await.unwrap();
        found += page.items.iter().filter(|group| group.profile.name.folded().contains(&term)).count();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (requests, units) = (api.recorder.take(), meter.take());
    let count = requests.len();
    writeln!(told, "00042 in a walk | {groups} | {found} | {count} | {count} | {}", units.read).unwrap();
}

/// Creating a group and naming it anew, by the length of the name.
async fn names(api: &Api, meter: &Meter, told: &mut String) {
    writeln!(told, "\ncall | characters | requests | rounds | read units | write units").unwrap();
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
            writeln!(told, "{call} | {length} | {count} | {rounds} | {} | {}", units.read, units.write).unwrap();
            path = format!("/{}", group["id"].as_str().unwrap());
        }
    }
}
