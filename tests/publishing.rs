//! Published events: one for each committed change, with its actor, and no other; over a bus that refuses some at first.

use std::cell::Cell;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::bus::{Delivery, Entry};
use shared::config::Config;
use tokio::time::Instant;

use crate::harness::exchange::{Listener, T3, account_event, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, drain_all};
use crate::harness::{Answer, Api, now, token};

/// Kind, actor and detail of a published event.
type Published = (String, String, Value);

/// An API with both stream consumers.
struct Publisher {
    api: Api,
    /// How many events [`Self::new_events`] has returned.
    returned: Cell<usize>,
}

impl Publisher {
    async fn start() -> Self {
        // Leaves all propagation to the stream.
        let configure = |config: &mut Config| config.settle_budget = Duration::ZERO;
        Self { api: Api::start_streaming(configure, &Faults::default()).await, returned: Cell::new(0) }
    }

    /// Runs the stream consumers. Returns the events published since the last call.
    async fn new_events(&self) -> Vec<Published> {
        drain_all(&self.api).await;
        // Each call reads the stream from its beginning and publishes earlier events once more.
        let mut listener = Listener::default();
        let mut events: Vec<Value> = Vec::new();
        for event in self.api.published() {
            listener.hear(&event);
            if !events.iter().any(|other: &Value| other["detail"]["id"] == event["detail"]["id"]) {
                events.push(event);
            }
        }
        listener.assert_knows(&self.api).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let new_events: Vec<Published> = events
            .split_off(self.returned.get())
            .into_iter()
            .map(|mut event| (text(&event["detail-type"]), text(&event["detail"]["actor"]), event["detail"].take()))
            .collect();
        self.returned.set(self.returned.get() + new_events.len());
        new_events
    }

