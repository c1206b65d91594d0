//! A restored table, attached as docs/operations.md says ("Restore the table").

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use groups_local::table;
use serde_json::Value;
use shared::config::Config;
use shared::propagation::Propagation;
use shared::store::client_for;
use shared::verify::repair;

use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, numbered, template};

const MEMBERS: usize = 5;

/// Copies all rows to a table without a stream, as a restore does, and enables one.
#[expect(clippy::disallowed_methods, reason = "a restore copies every row")]
async fn restored(source: &Api) -> Api {
    let client = |api: &Api| -> Client { client_for(&api.endpoint, |builder| builder) };
    let restored = Api::start().await;
    let mut rows = client(source).scan().table_name(&source.table).into_paginator().items().send();
    while let Some(row) = rows.next().await {
        let put = client(&restored).put_item().table_name(&restored.table).set_item(Some(row.unwrap()));
        put.send().await.unwrap();
    }
    table::enable_stream(&client(&restored), &restored.table, &template().table).await.unwrap();
    restored
}

/// Delivers all stream records. Returns a sorted line for each published event.
async fn published(api: &Api) -> Vec<String> {
    Pump::of(api).await.drain(&api.app).await;
    Pump::publishing(api).await.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |event: Value| {
        let detail = &event["detail"];
        format!("{} {} {}", text(&event["detail-type"]), text(&detail["group_id"]), text(&detail["account_id"]))
    };
    let mut lines: Vec<String> = api.published().into_iter().map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// At the moment of the restore a group was just nested and another just deleted. The stream records of both are lost.
#[tokio::test]
async fn restored_table_becomes_sound_and_publishes_nothing_old() {
    let leave_all_to_stream = |config: &mut Config| config.settle_budget = Duration::ZERO;
    let source = Api::start_streaming(leave_all_to_stream, &Faults::default()).await;
    let (top, team, gone) = (source.group("Top").await, source.group("Team").await, source.group("Gone").await);
    source.members(&team, 0..MEMBERS).await;
    source.members(&gone, 0..MEMBERS).await;
    source.nest(&top, &team).await;
    source.delete(&format!("/{gone}")).await;

    let restored = restored(&source).await;
    assert_ne!(violations(&restored).await, [], "work is left");
    assert_eq!(restored.member_types(&top).await, []);
    let now = crate::harness::now();
    assert_eq!(repair(Propagation { store: &restored.store, actor: None, now }).await.unwrap(), []);
    let announced = published(&restored).await;

    assert_sound(&violations(&restored).await);
    assert_eq!(restored.member_types(&top).await.len(), MEMBERS);
    // Only what had not happened yet.
    let joined = |number| format!("Group Member Added {top} {}", numbered(number));
    let left = |number| format!("Group Member Removed {gone} {}", numbered(number));
    let mut expected: Vec<String> = (0..MEMBERS).flat_map(|number| [joined(number), left(number)]).collect();
    expected.sort();
    assert_eq!(announced, expected);

    // From now on it is a table as any other.
    restored.accounts(&["acc-new"]).await;
    restored.put(&format!("/{team}/members/acc-new"), Value::Null).await.ok();
    let mut added: Vec<String> = [&team, &top].map(|group| format!("Group Member Added {group} acc-new")).into();
    added.extend(expected);
    added.sort();
    assert_eq!(published(&restored).await, added);
    assert_sound(&violations(&restored).await);
}
