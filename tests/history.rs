//! History: what the rows of the table say about earlier times, against what the API said then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::app::{App, PublishEventsDeps};
use shared::config::Config;
use shared::domain::{AccountVersion, Clock, Moment, Timestamp};

use crate::harness::clock::{TestClock, later};
use crate::harness::pump::Pump;
use crate::harness::{Api, account, event_source};

const ACCOUNTS: [&str; 3] = ["acc-0", "acc-1", "acc-2"];
const GROUPS: usize = 4;

/// A membership as a reply has it: the type, and the nested groups of an indirect one.
type Membership = (String, Vec<String>);

/// The members of each group that existed, by group and account.
type Members = BTreeMap<String, BTreeMap<String, Membership>>;

/// An API with both stream consumers, whose clock the test moves.
struct World {
    api: Api,
    clock: TestClock,
    propagate: Pump<App>,
    publish: Pump<PublishEventsDeps>,
}

impl World {
    async fn new(settle_budget: Duration) -> Self {
        let clock = TestClock::new();
        let api = Api::start_clocked(|config: &mut Config| config.settle_budget = settle_budget, &clock, None).await;
        api.accounts(&ACCOUNTS).await;
        let (propagate, publish) = (Pump::of(&api).await, Pump::publishing(&api).await);
        Self { api, clock, propagate, publish }
    }

    /// Delivers all records to both stream consumers.
    async fn rest(&mut self) {
        self.propagate.drain(&self.api.app).await;
        self.publish().await;
    }

    /// Delivers all records to `publish-events`, each twice.
    async fn publish(&mut self) {
        self.publish.fetch().await;
        let records: Vec<Value> = self.publish.waiting.drain(..).collect();
        let deps = self.api.publish_events_deps(&self.api.bus_endpoint());
        for batch in records.chunks(100) {
            self.publish.deliver(&deps, [batch, batch].concat()).await;
        }
        assert!(self.publish.waiting.is_empty());
    }

    /// The members of these groups, of those that exist.
    async fn members(&self, groups: &BTreeSet<String>) -> Members {
        let mut found = Members::new();
        for group in groups {
            let answer = self.api.get(&format!("/{group}/members")).await;
            if answer.status == 200 {
                found.insert(group.clone(), memberships(&answer.body["members"]));
            }
        }
        found
    }
}

/// The memberships in a list of members, or of an account's groups, by id.
fn memberships(items: &Value) -> BTreeMap<String, Membership> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let via = |item: &Value| item["via"].as_array().into_iter().flatten().map(text).collect();
    let membership = |item: &Value| (text(&item["id"]), (text(&item["membership_type"]), via(item)));
    items.as_array().unwrap().iter().map(membership).collect()
}

/// A step of a random history. Numbers are indices.
#[derive(Debug, Clone, Copy)]
enum Step {
    Add(usize, usize),
    Remove(usize, usize),
    Nest(usize, usize),
    Unnest(usize, usize),
    ReplaceGroup(usize),
    RenameGroup(usize),
    ReturnAccount(usize),
    DeleteAccount(usize),
    /// Delivers the first of the waiting records to `propagate`.
    Deliver(usize),
    /// Moves the clock.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (group, account) = (0..GROUPS, 0..ACCOUNTS.len());
    let pair = (group.clone(), group.clone());
    let member = (group.clone(), account.clone());
    let step = prop_oneof![
        6 => member.clone().prop_map(|(group, account)| Step::Add(group, account)),
        4 => member.prop_map(|(group, account)| Step::Remove(group, account)),
        4 => pair.clone().prop_map(|(parent, child)| Step::Nest(parent, child)),
        3 => pair.prop_map(|(parent, child)| Step::Unnest(parent, child)),
        1 => group.clone().prop_map(Step::ReplaceGroup),
        1 => group.prop_map(Step::RenameGroup),
        1 => account.clone().prop_map(Step::ReturnAccount),
        1 => account.prop_map(Step::DeleteAccount),
        4 => (1_usize..12).prop_map(Step::Deliver),
        8 => (1_u64..3).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..50)
}

