//! Memberships with a start or an end: single reads go by the clock, everything else follows the sweep.

mod starts;
mod sweep;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{Clock, Timestamp};

use crate::harness::clock::{TestClock, later};
use crate::harness::faults::Faults;
use crate::harness::pump::{assert_sound, drain_all, violations};
use crate::harness::{Answer, Api, token};

const DAY: i64 = 86_400;

/// An API with a clock, and accounts.
async fn start(faults: Option<&Faults>) -> (Api, TestClock) {
    let clock = TestClock::new();
    let api = Api::start_clocked(|_| {}, &clock, faults).await;
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    (api, clock)
}

async fn add(api: &Api, group: &str, account: &str, body: Value) -> Answer {
    api.put(&format!("/{group}/members/{account}"), body).await
}

/// Adds an account until so many seconds from now. Returns the end.
async fn add_for(api: &Api, clock: &TestClock, group: &str, account: &str, seconds: i64) -> Timestamp {
    let end = later(clock.now(), seconds);
    let member = add(api, group, account, json!({ "expires_at": end })).await.ok();
    assert_eq!(member["expires_at"], json!(end));
    end
}

/// How single reads show an account: as a member, by a check, and by the number of ways to the group.
async fn shown(api: &Api, group: &str, account: &str) -> (Option<String>, bool, usize) {
    let member = api.get(&format!("/{group}/members/{account}")).await;
    let member_type = member.body["membership_type"].as_str().map(str::to_owned);
    let checks = api.post(&format!("/api/v1/accounts/{account}/check"), json!({ "group_ids": [group] })).await.ok();
    let paths = api.get(&format!("/{group}/members/{account}/paths")).await;
    let ways = paths.body["paths"].as_array().map_or(0, Vec::len);
    assert_eq!((member.status == 404, paths.status == 404), (member_type.is_none(), ways == 0));
    (member_type, checks["checks"][0]["is_member"].as_bool().unwrap(), ways)
}

/// The published events about members, in their order: type, account, actor.
async fn member_events(api: &Api) -> Vec<String> {
    drain_all(api).await;
    let text = |event: &Value| {
        let detail = &event["detail"];
        let field = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", event["detail-type"].as_str().unwrap(), field("account_id"), field("actor"))
    };
    let mut seen = BTreeSet::new();
    let mut events = api.published();
    events.retain(|event| seen.insert(event["detail"]["id"].to_string()));
    events.iter().filter(|event| event["detail"]["account_id"].is_string()).map(text).collect()
}

/// Delivers all records. Asserts that the table has no invariant violation.
async fn assert_sound_at_rest(api: &Api) {
    drain_all(api).await;
    assert_sound(&violations(api).await);
}

fn direct(ways: usize) -> (Option<String>, bool, usize) {
    (Some("direct".into()), true, ways)
}

fn indirect(ways: usize) -> (Option<String>, bool, usize) {
    (Some("indirect".into()), true, ways)
}

const NONE: (Option<String>, bool, usize) = (None, false, 0);

#[tokio::test]
async fn membership_has_ended_from_its_second_on_in_all_groups_above() {
    let (api, clock) = start(None).await;
    let chain = api.chain(&["Top", "Middle", "Team"]).await;
    let [top, middle, team] = [&chain[0], &chain[1], &chain[2]];
    add_for(&api, &clock, team, "acc-1", 100).await;
    clock.advance(99);
    assert_eq!(shown(&api, team, "acc-1").await, direct(1));
    assert_eq!(shown(&api, top, "acc-1").await, indirect(1));

    clock.advance(1);
    for group in [team, middle, top] {
        assert_eq!(shown(&api, group, "acc-1").await, NONE);
        assert_eq!(api.member_types(group).await.len(), 1, "lists follow the sweep");
    }

    assert_eq!(api.expire_members().await, json!({ "due": 1, "left": 0 }));
    for group in [team, middle, top] {
        assert_eq!(shown(&api, group, "acc-1").await, NONE);
        assert_eq!(api.get(&format!("/{group}/members")).await.ok()["count"], json!(0));
    }
    assert_eq!(api.expire_members().await, json!({ "due": 0, "left": 0 }));
    let removed = "Group Member Removed acc-1 groups:expiry";
    let events = member_events(&api).await;
    assert_eq!(events.iter().filter(|event| *event == removed).count(), 3, "{events:?}");
    assert_sound(&violations(&api).await);
    let history = api.get(&format!("/{top}/history?account_id=acc-1")).await.ok();
    assert_eq!(history["history"][0]["actor"], json!("groups:expiry"));
}

