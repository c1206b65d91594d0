//! Jobs: bounded in size, resumable and visible. A job that fails blocks nothing else.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::app::App;
use shared::domain::{Account, AccountVersion, Job, JobKind, Moment, Timestamp};
use shared::store::keys::{COUNT_SHARDS, spread};
use shared::store::{ScannedRow, client_for};
use shared::verify::InvariantViolation;
use tokio::time::Instant;

use crate::harness::exchange::{T2, T3, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations, violations_before_stream};
use crate::harness::recorder::{operations, sequential, writes};
use crate::harness::{Api, account, event_source, now, numbered, version};

/// Starts an API whose writes leave all propagation to the stream.
async fn start(faults: &Faults) -> (Api, Pump) {
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, faults).await;
    let pump = Pump::of(&api).await;
    (api, pump)
}

async fn jobs(api: &Api) -> Vec<Job> {
    api.store.list_jobs().await.unwrap()
}

/// Returns the app of a function with this time budget.
fn hurried(api: &Api, milliseconds: u64) -> App {
    let mut app = api.app.clone();
    app.store = api.store.until(Instant::now() + Duration::from_millis(milliseconds));
    app
}

#[tokio::test]
async fn stream_settles_a_write_without_time_to_settle() {
    let (api, mut pump) = start(&Faults::default()).await;
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{child}/members/acc-1"), Value::Null).await.ok();
    let answer = api.put(&format!("/{parent}/groups/{child}"), Value::Null).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("false")));
    assert_eq!(api.member_types(&parent).await, []);
    assert_eq!(jobs(&api).await.len(), 1);
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await, [("acc-1".to_owned(), "indirect".to_owned())]);
    assert_eq!(jobs(&api).await, []);
    let answer = api.delete(&format!("/{parent}/groups/{child}")).await;
    assert_eq!(answer.header("membership-settled"), Some("false"));
    assert_eq!(api.member_types(&parent).await.len(), 1);
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await, []);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn deleted_group_disappears_at_once_and_its_rows_later() {
    let (api, mut pump) = start(&Faults::default()).await;
    let [parent, big, child] = [api.group("Above").await, api.group("Big").await, api.group("Below").await];
    api.nest(&parent, &big).await;
    api.nest(&big, &child).await;
    api.members(&big, 0..400).await;
    api.members(&child, 390..410).await;
    api.numbered_accounts(500..502).await;
    api.put(&format!("/{big}/members/acc-00500"), Value::Null).await.ok();
    assert_eq!(api.delete(&format!("/{big}/members/acc-00500")).await.status, 204);
    api.hand(&[request_event("remove", &big, "acc-00501", T3)]).await;
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await.len(), 410);

    let answer = api.delete(&format!("/{big}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("false")));
    for path in ["", "/members", "/groups", "/members/acc-00001"] {
        api.get(&format!("/{big}{path}")).await.not_found();
    }
    assert!(api.all_items(&format!("/{parent}/groups"), "groups").await.is_empty());
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await, []);
    assert_eq!(api.member_types(&child).await.len(), 20);
    assert_eq!(api.get(&format!("/{parent}")).await.ok()["nested_group_count"], json!(0));
    assert_sound(&violations(&api).await);
    let facts = api.store.scan().await.unwrap();
    let of_big = facts.iter().filter(|fact| format!("{fact:?}").contains(big.trim_start_matches("grp-")));
    let (trails, others): (Vec<&ScannedRow>, Vec<&ScannedRow>) =
        of_big.partition(|fact| matches!(fact, ScannedRow::AuditRecord(_, _, None)));
    assert_eq!((trails.len(), others.len()), (412, 0), "of the group only audit records are left");
    // They expire: also those of the member removed earlier and of the removal requested in vain.
    let client = client_for(&api.endpoint, |builder| builder);
    let query =
        client.query().table_name(&api.table).key_condition_expression("PK = :group AND begins_with(SK, :trail)");
    let query = query.expression_attribute_values(":trail", AttributeValue::S("TRAIL#".into()));
    let query = query.expression_attribute_values(":group", AttributeValue::S(format!("GROUP#{big}")));
    let rows: Vec<_> = query.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap();
    assert!(rows.len() == 412 && rows.iter().all(|row| row.contains_key("expires_at")));
}