/// Performs the steps. Returns the members of every group at each second, as the API had them then.
async fn perform(world: &mut World, steps: &[Step]) -> (BTreeMap<Timestamp, Members>, BTreeSet<String>) {
    let api = &world.api;
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        groups.push(api.group("Group").await);
    }
    let mut all: BTreeSet<String> = groups.iter().cloned().collect();
    let (mut seconds, mut version) = (BTreeMap::new(), 2);
    for step in steps.iter().chain([&Step::Wait(1)]) {
        let api = &world.api;
        let member = |group: usize, account: usize| format!("/{}/members/{}", groups[group], ACCOUNTS[account]);
        let nested = |parent: usize, child: usize| format!("/{}/groups/{}", groups[parent], groups[child]);
        match *step {
            Step::Add(group, account) => drop(api.put(&member(group, account), Value::Null).await),
            Step::Remove(group, account) => drop(api.delete(&member(group, account)).await),
            Step::Nest(parent, child) => drop(api.put(&nested(parent, child), Value::Null).await),
            Step::Unnest(parent, child) => drop(api.delete(&nested(parent, child)).await),
            Step::ReplaceGroup(group) => {
                assert_eq!(api.delete(&format!("/{}", groups[group])).await.status, 204);
                groups[group] = api.group("Group").await;
                all.insert(groups[group].clone());
            }
            Step::RenameGroup(group) => {
                version += 1;
                let name = json!({ "name": format!("Group {version}") });
                api.put(&format!("/{}", groups[group]), name).await.ok();
            }
            Step::ReturnAccount(index) => {
                version += 1;
                let version = AccountVersion::at(Moment::from_unix_nanos(version));
                let returned = shared::domain::Account { version, ..account(ACCOUNTS[index]) };
                api.store.put_account(&event_source(), &returned).await.unwrap();
            }
            Step::DeleteAccount(index) => {
                version += 1;
                let version = AccountVersion::deleted(Moment::from_unix_nanos(version));
                api.store.delete_account(&event_source(), &account(ACCOUNTS[index]).id, version).await.unwrap();
            }
            Step::Deliver(count) => {
                world.propagate.fetch().await;
                let count = count.min(world.propagate.waiting.len());
                let batch = world.propagate.waiting.drain(..count).collect();
                world.propagate.deliver(&world.api.app, batch).await;
            }
            Step::Wait(duration) => {
                let members = world.members(&all).await;
                for _ in 0..duration {
                    seconds.insert(world.clock.now(), members.clone());
                    world.clock.advance(1);
                }
            }
        }
    }
    world.rest().await;
    (seconds, all)
}

/// Reads memberships as the entries of a history have them: the state after the last change of each second.
fn replay(entries: &[Value], until: Timestamp, id: &str) -> BTreeMap<String, Membership> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut memberships = BTreeMap::new();
    // Newest first.
    for entry in entries.iter().rev() {
        if text(&entry["at"]) > until.to_string() || entry["account_id"].is_null() {
            continue;
        }
        let state = |state: &Value| {
            let membership_type = text(&state["membership_type"]);
            // A direct member of the API has no `via`.
            let via = state["via"].as_array().unwrap().iter().map(text);
            let via = if membership_type == "direct" { Vec::new() } else { via.collect() };
            (membership_type, via)
        };
        match &entry["after"] {
            Value::Null => memberships.remove(&text(&entry[id])),
            after => memberships.insert(text(&entry[id]), state(after)),
        };
    }
    memberships
}

async fn every_second_is_as_it_was(steps: Vec<Step>, settle_budget: Duration) {
    let mut world = World::new(settle_budget).await;
    let (seconds, groups) = perform(&mut world, &steps).await;
    let api = &world.api;
    let mut of_group: BTreeMap<&String, Vec<Value>> = BTreeMap::new();
    for group in &groups {
        of_group.insert(group, api.all_items(&format!("/{group}/history?limit=7"), "history").await);
    }
    let mut of_account: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for account in ACCOUNTS {
        let history = api.all_items(&format!("/api/v1/accounts/{account}/history?limit=7"), "history").await;
        of_account.insert(account, history);
    }
    for (second, expected) in &seconds {
        for group in &groups {
            let answer = api.get(&format!("/{group}/members?at={second}")).await;
            let was_deleted = of_group[group].iter().any(|entry| {
                entry["change"] == "group_deleted" && entry["at"].as_str().unwrap() <= second.to_string().as_str()
            });
            if was_deleted {
                assert_eq!(answer.status, 404, "{group} at {second}");
                assert!(!expected.contains_key(group));
                continue;
            }
            let expected = expected.get(group).cloned().unwrap_or_default();
            let body = answer.ok();
            assert_eq!(body["count"], expected.len(), "{group} at {second}");
            assert_eq!(memberships(&body["members"]), expected, "{group} at {second}");
            assert_eq!(replay(&of_group[group], *second, "account_id"), expected, "{group} at {second}");
        }
        for account in ACCOUNTS {
            let path = format!("/api/v1/accounts/{account}/groups?limit=2&at={second}");
            let found = memberships(&Value::from(api.all_items(&path, "groups").await));
            let in_group = |(group, members): (&String, &BTreeMap<String, Membership>)| {
                Some((group.clone(), members.get(account)?.clone()))
            };
            let expected: BTreeMap<String, Membership> = expected.iter().filter_map(in_group).collect();
            assert_eq!(found, expected, "{account} at {second}");
            let mut replayed = replay(&of_account[account], *second, "group_id");
            // Members of a deleted group leave it some time after the deletion.
            replayed.retain(|group, _| seconds[second].contains_key(group));
            assert_eq!(replayed, expected, "{account} at {second}");
        }
    }
    assert!(!seconds.is_empty() && of_group.values().all(|history| !history.is_empty()));
}

