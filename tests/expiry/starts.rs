//! Memberships that start later.

use reqwest::Method;
use serde_json::{Value, json};
use shared::authz::Role;
use shared::domain::Clock;

use super::{NONE, add, add_for, assert_sound_at_rest, direct, indirect, shown, start};
use crate::harness::clock::{TestClock, later};
use crate::harness::exchange::request_event;
use crate::harness::pump::{assert_sound, drain_all, violations};
use crate::harness::{Answer, Api, token};

#[tokio::test]
async fn membership_starts_and_ends_at_its_times() {
    let (api, clock) = start(None).await;
    let chain = api.chain(&["Top", "Team"]).await;
    let (start_at, end) = (later(clock.now(), 60), later(clock.now(), 120));
    let body = json!({ "starts_at": start_at, "expires_at": end });
    let scheduled = add(&api, &chain[1], "acc-1", body).await.ok();
    let expected = [("starts_at", json!(start_at)), ("added_date", json!(start_at)), ("expires_at", json!(end))];
    for (field, value) in expected {
        assert_eq!(scheduled[field], value);
    }
    clock.advance(59);
    api.expire_members().await;
    assert_eq!(shown(&api, &chain[1], "acc-1").await, NONE);

    clock.advance(1);
    api.expire_members().await;
    drain_all(&api).await;
    assert_eq!(shown(&api, &chain[1], "acc-1").await, direct(1));
    assert_eq!(shown(&api, &chain[0], "acc-1").await, indirect(1));
    let paths = api.get(&format!("/{}/members/acc-1/paths", chain[0])).await.ok();
    assert_eq!(paths["paths"][0]["steps"][0]["added_by"], json!("alice"), "who scheduled it");

    clock.advance(60);
    assert_eq!(shown(&api, &chain[0], "acc-1").await, NONE);
    api.expire_members().await;
    drain_all(&api).await;
    assert_eq!(api.member_types(&chain[0]).await.len(), 0);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn later_decision_takes_the_place_of_a_schedule() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    let body = || json!({ "starts_at": later(clock.now(), 60) });
    for account in ["acc-1", "acc-2", "acc-3"] {
        add(&api, &group, account, body()).await.ok();
    }
    assert_eq!(api.delete(&format!("/{group}/members/acc-1")).await.status, 204, "it is not scheduled any more");
    assert_eq!(api.delete(&format!("/{group}/members/acc-1")).await.status, 404);
    add(&api, &group, "acc-2", Value::Null).await.ok();
    assert_eq!(api.delete(&format!("/{group}/members/acc-2")).await.status, 204);
    let later_request = request_event("remove", &group, "acc-3", &later(clock.now(), 1).to_string());
    assert!(api.hand(&[later_request]).await.is_empty());

    clock.advance(60);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await.len(), 0);
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn schedule_without_its_account_or_group_or_after_its_end_is_dropped() {
    let (api, clock) = start(None).await;
    let [gone, group] = [api.group("Gone").await, api.group("Team").await];
    let start_at = later(clock.now(), 60);
    add(&api, &gone, "acc-1", json!({ "starts_at": start_at })).await.ok();
    add(&api, &group, "acc-2", json!({ "starts_at": start_at, "expires_at": later(clock.now(), 70) })).await.ok();
    assert_eq!(api.delete(&format!("/{gone}")).await.status, 204);
    clock.advance(80);
    assert_eq!(api.expire_members().await["left"], json!(0));
    drain_all(&api).await;
    assert_eq!(api.member_types(&group).await.len(), 0);
    assert_eq!(api.expire_members().await["due"], json!(0));
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn direct_member_cannot_start_later() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    add(&api, &group, "acc-1", Value::Null).await.ok();
    let body = json!({ "starts_at": later(clock.now(), 60) });
    let path = format!("/{group}/members/acc-1");
    for query in ["", "?dry_run=true"] {
        let answer = api.put(&format!("{path}{query}"), body.clone()).await;
        assert!(answer.text.contains("leave out starts_at"), "{}", answer.text);
        answer.refused(409, "CONFLICT");
    }
    let preview = add(&api, &group, "acc-2?dry_run=true", body).await;
    assert_eq!((preview.status.as_u16(), &preview.body["groups"]), (200, &json!([])), "nothing changes now");
    assert_eq!(api.expire_members().await["due"], json!(0), "and nothing later");
}

#[tokio::test]
async fn start_in_a_group_that_has_become_privileged_needs_the_role() {
    let clock = TestClock::new();
    let role = Role::parse("Guardian").unwrap();
    let api = Api::start_clocked(|config| config.policy.privileged_role = role, &clock, None).await;
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    let group = api.group("Team").await;
    let guardian = token("grace", &["Administrator", "Guardian"]);
    let body = json!({ "starts_at": later(clock.now(), 60) });
    add(&api, &group, "acc-1", body.clone()).await.ok();
    let path = format!("/{group}/members/acc-2");
    Answer::to(api.request_as(Some(&guardian), Method::PUT, &path).json(&body)).await.ok();
    add_for(&api, &clock, &group, "acc-3", 60).await;
    let flag = api.request_as(Some(&guardian), Method::PATCH, &format!("/{group}"));
    Answer::to(flag.json(&json!({ "is_privileged": true }))).await.ok();
    let refused = add(&api, &group, "acc-3", json!({ "expires_at": null })).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let refused = add(&api, &group, "acc-1", body).await;
    assert_eq!(refused.status, 403, "{}", refused.text);

    clock.advance(60);
    assert_eq!(api.expire_members().await["left"], json!(0));
    assert_eq!(api.member_types(&group).await, [("acc-2".to_owned(), "direct".to_owned())], "an end always comes");
    assert_sound_at_rest(&api).await;
}