    /// Returns a line with kind, account, membership types and actor for each new event, sorted.
    async fn new_lines(&self) -> Vec<String> {
        let line = |(kind, actor, detail): &Published| {
            let membership = |side: &str| detail[side]["membership_type"].as_str().unwrap_or("none").to_owned();
            let account = detail["account_id"].as_str().unwrap_or("-");
            format!("{kind}: {account}, {} to {}, by {actor}", membership("before"), membership("after"))
        };
        let mut lines: Vec<String> = self.new_events().await.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// Sends a request of this administrator. Asserts success.
    async fn send_as(&self, sub: &str, method: Method, path: String) {
        let token = token(sub, &["Administrator"]);
        assert!(Answer::to(self.api.request_as(Some(&token), method, &path)).await.status.is_success());
    }
}

#[tokio::test]
async fn changes_of_a_group_are_published_with_before_and_after() {
    let publisher = Publisher::start().await;
    let api = &publisher.api;
    let id = api.group("First").await;
    let [(kind, actor, detail)] = &publisher.new_events().await[..] else { panic!() };
    let state = |name: &str, description: &str| json!({ "name": name, "description": description, "group_type": "security", "is_privileged": false });
    assert_eq!((kind.as_str(), actor.as_str()), ("Group Created", "alice"));
    let occurred_at = &detail["occurred_at"];
    let expected = json!({
        "id": format!("{id}/1"), "occurred_at": occurred_at, "actor": "alice", "revision": 1, "group_id": id,
        "after": state("First", ""),
    });
    assert_eq!(*detail, expected);
    let body = json!({ "name": "Second", "description": "more" });
    let by_dora = api.request_as(Some(&token("dora", &["Administrator"])), Method::PUT, &format!("/{id}"));
    Answer::to(by_dora.json(&body)).await.ok();
    api.put(&format!("/{id}"), json!({})).await.ok();
    assert_eq!(api.delete(&format!("/{id}")).await.status, 204);
    let [(updated, dora, update), (deleted, alice, deletion)] = &publisher.new_events().await[..] else { panic!() };
    assert_eq!((updated.as_str(), dora.as_str()), ("Group Updated", "dora"));
    assert_eq!((&update["before"], &update["after"]), (&state("First", ""), &state("Second", "more")));
    assert_eq!((deleted.as_str(), alice.as_str()), ("Group Deleted", "alice"));
    assert_eq!((&deletion["before"], deletion.get("after")), (&state("Second", "more"), None));
    assert_eq!([&update["revision"], &deletion["revision"]], [2, 3]);
}

/// The stream propagates the actor together with the change.
#[tokio::test]
async fn actor_of_a_change_is_published_at_every_level() {
    let publisher = Publisher::start().await;
    let api = &publisher.api;
    let [parent, child] = api.chain(&["above", "below"]).await.try_into().unwrap();
    api.accounts(&["acc-1", "acc-2"]).await;
    assert_eq!(publisher.new_events().await.len(), 2);
    publisher.send_as("dora", Method::PUT, format!("/{child}/members/acc-1")).await;
    api.hand(&[request_event("add", &child, "acc-2", T3)]).await;
    let added = publisher.new_lines().await;
    let expected = [
        "Group Member Added: acc-1, none to direct, by dora",
        "Group Member Added: acc-1, none to indirect, by dora",
        "Group Member Added: acc-2, none to direct, by carol",
        "Group Member Added: acc-2, none to indirect, by carol",
    ];
    assert_eq!(added, expected);
    publisher.send_as("erik", Method::PUT, format!("/{parent}/members/acc-1")).await;
    publisher.send_as("fred", Method::DELETE, format!("/{child}/members/acc-1")).await;
    let changed = publisher.new_lines().await;
    let expected = [
        "Group Member Added: acc-1, direct to direct, by fred",
        "Group Member Added: acc-1, indirect to direct, by erik",
        "Group Member Removed: acc-1, direct to none, by fred",
    ];
    assert_eq!(changed, expected, "a remaining member is not removed");
    publisher.send_as("gina", Method::DELETE, format!("/{parent}/groups/{child}")).await;
    assert_eq!(publisher.new_lines().await, ["Group Member Removed: acc-2, indirect to none, by gina"]);
    publisher.send_as("hans", Method::PUT, format!("/{parent}/groups/{child}")).await;
    assert_eq!(publisher.new_lines().await, ["Group Member Added: acc-2, none to indirect, by hans"]);
    api.hand(&[account_event("Deleted", "acc-1", "", T3)]).await;
    assert_eq!(publisher.new_lines().await, ["Group Member Removed: acc-1, direct to none, by accounts"]);
    publisher.send_as("ines", Method::DELETE, format!("/{child}")).await;
    let deleted = publisher.new_lines().await;
    let expected = [
        "Group Deleted: -, none to none, by ines",
        "Group Member Removed: acc-2, direct to none, by ines",
        "Group Member Removed: acc-2, indirect to none, by ines",
    ];
    assert_eq!(deleted, expected);
}

/// Reads, repeated writes, refused ones, late requests, unknown accounts and fields outside the events.
#[tokio::test]
async fn calls_without_a_change_publish_nothing() {
    let publisher = Publisher::start().await;
    let api = &publisher.api;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    publisher.new_events().await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    api.put(&format!("/{id}"), json!({ "name": "" })).await.refused(400, "VALIDATION_ERROR");
    api.delete(&format!("/{id}/members/acc-2")).await.not_found();
    api.hand(&[request_event("remove", &id, "acc-1", "2024-01-01T00:00:00Z")]).await;
    api.hand(&[request_event("remove", &id, "acc-2", T3)]).await;
    api.hand(&[account_event("Updated", "acc-1", "other.name", T3)]).await;
    api.get(&format!("/{id}/members")).await.ok();
    assert_eq!(publisher.new_events().await.len(), 0);
}

#[tokio::test]
async fn refused_events_are_published_on_retry() {
    let faults = Faults::default();
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let deps = api.publish_events_deps(&faults.start_proxy(&api.bus_endpoint()).await);
    let mut pump = Pump::publishing(&api).await;
    for number in 0..12 {
        api.group(&format!("{number:02}")).await;
    }
    const PUT: &str = "PutEvents";
    // The bus refuses some, accepts others, and loses the answer about the rest.
    faults.next(PUT, Fault::NotTaken(3, "ThrottlingException")).next(PUT, Fault::NotTaken(2, "InternalFailure"));
    faults.next(PUT, Fault::AnswerLost).next(PUT, Fault::InternalError).next(PUT, Fault::NeverArrives);
    pump.fetch().await;
    let records: Vec<Value> = pump.waiting.drain(..).collect();
    pump.deliver(&deps, records.clone()).await;
    assert_eq!((pump.waiting.len(), faults.left()), (0, 0));
    let names = |events: &[Value]| -> Vec<String> {
        let mut names: Vec<String> =
            events.iter().map(|event| event["detail"]["after"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    let all: Vec<String> = (0..12).map(|number| format!("{number:02}")).collect();
    assert_eq!(names(&api.published()), all);
    // The bus refuses all until the deadline: all records wait, and yield the same events later.
    let count = api.published().len();
    faults.repeat(PUT, Fault::NotTaken(10, "InternalFailure"), 1_000);
    let soon = Instant::now() + Duration::from_millis(300);
    let hurried = shared::app::Dependencies::until(&deps, soon);
    pump.deliver(&hurried, records).await;
    assert_eq!((pump.waiting.len(), api.published().len()), (12, count));
    faults.stop();
    pump.drain(&deps).await;
    let mut listener = Listener::default();
    api.published().iter().for_each(|event| listener.hear(event));
    listener.assert_knows(&api).await;
    assert!(api.dead_letter_reasons().is_empty());
    // An event that the bus refuses for good becomes a dead letter and blocks no other.
    faults.next(PUT, Fault::NotTaken(1, "MalformedDetail"));
    for name in ["refused", "accepted"] {
        api.group(name).await;
    }
    pump.drain(&deps).await;
    assert!(names(&api.published()).contains(&"accepted".to_owned()));
    let [letter] = &api.bus.dead_letters().unwrap()[..] else { panic!() };
    assert!(letter.reason.as_ref().unwrap().ends_with(": MalformedDetail") && letter.body.contains("refused"));
}

/// A request holds ten entries and 256 KB.
#[tokio::test]
async fn entries_are_split_into_requests_by_count_and_size() {
    let api = Api::start().await;
    let faults = Faults::default();
    let deps = api.publish_events_deps(&faults.start_proxy(&api.bus_endpoint()).await);
    let entry = |bytes: usize| Entry {
        detail_type: "Group Created",
        detail: json!({ "text": "é".repeat(bytes / 2) }).to_string(),
        time: now(),
    };
    for (entries, requests) in [
        (vec![entry(10); 25], 3),
        (vec![entry(100_000); 5], 3),
        (vec![entry(127 * 1024); 4], 2),
        (vec![entry(10), entry(300_000), entry(10)], 3),
        (Vec::new(), 0),
    ] {
        faults.repeat("PutEvents", Fault::Passes, 100);
        let count = entries.len();
        assert_eq!(deps.bus.publish(&entries).await, vec![Delivery::Done; count]);
        assert_eq!(100 - faults.left(), requests);
        faults.stop();
    }
}

/// A published change that history lacks would be a contradiction. Faults that may pass are waited for.
#[tokio::test]
async fn no_event_is_published_before_history_has_the_change() {
    let faults = Faults::default();
    let api = Api::start_streaming(|_| {}, &faults).await;
    let group = api.group("Finance").await;
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{group}/members/acc-1"), Value::Null).await.ok();
    let deps = api.publish_events_deps(&api.bus_endpoint());
    let mut pump = Pump::publishing(&api).await;
    pump.fetch().await;
    const WRITE: &str = "BatchWriteItem";
    faults.next(WRITE, Fault::Malformed);
    let batch: Vec<Value> = pump.waiting.drain(..).collect();
    pump.deliver(&deps, batch.clone()).await;
    assert_eq!((pump.waiting.len(), api.published().len()), (batch.len(), 0), "the batch is retried as a whole");
    for fault in [Fault::Throttle, Fault::AnswerLost, Fault::Unprocessed(1), Fault::InternalError] {
        faults.next(WRITE, fault);
    }
    pump.drain(&deps).await;
    assert_eq!((pump.waiting.len(), faults.left(), api.published().len()), (0, 0, 2));
    let history = api.all_items(&format!("/{group}/history"), "history").await;
    assert_eq!(history.len(), 2, "written several times, each change is there once");
}