#[tokio::test]
async fn other_ways_to_a_group_stay() {
    let (api, clock) = start(None).await;
    let top = api.group("Top").await;
    let [left, right] = [api.group("Left").await, api.group("Right").await];
    api.nest(&top, &left).await;
    api.nest(&top, &right).await;
    add_for(&api, &clock, &left, "acc-1", 60).await;
    add(&api, &right, "acc-1", Value::Null).await.ok();
    add_for(&api, &clock, &top, "acc-1", 60).await;
    assert_eq!(shown(&api, &top, "acc-1").await, direct(3));

    clock.advance(60);
    let by_the_clock = api.get(&format!("/{top}/members/acc-1")).await.ok();
    assert_eq!(by_the_clock["via"], json!([right]));
    assert_eq!(by_the_clock.get("expires_at"), None);
    assert_eq!(shown(&api, &top, "acc-1").await, indirect(1));
    assert_eq!(shown(&api, &left, "acc-1").await, NONE);

    api.expire_members().await;
    assert_eq!(shown(&api, &top, "acc-1").await, indirect(1));
    assert_eq!(api.get(&format!("/{top}/members/acc-1")).await.ok()["via"], json!([right]));
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn end_is_announced_once_and_again_when_it_is_moved() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    let announced = |events: &[String]| events.iter().filter(|it| it.starts_with("Group Member Expiring")).count();
    add_for(&api, &clock, &group, "acc-1", 10 * DAY).await;
    api.expire_members().await;
    clock.advance(u64::try_from(3 * DAY).unwrap() - 1);
    api.expire_members().await;
    assert_eq!(announced(&member_events(&api).await), 0);

    clock.advance(1);
    api.expire_members().await;
    api.expire_members().await;
    assert_eq!(announced(&member_events(&api).await), 1);

    let end = add_for(&api, &clock, &group, "acc-1", 20 * DAY).await;
    clock.advance(u64::try_from(13 * DAY).unwrap());
    api.expire_members().await;
    let events = member_events(&api).await;
    assert_eq!(announced(&events), 2, "{events:?}");
    assert_eq!(events.iter().filter(|event| event.starts_with("Group Member Removed")).count(), 0);
    let last = api.published().into_iter().rfind(|it| it["detail-type"] == "Group Member Expiring").unwrap();
    assert_eq!(last["detail"]["expires_at"], json!(end));
    assert_eq!(last["detail"]["actor"], json!("groups:expiry"));
}

