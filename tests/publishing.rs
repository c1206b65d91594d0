//! What other systems are told: every change that was committed, with who made it, and nothing else; over a bus that does
//! not take everything at once.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};
use shared::bus::{Delivery, Entry};
use shared::config::Config;
use tokio::time::Instant;

use crate::harness::exchange::{Listener, T3, account_event, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::Pump;
use crate::harness::{Answer, Api, now, token};

/// The API with its stream, all that follows from what was done, and what was published of it.
struct ErrorReply {
    api: Api,
    told: Cell<usize>,
}

impl ErrorReply {
    async fn start() -> Self {
        // What follows from writes is left to the stream.
        let configure = |config: &mut Config| config.settle_budget = Duration::ZERO;
        Self { api: Api::start_streaming(configure, &Faults::default()).await, told: Cell::new(0) }
    }

    /// What was published since this was last asked: kind, actor, and all of the detail.
    async fn since(&self) -> Vec<(String, String, Value)> {
        Pump::of(&self.api).await.drain(&self.api.app).await;
        Pump::publishing(&self.api).await.drain(&self.api.outlet(&self.api.bus_endpoint())).await;
        // The stream is read from its beginning each time: what was told before is told again, and is the same.
        let mut listener = Listener::default();
        let mut new: Vec<Value> = Vec::new();
        for event in self.api.published() {
            listener.hear(&event);
            if !new.iter().any(|other: &Value| other["detail"]["id"] == event["detail"]["id"]) {
                new.push(event);
            }
        }
        listener.assert_knows(&self.api).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let told = new.split_off(self.told.get()).into_iter();
        let told: Vec<_> = told
            .map(|mut event| (text(&event["detail-type"]), text(&event["detail"]["actor"]), event["detail"].take()))
            .collect();
        self.told.set(self.told.get() + told.len());
        told
    }
}

/// Kind, actor and account of events of members, in an order of their own.
fn members(told: &[(String, String, Value)]) -> Vec<String> {
    let mut lines: Vec<String> = told
        .iter()
        .map(|(kind, actor, detail)| {
            let how = |side: &str| detail[side]["membership_type"].as_str().unwrap_or("none").to_owned();
            let account = detail["account_id"].as_str().unwrap_or("-");
            format!("{kind}: {account}, {} to {}, by {actor}", how("before"), how("after"))
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_groups_own_changes_are_told_with_before_and_after() {
    let told = ErrorReply::start().await;
    let id = told.api.group("First").await;
    let [(kind, actor, detail)] = &told.since().await[..] else { panic!() };
    let state = |name: &str, description: &str| json!({ "name": name, "description": description, "group_type": "security", "is_privileged": false });
    assert_eq!((kind.as_str(), actor.as_str()), ("Group Created", "alice"));
    let occurred_at = &detail["occurred_at"];
    let expected = json!({
        "id": format!("{id}/1"), "occurred_at": occurred_at, "actor": "alice", "revision": 1, "group_id": id,
        "after": state("First", ""),
    });
    assert_eq!(*detail, expected);
    let body = json!({ "name": "Second", "description": "more" });
    let by_dora =
        told.api.request_as(Some(&token("dora", &["Administrator"])), reqwest::Method::PUT, &format!("/{id}"));
    Answer::to(by_dora.json(&body)).await.ok();
    told.api.put(&format!("/{id}"), json!({})).await.ok();
    assert_eq!(told.api.delete(&format!("/{id}")).await.status, 204);
    let [(updated, dora, update), (deleted, alice, deletion)] = &told.since().await[..] else { panic!() };
    assert_eq!((updated.as_str(), dora.as_str()), ("Group Updated", "dora"));
    assert_eq!((&update["before"], &update["after"]), (&state("First", ""), &state("Second", "more")));
    assert_eq!((deleted.as_str(), alice.as_str()), ("Group Deleted", "alice"));
    assert_eq!((&deletion["before"], deletion.get("after")), (&state("Second", "more"), None));
    assert_eq!([&update["revision"], &deletion["revision"]], [2, 3]);
}

/// Through levels, by the stream alone: whoever changed it below is who changed it above.
#[tokio::test]
async fn who_made_a_change_is_named_at_every_level() {
    let told = ErrorReply::start().await;
    let api = &told.api;
    let groups = api.chain(&["above", "below"]).await;
    api.accounts(&["acc-1", "acc-2"]).await;
    assert_eq!(told.since().await.len(), 2);
    let by = async |sub: &str, method: reqwest::Method, path: String| {
        let token = token(sub, &["Administrator"]);
        assert!(Answer::to(told.api.request_as(Some(&token), method, &path)).await.status.is_success());
    };
    by("dora", reqwest::Method::PUT, format!("/{}/members/acc-1", groups[1])).await;
    api.hand(&[request_event("add", &groups[1], "acc-2", T3)]).await;
    let added = members(&told.since().await);
    let expected = [
        "Group Member Added: acc-1, none to direct, by dora",
        "Group Member Added: acc-1, none to indirect, by dora",
        "Group Member Added: acc-2, none to direct, by carol",
        "Group Member Added: acc-2, none to indirect, by carol",
    ];
    assert_eq!(added, expected);
    by("erik", reqwest::Method::PUT, format!("/{}/members/acc-1", groups[0])).await;
    by("fred", reqwest::Method::DELETE, format!("/{}/members/acc-1", groups[1])).await;
    let changed = members(&told.since().await);
    let expected = [
        "Group Member Added: acc-1, direct to direct, by fred",
        "Group Member Added: acc-1, indirect to direct, by erik",
        "Group Member Removed: acc-1, direct to none, by fred",
    ];
    assert_eq!(changed, expected, "who is still a member is not removed");
    by("gina", reqwest::Method::DELETE, format!("/{}/groups/{}", groups[0], groups[1])).await;
    assert_eq!(members(&told.since().await), ["Group Member Removed: acc-2, indirect to none, by gina"]);
    by("hans", reqwest::Method::PUT, format!("/{}/groups/{}", groups[0], groups[1])).await;
    assert_eq!(members(&told.since().await), ["Group Member Added: acc-2, none to indirect, by hans"]);
    told.api.hand(&[account_event("Deleted", "acc-1", "", T3)]).await;
    assert_eq!(members(&told.since().await), ["Group Member Removed: acc-1, direct to none, by accounts"]);
    by("ines", reqwest::Method::DELETE, format!("/{}", groups[1])).await;
    let deleted = members(&told.since().await);
    let expected = [
        "Group Deleted: -, none to none, by ines",
        "Group Member Removed: acc-2, direct to none, by ines",
        "Group Member Removed: acc-2, indirect to none, by ines",
    ];
    assert_eq!(deleted, expected);
}

/// Nothing is told of what changes nothing: reads, repeats, refusals, late requests, accounts that nobody is.
#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let told = ErrorReply::start().await;
    let api = &told.api;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    told.since().await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    api.put(&format!("/{id}"), json!({ "name": "" })).await.refused(400, "VALIDATION_ERROR");
    api.delete(&format!("/{id}/members/acc-2")).await.not_found();
    api.hand(&[request_event("remove", &id, "acc-1", "2024-01-01T00:00:00Z")]).await;
    api.hand(&[request_event("remove", &id, "acc-2", T3)]).await;
    api.hand(&[account_event("Updated", "acc-1", "other.name", T3)]).await;
    api.get(&format!("/{id}/members")).await.ok();
    assert_eq!(told.since().await.len(), 0);
}

#[tokio::test]
async fn a_bus_that_does_not_take_everything_is_asked_again() {
    let faults = Faults::default();
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let outlet = api.outlet(&faults.stand_before(&api.bus_endpoint()).await);
    let mut pump = Pump::publishing(&api).await;
    for number in 0..12 {
        api.group(&format!("{number:02}")).await;
    }
    const PUT: &str = "PutEvents";
    // Some are not taken, some are taken and nobody says so.
    faults.next(PUT, Fault::NotTaken(3, "ThrottlingException")).next(PUT, Fault::NotTaken(2, "InternalFailure"));
    faults.next(PUT, Fault::AnswerLost).next(PUT, Fault::InternalError).next(PUT, Fault::NeverArrives);
    pump.fetch().await;
    let records: Vec<Value> = pump.waiting.drain(..).collect();
    pump.deliver(&outlet, records.clone()).await;
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
    // Not in the time there is: those come again, with all behind them, and are the same events.
    let count = api.published().len();
    faults.repeat(PUT, Fault::NotTaken(10, "InternalFailure"), 1_000);
    let soon = Instant::now() + Duration::from_millis(300);
    let hurried = shared::app::Dependencies::until(&outlet, soon);
    pump.deliver(&hurried, records).await;
    assert_eq!((pump.waiting.len(), api.published().len()), (12, count));
    faults.stop();
    pump.drain(&outlet).await;
    let mut listener = Listener::default();
    api.published().iter().for_each(|event| listener.hear(event));
    listener.assert_knows(&api).await;
    assert!(api.dead().is_empty());
    // What the bus will never take is put aside, and in nobody's way.
    faults.next(PUT, Fault::NotTaken(1, "MalformedDetail"));
    for name in ["refused", "taken"] {
        api.group(name).await;
    }
    pump.drain(&outlet).await;
    assert!(names(&api.published()).contains(&"taken".to_owned()));
    let [letter] = &api.bus.dead_letters().unwrap()[..] else { panic!() };
    assert!(letter.reason.as_ref().unwrap().ends_with(": MalformedDetail") && letter.body.contains("refused"));
}

/// Ten entries and 256 KB to a request, whatever they hold.
#[tokio::test]
async fn entries_go_by_as_many_as_a_request_takes() {
    let api = Api::start().await;
    let faults = Faults::default();
    let outlet = api.outlet(&faults.stand_before(&api.bus_endpoint()).await);
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
        assert_eq!(outlet.bus.publish(&entries).await, vec![Delivery::Done; count]);
        assert_eq!(100 - faults.left(), requests);
        faults.stop();
    }
}