#[tokio::test]
async fn changes_and_deletion_of_an_account_reach_every_group() {
    let (api, mut pump) = start(&Faults::default()).await;
    let groups = api.chain(&["Top", "Middle", "Bottom"]).await;
    let [top, _, bottom] = &groups[..] else { panic!() };
    api.members(bottom, 0..2).await;
    api.members(top, 0..1).await;
    let renamed = Account { name: "new.name".into(), version: version(2), ..account("acc-00000") };
    api.store.put_account(&event_source(), &renamed).await.unwrap();
    pump.drain(&api.app).await;
    for group in &groups {
        assert_eq!(api.get(&format!("/{group}/members/acc-00000")).await.ok()["name"], json!("new.name"));
    }
    api.store.delete_account(&event_source(), &renamed.id, version(3)).await.unwrap();
    pump.drain(&api.app).await;
    for (group, membership_type) in groups.iter().zip(["indirect", "indirect", "direct"]) {
        assert_eq!(api.member_types(group).await, [("acc-00001".to_owned(), membership_type.to_owned())]);
    }
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn recreated_account_keeps_only_memberships_added_since() {
    let (api, mut pump) = start(&Faults::default()).await;
    let [before, before_and_after] = [api.group("Before").await, api.group("Before and after").await];
    api.accounts(&["acc-1"]).await;
    for group in [&before, &before_and_after] {
        api.put(&format!("/{group}/members/acc-1"), Value::Null).await.ok();
    }
    let recreated = Account { version: version(3), ..account("acc-1") };
    api.store.delete_account(&event_source(), &recreated.id, version(2)).await.unwrap();
    api.store.put_account(&event_source(), &recreated).await.unwrap();
    // The row of the old membership still exists, but this is a new membership.
    api.put(&format!("/{before_and_after}/members/acc-1"), Value::Null).await.ok();
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&before).await, []);
    assert_eq!(api.member_types(&before_and_after).await, [("acc-1".to_owned(), "direct".to_owned())]);
    assert_sound(&violations(&api).await);
}

/// The job of the update may still run, and may have passed some of the account's groups.
#[tokio::test]
async fn account_deleted_at_the_moment_of_its_update_leaves_its_groups() {
    let (api, mut pump) = start(&Faults::default()).await;
    let id = api.group("A").await;
    let updated = Account { version: version(2), ..account("acc-1") };
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    pump.drain(&api.app).await;
    api.store.put_account(&event_source(), &updated).await.unwrap();
    pump.fetch().await;
    let records = pump.waiting.drain(..).collect();
    pump.deliver(&api.app, records).await;
    assert_eq!(jobs(&api).await.len(), 1);
    assert!(
        api.store
            .delete_account(&event_source(), &updated.id, AccountVersion::deleted(Moment::from_unix_nanos(2)))
            .await
            .unwrap()
    );
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&id).await, []);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn step_that_exceeds_its_time_budget_is_retried() {
    let (api, mut pump) = start(&Faults::default()).await;
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.members(&child, 0..700).await;
    pump.drain(&api.app).await;
    api.nest(&parent, &child).await;
    let mut attempts = 0;
    loop {
        pump.fetch().await;
        if pump.waiting.is_empty() {
            break;
        }
        let batch: Vec<Value> = pump.waiting.drain(..).collect();
        // A little longer each time: the deadline passes before the first transaction, and later between two.
        attempts += 1;
        pump.deliver(&hurried(&api, 20 * attempts), batch).await;
    }
    assert!(attempts > 3, "deadlines passed");
    assert_eq!(api.member_types(&parent).await.len(), 700);
    assert_sound(&violations(&api).await);
    assert_eq!(jobs(&api).await, []);
}

/// Returns all rows of the table, in the order of a scan.
#[expect(clippy::disallowed_methods, reason = "a test compares the whole table")]
async fn rows(api: &Api) -> Vec<HashMap<String, AttributeValue>> {
    let client = client_for(&api.endpoint, |builder| builder);
    let scan = client.scan().table_name(&api.table).consistent_read(true);
    scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
}