#[tokio::test]
async fn end_that_is_cleared_or_moved_does_not_come() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    add_for(&api, &clock, &group, "acc-1", 60).await;
    add_for(&api, &clock, &group, "acc-2", 60).await;
    // Adding it again without a body leaves the end as it is.
    let again = add(&api, &group, "acc-1", Value::Null).await.ok();
    assert!(again["expires_at"].is_string());
    let body = json!({ "add": ["acc-1"], "expires_at": null });
    let outcomes = api.patch(&format!("/{group}/members"), body).await.ok();
    assert_eq!(outcomes["outcomes"][0]["outcome"], json!("already_member"));
    add_for(&api, &clock, &group, "acc-2", 120).await;

    clock.advance(60);
    assert_eq!(shown(&api, &group, "acc-1").await, direct(1));
    assert_eq!(shown(&api, &group, "acc-2").await, direct(1));
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await.len(), 2);
    let listed = api.get(&format!("/{group}/members")).await.ok();
    assert_eq!(listed["members"][0].get("expires_at"), None);
    assert!(listed["members"][1]["expires_at"].is_string());

    clock.advance(60);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await, [("acc-1".to_owned(), "direct".to_owned())]);
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn start_and_end_are_validated() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    let now = clock.now();
    for (body, field, reason) in [
        (json!({ "expires_at": now }), "expires_at", format!("is not later than now, which is {now}")),
        (json!({ "expires_at": "tomorrow" }), "expires_at", "is not a time in RFC 3339".into()),
        (json!({ "expires_at": 5 }), "expires_at", "is not a string".into()),
        (json!({ "starts_at": "x" }), "starts_at", "is not a time in RFC 3339".into()),
        (
            json!({ "starts_at": later(now, 20), "expires_at": later(now, 20) }),
            "expires_at",
            "is not later than starts_at".into(),
        ),
        (json!({ "ends_at": null }), "ends_at", "is not known here".into()),
    ] {
        for (method, path, with) in [
            (Method::PUT, format!("/{group}/members/acc-1"), json!({})),
            (Method::PATCH, format!("/{group}/members"), json!({ "add": ["acc-1"] })),
        ] {
            let mut body = body.clone();
            body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            let answer = Answer::to(api.request(method, &path).json(&body)).await;
            let detail = &answer.body["error"]["details"][0];
            assert_eq!((answer.status.as_u16(), &detail["field"]), (400, &json!(field)), "{}", answer.text);
            assert!(detail["reason"].as_str().unwrap().starts_with(&reason), "{detail}");
        }
    }
    assert_eq!(api.member_types(&group).await.len(), 0);
    // A start that has passed is now.
    let member = add(&api, &group, "acc-1", json!({ "starts_at": later(now, -5) })).await.ok();
    assert_eq!((member.get("starts_at"), &member["added_date"]), (None, &json!(now)));
}

#[tokio::test]
async fn account_added_again_at_the_second_of_its_end_is_a_member() {
    for sweeps_between in [false, true] {
        let (api, clock) = start(None).await;
        let chain = api.chain(&["Top", "Team"]).await;
        let end = add_for(&api, &clock, &chain[1], "acc-1", 60).await;
        clock.advance(60);
        if sweeps_between {
            api.expire_members().await;
        }
        let path = format!("/{}/members/acc-1", chain[1]);
        let new_only = api.request(Method::PUT, &path).header("If-None-Match", "*").json(&json!({}));
        let again = Answer::to(new_only).await.ok();
        assert_eq!((again.get("expires_at"), &again["added_date"]), (None, &json!(end)));
        assert_eq!(shown(&api, &chain[0], "acc-1").await, indirect(1));
        api.expire_members().await;
        assert_eq!(shown(&api, &chain[1], "acc-1").await, direct(1));
        assert_eq!(api.member_types(&chain[0]).await.len(), 1);
        assert_sound_at_rest(&api).await;
    }
}

#[tokio::test]
async fn manager_whose_membership_has_ended_manages_nothing() {
    let (api, clock) = start(None).await;
    let [group, leads] = [api.group("Team").await, api.group("Leads").await];
    api.put(&format!("/{group}/managers/{leads}"), Value::Null).await.ok();
    add_for(&api, &clock, &leads, "acc-1", 60).await;
    let path = format!("/{group}/members/acc-2");
    let manager = token("acc-1", &["Reader"]);
    let put = || Answer::to(api.request_as(Some(&manager), Method::PUT, &path).json(&json!({})));
    assert_eq!(put().await.status, 200);
    clock.advance(60);
    assert_eq!(put().await.status, 403);
}
