//! The sweep: beside other changes, with a clock that steps back, after crashes, and its cost.

use futures::future::join;
use serde_json::{Value, json};
use shared::domain::{AccountId, Clock, ExpiryNotice, GroupId};
use shared::propagation::Propagation;
use shared::store::keys::Key;
use shared::store::{DueMembership, client_for};
use shared::verify::repair;

use super::{DAY, NONE, add, add_for, assert_sound_at_rest, direct, shown, start};
use crate::harness::clock::{TestClock, later};
use crate::harness::faults::{Fault, Faults};
use crate::harness::numbered;
use crate::harness::pump::{Pump, assert_sound, drain_all, violations};
use crate::harness::recorder::operations;

/// The clock that is read for the sweep may be behind the one that set the end, and may step back.
#[tokio::test]
async fn clock_that_steps_back_ends_nothing_early_and_nothing_twice() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    add_for(&api, &clock, &group, "acc-1", 60).await;
    clock.step_back(30);
    api.expire_members().await;
    assert_eq!(shown(&api, &group, "acc-1").await, direct(1));
    clock.advance(90);
    api.expire_members().await;
    clock.step_back(60);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await.len(), 0);
    add_for(&api, &clock, &group, "acc-1", 30).await;
    clock.advance(30);
    assert_eq!(shown(&api, &group, "acc-1").await, NONE);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await.len(), 0);
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn sweep_that_crashes_is_finished_by_the_next() {
    let faults = Faults::default();
    let (api, clock) = start(Some(&faults)).await;
    let group = api.group("Team").await;
    add_for(&api, &clock, &group, "acc-1", 60).await;
    api.expire_members().await;
    clock.advance(60);
    // The end is committed, and the due row is left.
    faults.next("TransactWriteItems", Fault::Passes).next("TransactWriteItems", Fault::Malformed);
    assert_eq!(api.expire_members().await, json!({ "due": 1, "left": 1 }));
    assert_eq!(shown(&api, &group, "acc-1").await, NONE);
    // In the meantime, it is a member again, for good.
    add(&api, &group, "acc-1", Value::Null).await.ok();
    assert_eq!(api.expire_members().await, json!({ "due": 1, "left": 0 }));
    assert_eq!(shown(&api, &group, "acc-1").await, direct(1));
    assert_eq!(api.expire_members().await["due"], json!(0));
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn due_row_that_is_worked_on_twice_changes_nothing() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    let end = add_for(&api, &clock, &group, "acc-1", 60).await;
    clock.advance(60);
    let parsed = (GroupId::parse(&group).unwrap(), AccountId::parse("acc-1").unwrap());
    let due = |at| DueMembership { at, group: parsed.0, account: parsed.1.clone() };
    api.expire_members().await;
    add_for(&api, &clock, &group, "acc-1", 60).await;
    let notice = ExpiryNotice::parse("7").unwrap();
    for at in [end, later(end, -60), end] {
        api.store.apply_due(&due(at), notice, clock.now()).await.unwrap();
    }
    assert_eq!(shown(&api, &group, "acc-1").await, direct(1));
    clock.advance(60);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await.len(), 0);
    assert_sound_at_rest(&api).await;
}

#[tokio::test]
async fn end_that_is_moved_while_it_is_swept_does_not_come() {
    for body in [json!({ "expires_at": null }), json!({ "expires_at": "2999-01-01T00:00:00Z" })] {
        let faults = Faults::default();
        let (api, clock) = start(Some(&faults)).await;
        let group = api.group("Team").await;
        add_for(&api, &clock, &group, "acc-1", 60).await;
        clock.advance(59);
        // The sweep's clock is a second ahead.
        let ahead = TestClock::new();
        ahead.advance(120);
        faults.next("TransactWriteItems", Fault::Holds);
        let sweep = api.expire_members_by(&ahead);
        let moved = async {
            faults.wait_for_held().await;
            let moved = add(&api, &group, "acc-1", body.clone()).await;
            faults.release();
            moved.ok()
        };
        let (swept, moved) = join(sweep, moved).await;
        assert_eq!(swept["left"], json!(0));
        assert_eq!(moved["expires_at"], body["expires_at"], "{moved}");
        assert_eq!(shown(&api, &group, "acc-1").await, direct(1));
        assert_sound_at_rest(&api).await;
    }
}

#[tokio::test]
async fn lost_due_rows_are_found_and_written_again() {
    let (api, clock) = start(None).await;
    let group = api.group("Team").await;
    add_for(&api, &clock, &group, "acc-1", 60).await;
    add(&api, &group, "acc-2", json!({ "starts_at": later(clock.now(), 60) })).await.ok();
    drain_all(&api).await;
    let (now, client) = (clock.now(), client_for(&api.endpoint, |builder| builder));
    for due in api.store.due_memberships(10, later(now, DAY)).await.unwrap() {
        let key = Key::due(due.at, &due.group, &due.account).to_attributes();
        client.delete_item().table_name(&api.table).set_key(Some(key)).send().await.unwrap();
    }
    let found: Vec<String> = violations(&api).await.iter().map(ToString::to_string).collect();
    let line = |account| format!("10: {group} {account}: its start or end is not noted where it is looked for");
    assert_eq!(found, [line("acc-1"), line("acc-2")]);
    let propagation = Propagation { store: &api.store, actor: None, now };
    assert!(repair(propagation).await.unwrap().is_empty());
    clock.advance(60);
    api.expire_members().await;
    assert_eq!(api.member_types(&group).await, [("acc-2".to_owned(), "direct".to_owned())]);
}

#[tokio::test]
async fn many_memberships_that_end_together_are_ended_in_one_run() {
    let (api, clock) = start(None).await;
    let chain = api.chain(&["Top", "Team"]).await;
    let accounts: Vec<String> = (0..150).map(numbered).collect();
    api.numbered_accounts(0..150).await;
    let end = later(clock.now(), 60);
    let body = json!({ "add": accounts, "expires_at": end });
    api.patch(&format!("/{}/members", chain[1]), body).await.ok();
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    api.expire_members().await;
    clock.advance(60);
    assert_eq!(api.expire_members().await, json!({ "due": 150, "left": 0 }));
    assert_eq!(api.get(&format!("/{}/members", chain[0])).await.ok()["count"], json!(0));
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn ends_cost_no_request_more_until_they_come() {
    let (api, clock) = start(None).await;
    let chain = api.chain(&["Top", "Team"]).await;
    api.recorder.take();
    add_for(&api, &clock, &chain[1], "acc-1", 60).await;
    let requests = api.recorder.take();
    assert_eq!(operations(&requests), ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
    for expected in [1, 4] {
        api.get(&format!("/{}/members/acc-1", chain[0])).await;
        let requests = api.recorder.take();
        assert_eq!(operations(&requests), vec!["BatchGetItem"; expected.min(3)]);
        clock.advance(60);
    }
    api.expire_members().await;
    let requests = api.recorder.take();
    assert_eq!(requests.iter().filter(|it| it.operation == "Query").count(), 16, "each partition, twice");
    let others: Vec<&str> = operations(&requests).into_iter().filter(|it| *it != "Query").collect();
    let read_and_write = ["BatchGetItem", "TransactWriteItems"];
    assert_eq!(others, [["BatchGetItem"].as_slice(), &read_and_write, &read_and_write].concat());
}