#[tokio::test]
async fn redelivered_records_change_nothing() {
    let (api, mut pump) = start(&Faults::default()).await;
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.members(&child, 0..5).await;
    api.nest(&parent, &child).await;
    pump.fetch().await;
    let records: Vec<Value> = pump.waiting.iter().cloned().collect();
    let has_row = |record: &&Value, kind: &str| {
        record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap().split('#').next() == Some(kind)
    };
    let count = |kind: &str| records.iter().filter(|record| has_row(record, kind)).count();
    let shards = (0..5).map(|number| spread(&numbered(number), COUNT_SHARDS)).collect::<BTreeSet<_>>().len();
    assert_eq!((records.len(), count("MEMBER"), count("COUNT"), count("JOB")), (6 + shards, 5, shards, 1));
    pump.drain(&api.app).await;
    let (rows_before, _) = (rows(&api).await, api.recorder.take());
    assert!(!rows_before.is_empty());

    pump.deliver(&api.app, records).await;
    assert!(pump.waiting.is_empty(), "none failed");

    let requests = api.recorder.take();
    assert!(!requests.is_empty(), "the records were read");
    assert!(writes(&requests).is_empty(), "{:?}", writes(&requests));
    assert_eq!(rows(&api).await, rows_before);
    assert_sound(&violations(&api).await);
}

/// A failing job is set aside, where an operator sees it. Others go on, and so does this one when it is resumed.
#[tokio::test]
async fn failing_job_is_set_aside_until_resumed() {
    let faults = Faults::default();
    let (api, mut pump) = start(&faults).await;
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.members(&child, 0..5).await;
    pump.drain(&api.app).await;
    api.nest(&parent, &child).await;
    faults.repeat("TransactGetItems", Fault::Malformed, 10);
    pump.drain(&api.app).await;
    let aside = jobs(&api).await;
    assert_eq!(aside.len(), 1);
    let Job { kind, attempts, last_reason, set_aside, .. } = &aside[0];
    assert!(matches!(kind, JobKind::Backfill(_)) && *set_aside);
    assert_eq!((*attempts, last_reason.as_deref()), (10, Some("TransactGetItems failed: ValidationException")));

    let [other_parent, other_child] = [api.group("C").await, api.group("D").await];
    api.members(&other_child, 0..5).await;
    api.nest(&other_parent, &other_child).await;
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&other_parent).await.len(), 5);

    let found = violations(&api).await;
    assert!(found.contains(&InvariantViolation::SetAside(aside[0].clone())));
    assert_eq!(found.len(), 1 + 5 + 5, "no member is inherited over the edge: {found:?}");
    api.store.resume_job(&aside[0]).await.unwrap();
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await.len(), 5);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn failing_record_becomes_a_job_and_blocks_no_other() {
    let faults = Faults::default();
    let (api, mut pump) = start(&faults).await;
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.nest(&parent, &child).await;
    pump.drain(&api.app).await;
    api.numbered_accounts(0..3).await;
    // Requests by event leave the groups above to the stream.
    let requests: Vec<Value> = (0..3).map(|number| request_event("add", &child, &numbered(number), T2)).collect();
    assert!(api.hand(&requests).await.is_empty());
    // The first fault fails all three records together, the second the first one alone.
    faults.repeat("TransactGetItems", Fault::Malformed, 2);
    pump.fetch().await;
    let batch: Vec<Value> = pump.waiting.drain(..).collect();
    pump.deliver(&api.app, batch).await;
    assert_eq!(api.member_types(&parent).await.len(), 2);
    assert!(matches!(jobs(&api).await[0].kind, JobKind::ReconcileMember(..)));
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&parent).await.len(), 3);
    assert_sound(&violations(&api).await);
}

