//! `cargo measure`: counts the requests, round trips and capacity units of every call, as the table sees them.
//!
//! Prints tables and compares them with `benches/membership.txt` and `benches/search.txt`; `cargo measure -- --update` writes
//! these files instead. With `membership` or `search`, only that table. Times are printed as well, but not compared.
//! `cargo measure load` prints the times of calls under load. Run it in a release build.

// Not all of the suite's harness is used here.
#[allow(dead_code)]
#[path = "../../tests/harness/mod.rs"]
mod harness;
mod lanes;
mod load;
mod search;
mod seed;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use harness::meter::Meter;
use harness::pump::{assert_sound, violations_before_stream};
use harness::recorder::sequential;
use harness::{Answer, Api};
use reqwest::Method;
use serde_json::Value;
use shared::domain::{GroupId, JobKind};
use shared::propagation::Propagation;
use tokio::time::Instant;

/// Levels of nesting and members. A flattened membership has a row for each member and level.
const SIZES: [(usize, usize); 11] = [
    (1, 10),
    (3, 10),
    (10, 10),
    (20, 10),
    (1, 1_000),
    (3, 1_000),
    (10, 1_000),
    (20, 1_000),
    (1, 10_000),
    (3, 10_000),
    (1, 100_000),
];

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |argument: &str| arguments.iter().any(|given| given == argument);
    if is_given("load") {
        load::measure().await;
        return ExitCode::SUCCESS;
    }
    let all = !["membership", "search"].into_iter().any(is_given);
    let mut matches = true;
    if all || is_given("membership") {
        matches &= compare("membership.txt", &membership().await, is_given("--update"));
    }
    if all || is_given("search") {
        matches &= compare("search.txt", &search::measure().await, is_given("--update"));
    }
    if matches { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn membership() -> String {
    let mut table = String::from("call | levels | members | requests | rounds | read units | write units\n");
    for (levels, members) in SIZES {
        calls(levels, members, &mut table).await;
    }
    for members in [1_000, 10_000] {
        println!("{}", jobs(members).await);
    }
    println!("{}", waiting().await);
    table
}

/// Prints a table and reports whether it matches the checked-in file.
fn compare(name: &str, table: &str, update: bool) -> bool {
    println!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if update {
        std::fs::write(&path, table).unwrap();
    }
    let is_same = std::fs::read_to_string(&path).unwrap_or_default() == table;
    if !is_same {
        println!("{} differs; --update writes it", path.display());
    }
    is_same
}

/// Appends a line for each call in a chain of `levels` groups with this number of members.
async fn calls(levels: usize, members: usize, table: &mut String) {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let ids = seed::chain(&api, levels, members).await;
    if members <= 1_000 {
        assert_sound(&violations_before_stream(&api).await);
    }
    let (top, bottom) = (&ids[0], &ids[levels - 1]);
    let child = api.group("Child").await;
    api.accounts(&["acc-new"]).await;
    let page = api.get(&format!("/{top}/members?limit=5")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    for (name, method, path) in [
        ("get group", Method::GET, format!("/{top}")),
        ("get member", Method::GET, format!("/{top}/members/acc-00001")),
        ("members, first 1,000", Method::GET, format!("/{top}/members?limit=1000")),
        ("members, next 1,000", Method::GET, format!("/{top}/members?limit=1000&after={after}")),
        ("nested groups", Method::GET, format!("/{top}/groups")),
        ("groups of an account", Method::GET, "?member=acc-00001".to_owned()),
        ("list groups", Method::GET, "?limit=50".to_owned()),
        ("add a member", Method::PUT, format!("/{bottom}/members/acc-new")),
        ("add it again", Method::PUT, format!("/{bottom}/members/acc-new")),
        ("remove it", Method::DELETE, format!("/{bottom}/members/acc-new")),
        ("nest an empty group", Method::PUT, format!("/{bottom}/groups/{child}")),
        ("unnest it", Method::DELETE, format!("/{bottom}/groups/{child}")),
        ("delete a group", Method::DELETE, format!("/{child}")),
    ] {
        api.recorder.take();
        meter.take();
        let answer = Answer::to(api.request(method, &path)).await;
        assert!(answer.status.is_success(), "{name}: {}", answer.text);
        let (requests, units) = (api.recorder.take(), meter.take());
        let (count, rounds) = (requests.len(), sequential(&requests));
        let (read, write) = (units.read, units.write);
        writeln!(table, "{name} | {levels} | {members} | {count} | {rounds} | {read} | {write}").unwrap();
    }
}

/// Measures the jobs: propagating the members of a group to another, removing them, and deleting a group.
async fn jobs(members: usize) -> String {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let child = seed::chain(&api, 1, members).await.remove(0);
    let parent = api.group("Parent").await;
    let mut report = String::new();
    let mut record = |name: &str, started: Instant| {
        let requests = api.recorder.take();
        let transactions = requests.iter().filter(|it| it.operation == "TransactWriteItems").count();
        let (count, seconds, units) = (requests.len(), started.elapsed().as_secs_f64(), meter.take());
        let (each, per_second) = (members as f64 / transactions as f64, members as f64 / seconds);
        writeln!(
            report,
            "{name} of {members} accounts: {count} requests, {transactions} transactions, {each:.1} accounts a transaction, \
             {:.0} read and {:.0} write units, {per_second:.0} accounts a second here",
            units.read, units.write
        )
        .unwrap();
    };
    api.recorder.take();
    meter.take();
    let started = Instant::now();
    api.nest(&parent, &child).await;
    record("backfill", started);
    let started = Instant::now();
    assert_eq!(api.delete(&format!("/{parent}/groups/{child}")).await.status, 204);
    record("sweep", started);
    let started = Instant::now();
    assert_eq!(api.delete(&format!("/{child}")).await.status, 204);
    let kind = JobKind::DeleteGroup(GroupId::parse(&child).unwrap());
    let propagation = Propagation { store: &api.app.store, actor: None, now: harness::now() };
    propagation.complete_job(&kind).await.unwrap();
    record("deletion", started);
    assert_sound(&violations_before_stream(&api).await);
    report
}

/// Measures how long callers wait while a backfill changes the same group and transactions conflict.
async fn waiting() -> String {
    const MEMBERS: usize = 10_000;
    const CALLS: usize = 200;
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let child = seed::chain(&api, 1, MEMBERS).await.remove(0);
    let parent = api.group("Parent").await;
    let accounts: Vec<String> = (0..CALLS).map(|number| format!("acc-caller-{number:03}")).collect();
    api.accounts(&accounts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    meter.take_conflicts();
    api.recorder.take();
    let backfill = api.nest(&parent, &child);
    let calls = async {
        let mut waits: Vec<Duration> = Vec::new();
        for account in &accounts {
            let started = Instant::now();
            let answer = api.put(&format!("/{parent}/members/{account}"), Value::Null).await;
            assert_eq!(answer.status, 200);
            waits.push(started.elapsed());
        }
        waits
    };
    let ((), mut waits) = tokio::join!(backfill, calls);
    waits.sort_unstable();
    let (median, longest) = (waits[CALLS / 2].as_millis(), waits[CALLS - 1].as_millis());
    let conflicts = meter.take_conflicts();
    assert_sound(&violations_before_stream(&api).await);
    format!(
        "{CALLS} additions to a group while {MEMBERS} accounts are backfilled into it: {conflicts} conflicts on both sides, \
         median wait {median} ms, longest {longest} ms here"
    )
}