fn random_histories(settle_budget: Duration) {
    let cases = crate::harness::variable("GROUPS_TEST_HISTORIES").map_or(8, |cases| u32::try_from(cases).unwrap());
    let config = ProptestConfig { cases, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in steps())| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(every_second_is_as_it_was(steps, settle_budget));
    });
}

#[test]
fn memberships_of_every_second_are_known_when_writes_settle() {
    random_histories(Duration::from_secs(60));
}

#[test]
fn memberships_of_every_second_are_known_when_the_stream_propagates() {
    random_histories(Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_waits_for_a_change_that_history_lacks() {
    let mut world = World::new(Duration::from_secs(60)).await;
    let group = world.api.group("Finance").await;
    world.api.put(&format!("/{group}/members/acc-0"), Value::Null).await.ok();
    let before = world.clock.now();
    world.rest().await;
    world.clock.advance(10);
    assert_eq!(world.api.delete(&format!("/{group}/members/acc-0")).await.status, 204);
    let path = format!("/{group}/members?at={before}");
    let refused = world.api.get(&path).await;
    assert_eq!(refused.status, 503, "the removal is not in history: {}", refused.body);
    let paths = [path, format!("/api/v1/accounts/acc-0/groups?at={before}")];
    let World { api, publish, .. } = &mut world;
    let deps = api.publish_events_deps(&api.bus_endpoint());
    for path in paths {
        let (answer, ()) = futures::future::join(api.get(&path), publish.drain(&deps)).await;
        assert_eq!(answer.ok()["pageInfo"]["hasNextPage"], json!(false), "{path}");
    }
    let body = api.get(&format!("/{group}/members?at={before}")).await.ok();
    assert_eq!((&body["count"], &body["members"][0]["id"]), (&json!(1), &json!("acc-0")));
}

/// A table of a version that kept no history: its changes have audit records only.
#[tokio::test]
async fn time_before_history_was_kept_is_refused() {
    let mut world = World::new(Duration::from_secs(60)).await;
    let group = world.api.group("Finance").await;
    let beginning = world.clock.now();
    world.clock.advance(100);
    world.api.put(&format!("/{group}/members/acc-0"), Value::Null).await.ok();
    let added = world.clock.now();
    world.propagate.drain(&world.api.app).await;
    world.publish.fetch().await;
    world.publish.waiting.clear();
    world.clock.advance(3 * 24 * 60 * 60);
    let reason = format!("is before {added}, where this history begins");
    let account = "/api/v1/accounts/acc-0/groups".to_owned();
    for path in [format!("/{group}/members"), account] {
        let refused = world.api.get(&format!("{path}?at={beginning}")).await;
        assert_eq!((refused.status.as_u16(), &refused.body["error"]["details"][0]["reason"]), (400, &json!(reason)));
        let body = world.api.get(&format!("{path}?at={added}")).await.ok();
        assert_eq!(body["pageInfo"]["hasNextPage"], json!(false), "from then on the present membership is known");
    }
    // A removal is in history, and shows since when the account was a member.
    assert_eq!(world.api.delete(&format!("/{group}/members/acc-0")).await.status, 204);
    world.rest().await;
    let at = |time: Timestamp| format!("/{group}/members?at={time}");
    assert_eq!(world.api.get(&at(added)).await.ok()["count"], json!(1));
    let refused = world.api.get(&at(later(added, -1))).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]["details"][0]["reason"]), (400, &json!(reason)));
}