/// At the top of three levels, one query lists all members. It has an account added at the bottom as soon as the call
/// returns.
#[tokio::test]
async fn members_of_twenty_nested_groups_are_listed_with_one_query() {
    let api = Api::start().await;
    let top = api.group("Top").await;
    let middle = [api.group("Middle 1").await, api.group("Middle 2").await];
    for group in &middle {
        api.nest(&top, group).await;
    }
    let mut bottoms = Vec::new();
    for number in 0..18 {
        let bottom = api.group(&format!("Bottom {number:02}")).await;
        // Half of its accounts are also in the group before.
        api.members(&bottom, number * 25..number * 25 + 50).await;
        api.nest(&middle[number % 2], &bottom).await;
        bottoms.push(bottom);
    }
    api.recorder.take();
    let members = api.get(&format!("/{top}/members")).await.ok();
    assert_eq!(operations(&api.recorder.take()), ["Query"]);
    assert_eq!((members["members"].as_array().unwrap().len(), &members["count"]), (475, &json!(475)));
    api.accounts(&["acc-new"]).await;
    let answer = api.put(&format!("/{}/members/acc-new", bottoms[17]), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    assert_eq!(api.get(&format!("/{top}/members/acc-new")).await.ok()["via"], json!([middle[1]]));
    assert_eq!(api.get(&format!("/{top}")).await.ok()["member_count"], json!(476));
    assert_sound(&violations_before_stream(&api).await);
}

#[tokio::test]
async fn unreadable_event_is_refused_and_unreadable_record_skipped() {
    let api = Api::start().await;
    let answer = groups_local::functions::PROPAGATE.answer(&api.app, json!({}), &Default::default()).await;
    assert!(answer.is_err());
    let odd = json!({ "Records": [{ "dynamodb": { "SequenceNumber": "1" } }, 7] });
    let answer = groups_local::functions::PROPAGATE.answer(&api.app, odd, &Default::default()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }), "a retry would not help");
}

/// A later version writes rows and jobs that this one does not know. It leaves their records to that version.
#[tokio::test]
async fn record_of_an_unknown_row_is_retried() {
    let (api, mut pump) = start(&Faults::default()).await;
    let group = api.group("A").await;
    let record = |number: &str, partition: &str, sort: &str| {
        let keys = json!({ "PK": { "S": partition }, "SK": { "S": sort } });
        let image = json!({ "Keys": keys, "NewImage": keys, "SequenceNumber": number });
        json!({ "eventName": "INSERT", "dynamodb": image })
    };
    let known = [
        record("11", &format!("GROUP#{group}"), "NAME#00001"),
        record("12", &format!("JOB#delete_group#{group}"), "JOB"),
        record("13", "GROUPS", &format!("a\u{1}{group}")),
        record("14", "SEARCH#a", &format!("a\u{1}{group}")),
        record("15", "IDEMPOTENCY#d", "IDEMPOTENCY"),
    ];
    let unknown = [
        record("21", "JOBS#0", &format!("JOB#merge_groups#{group}")),
        record("22", &format!("GROUP#{group}"), "NOTE#canary"),
        record("23", "REPORTS#canary", "canary"),
    ];
    pump.deliver(&api.app, known.iter().chain(&unknown).cloned().collect()).await;
    assert_eq!(pump.waiting, unknown);
    assert_eq!(jobs(&api).await, []);

    let deps = api.publish_events_deps(&api.bus_endpoint());
    let mut publishing = Pump::publishing(&api).await;
    publishing.deliver(&deps, known.iter().chain(&unknown).cloned().collect()).await;
    assert!(publishing.waiting.is_empty(), "these rows are not published");
}

#[tokio::test]
async fn jobs_are_listed_from_the_oldest() {
    let (api, mut pump) = start(&Faults::default()).await;
    let (first_created_at, mut expected) = (now().unix_seconds(), Vec::new());
    for second in (0..20).rev() {
        let kind = JobKind::UpdateAccount(account(&format!("acc-{second}")).id, version(1));
        let created_at = Timestamp::from_unix_seconds(first_created_at + second);
        api.store.create_job(kind.clone(), None, created_at).await.unwrap();
        expected.insert(0, kind);
    }
    api.recorder.take();
    let listed = api.app.store.list_jobs().await.unwrap();
    let requests = api.recorder.take();
    assert_eq!(listed.into_iter().map(|job| job.kind).collect::<Vec<_>>(), expected);
    assert_eq!((operations(&requests), sequential(&requests)), (vec!["Query"; 8], 1));
    pump.drain(&api.app).await;
    assert_eq!(jobs(&api).await, []);
}
