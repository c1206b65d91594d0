//! Jobs: bounded, resumable, visible; one that cannot be done is in nobody's way.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::app::App;
use shared::authz::Granted;
use shared::domain::{Account, AccountVersion, Job, JobKind, Moment};
use shared::store::{Fact, client_for};
use shared::verify::InvariantViolation;
use tokio::time::Instant;

use crate::harness::exchange::{T3, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, account, ingest, numbered, version};

/// An API whose writes leave everything that follows to the stream.
async fn start(faults: &Faults) -> (Api, Pump) {
    let api = Api::start_streaming(|config| config.settle_budget = Duration::ZERO, faults).await;
    let pump = Pump::of(&api).await;
    (api, pump)
}

async fn jobs(api: &Api) -> Vec<Job> {
    api.store.list_jobs(&Granted::propagation()).await.unwrap()
}

/// The app of a function that has so much time.
fn hurried(api: &Api, milliseconds: u64) -> App {
    let mut app = api.app.clone();
    app.store = api.store.until(Instant::now() + Duration::from_millis(milliseconds));
    app
}

#[tokio::test]
async fn without_time_to_settle_the_answer_says_so_and_the_stream_does_it() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = [api.group("A").await, api.group("B").await];
    api.accounts(&["acc-1"]).await;
    let answer = api.put(&format!("/{}/members/acc-1", ids[1]), Value::Null).await;
    // Nothing above: nothing follows. Whether that could be looked up is another matter.
    assert_eq!(answer.header("membership-settled"), Some("false"));
    let answer = api.put(&format!("/{}/groups/{}", ids[0], ids[1]), Value::Null).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("false")));
    assert_eq!(api.member_types(&ids[0]).await, []);
    assert_eq!(jobs(&api).await.len(), 1);
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await, [("acc-1".to_owned(), "indirect".to_owned())]);
    assert_eq!(jobs(&api).await, []);
    let answer = api.delete(&format!("/{}/members/acc-1", ids[1])).await;
    assert_eq!(answer.header("membership-settled"), Some("false"));
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await, []);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn a_group_deleted_is_gone_at_once_and_its_rows_in_time() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = [api.group("Above").await, api.group("Big").await, api.group("Below").await];
    api.nest(&ids[0], &ids[1]).await;
    api.nest(&ids[1], &ids[2]).await;
    api.members(&ids[1], 0..400).await;
    api.members(&ids[2], 390..410).await;
    api.numbered_accounts(500..502).await;
    api.put(&format!("/{}/members/acc-00500", ids[1]), Value::Null).await.ok();
    assert_eq!(api.delete(&format!("/{}/members/acc-00500", ids[1])).await.status, 204);
    api.hand(&[request_event("remove", &ids[1], "acc-00501", T3)]).await;
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await.len(), 410);

    let answer = api.delete(&format!("/{}", ids[1])).await;
    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("false")));
    for path in ["", "/members", "/groups", "/members/acc-00001"] {
        api.get(&format!("/{}{path}", ids[1])).await.not_found();
    }
    assert!(api.walk(&format!("/{}/groups", ids[0]), "groups").await.is_empty());
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await, []);
    assert_eq!(api.member_types(&ids[2]).await.len(), 20);
    assert_eq!(api.get(&format!("/{}", ids[0])).await.ok()["nested_group_count"], json!(0));
    assert_sound(&violations(&api).await);
    let facts = api.store.facts(&Granted::propagation()).await.unwrap();
    let of_big = facts.iter().filter(|fact| format!("{fact:?}").contains(ids[1].trim_start_matches("grp-")));
    let (trails, others): (Vec<&Fact>, Vec<&Fact>) = of_big.partition(|fact| matches!(fact, Fact::Trail(_, _, None)));
    assert_eq!((trails.len(), others.len()), (412, 0), "no row tells of the group any more, but of who left it");
    // Those go in time as well, also of who left before, and of whom somebody asked for in vain.
    let client = client_for(&api.endpoint, |builder| builder);
    let rows =
        client.query().table_name(&api.table).key_condition_expression("PK = :group AND begins_with(SK, :trail)");
    let rows = rows.expression_attribute_values(":trail", AttributeValue::S("TRAIL#".into()));
    let rows = rows.expression_attribute_values(":group", AttributeValue::S(format!("GROUP#{}", ids[1])));
    let rows: Vec<_> = rows.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap();
    assert!(rows.len() == 412 && rows.iter().all(|row| row.contains_key("expires_at")));
}

#[tokio::test]
async fn an_accounts_fields_reach_every_group_and_its_end_does_too() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = api.chain(&["Top", "Middle", "Bottom"]).await;
    api.members(&ids[2], 0..2).await;
    api.members(&ids[0], 0..1).await;
    let renamed = Account { name: "new.name".into(), version: version(2), ..account("acc-00000") };
    api.store.put_account(&ingest(), &renamed).await.unwrap();
    pump.drain(&api.app).await;
    for id in &ids {
        assert_eq!(api.get(&format!("/{id}/members/acc-00000")).await.ok()["name"], json!("new.name"));
    }
    api.store.delete_account(&ingest(), &renamed.id, version(3)).await.unwrap();
    pump.drain(&api.app).await;
    for (id, how) in ids.iter().zip(["indirect", "indirect", "direct"]) {
        assert_eq!(api.member_types(id).await, [("acc-00001".to_owned(), how.to_owned())]);
    }
    assert_sound(&violations(&api).await);
}

/// An account that comes back is where it was added since, and nowhere else.
#[tokio::test]
async fn an_account_that_comes_back_is_only_where_it_was_added_since() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = [api.group("Before").await, api.group("Before and after").await];
    api.accounts(&["acc-1"]).await;
    for id in &ids {
        api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    }
    let back = Account { version: version(3), ..account("acc-1") };
    api.store.delete_account(&ingest(), &back.id, version(2)).await.unwrap();
    api.store.put_account(&ingest(), &back).await.unwrap();
    // The old membership is still there: this is a new one all the same.
    api.put(&format!("/{}/members/acc-1", ids[1]), Value::Null).await.ok();
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await, []);
    assert_eq!(api.member_types(&ids[1]).await, [("acc-1".to_owned(), "direct".to_owned())]);
    assert_sound(&violations(&api).await);
}

/// The job of the update may be there still, and past some of the account's groups.
#[tokio::test]
async fn an_account_deleted_at_the_moment_of_its_last_update_leaves_its_groups() {
    let (api, mut pump) = start(&Faults::default()).await;
    let id = api.group("A").await;
    let updated = Account { version: version(2), ..account("acc-1") };
    api.accounts(&["acc-1"]).await;
    api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok();
    pump.drain(&api.app).await;
    api.store.put_account(&ingest(), &updated).await.unwrap();
    pump.fetch().await;
    let records = pump.waiting.drain(..).collect();
    pump.deliver(&api.app, records).await;
    assert_eq!(jobs(&api).await.len(), 1);
    assert!(
        api.store
            .delete_account(&ingest(), &updated.id, AccountVersion::deleted(Moment::from_unix_nanos(2)))
            .await
            .unwrap()
    );
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&id).await, []);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn a_step_that_runs_out_of_time_is_taken_again() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = [api.group("A").await, api.group("B").await];
    api.members(&ids[1], 0..700).await;
    pump.drain(&api.app).await;
    api.nest(&ids[0], &ids[1]).await;
    let mut cuts = 0;
    loop {
        pump.fetch().await;
        if pump.waiting.is_empty() {
            break;
        }
        let batch: Vec<Value> = pump.waiting.drain(..).collect();
        // Each time a little longer: cut off before the first transaction, and in the middle of things.
        cuts += 1;
        pump.deliver(&hurried(&api, 20 * cuts), batch).await;
    }
    assert!(cuts > 3, "it was cut off");
    assert_eq!(api.member_types(&ids[0]).await.len(), 700);
    assert_sound(&violations(&api).await);
    assert_eq!(jobs(&api).await, []);
}

#[tokio::test]
async fn a_record_that_comes_again_drives_nothing_twice() {
    let (api, mut pump) = start(&Faults::default()).await;
    let ids = [api.group("A").await, api.group("B").await];
    api.members(&ids[1], 0..5).await;
    api.nest(&ids[0], &ids[1]).await;
    pump.fetch().await;
    let records: Vec<Value> = pump.waiting.iter().cloned().collect();
    pump.drain(&api.app).await;
    api.recorder.take();
    pump.deliver(&api.app, records).await;
    let writes = api.recorder.take();
    assert!(writes.iter().all(|request| request.operation != "TransactWriteItems"), "nothing was left to do");
    assert_sound(&violations(&api).await);
}

/// A job that fails whatever is tried stands aside where it is seen; everything else goes on, and so does the job once
/// it is told to.
#[tokio::test]
async fn a_job_that_cannot_be_done_stands_aside() {
    let faults = Faults::default();
    let (api, mut pump) = start(&faults).await;
    let ids = [api.group("A").await, api.group("B").await];
    api.members(&ids[1], 0..5).await;
    pump.drain(&api.app).await;
    api.nest(&ids[0], &ids[1]).await;
    faults.repeat("TransactGetItems", Fault::Malformed, 10);
    pump.drain(&api.app).await;
    let aside = jobs(&api).await;
    assert_eq!(aside.len(), 1);
    let Job { kind, attempts, last_reason, set_aside, .. } = &aside[0];
    assert!(matches!(kind, JobKind::Backfill(_)) && *set_aside);
    assert_eq!((*attempts, last_reason.as_deref()), (10, Some("TransactGetItems failed: ValidationException")));

    // Others go on.
    let others = [api.group("C").await, api.group("D").await];
    api.members(&others[1], 0..5).await;
    api.nest(&others[0], &others[1]).await;
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&others[0]).await.len(), 5);

    let found = violations(&api).await;
    assert!(found.contains(&InvariantViolation::SetAside(aside[0].clone())));
    assert_eq!(found.len(), 1 + 5 + 5, "nobody has come through the nesting: {found:?}");
    let granted = Granted::propagation();
    api.store.resume_job(&granted, &aside[0]).await.unwrap();
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await.len(), 5);
    assert_sound(&violations(&api).await);
}

/// A record that can never be worked through becomes a job; those before and behind it are worked through.
#[tokio::test]
async fn a_record_in_the_way_becomes_a_job() {
    let faults = Faults::default();
    let (api, mut pump) = start(&faults).await;
    let ids = [api.group("A").await, api.group("B").await];
    api.nest(&ids[0], &ids[1]).await;
    pump.drain(&api.app).await;
    api.numbered_accounts(0..3).await;
    for number in 0..3 {
        api.put(&format!("/{}/members/{}", ids[1], numbered(number)), Value::Null).await.ok();
    }
    // Once for all of them, then for the first by itself.
    faults.repeat("TransactGetItems", Fault::Malformed, 2);
    pump.fetch().await;
    let batch: Vec<Value> = pump.waiting.drain(..).collect();
    pump.deliver(&api.app, batch).await;
    assert_eq!(api.member_types(&ids[0]).await.len(), 2);
    assert!(matches!(jobs(&api).await[0].kind, JobKind::ReconcileMember(..)));
    pump.drain(&api.app).await;
    assert_eq!(api.member_types(&ids[0]).await.len(), 3);
    assert_sound(&violations(&api).await);
}

/// The issue's own example: at the top of three levels, one request lists everyone, and who joins at the bottom is there
/// when the answer arrives.
#[tokio::test]
async fn twenty_nested_groups_are_listed_in_one_request() {
    let api = Api::start().await;
    let top = api.group("Top").await;
    let middle = [api.group("Middle 1").await, api.group("Middle 2").await];
    for id in &middle {
        api.nest(&top, id).await;
    }
    let mut bottoms = Vec::new();
    for number in 0..18 {
        let bottom = api.group(&format!("Bottom {number:02}")).await;
        // Overlapping: each has half of its accounts from the one before.
        api.members(&bottom, number * 25..number * 25 + 50).await;
        api.nest(&middle[number % 2], &bottom).await;
        bottoms.push(bottom);
    }
    api.recorder.take();
    let members = api.get(&format!("/{top}/members")).await.ok();
    assert_eq!(crate::harness::recorder::operations(&api.recorder.take()), ["Query"]);
    assert_eq!((members["members"].as_array().unwrap().len(), &members["count"]), (475, &json!(475)));
    api.accounts(&["acc-new"]).await;
    let answer = api.put(&format!("/{}/members/acc-new", bottoms[17]), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    assert_eq!(api.get(&format!("/{top}/members/acc-new")).await.ok()["via"], json!([middle[1]]));
    assert_eq!(api.get(&format!("/{top}")).await.ok()["member_count"], json!(476));
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn an_event_that_is_none_is_refused() {
    let api = Api::start().await;
    let answer = groups_local::functions::PROPAGATE.answer(&api.app, json!({}), &Default::default()).await;
    assert!(answer.is_err());
    let odd = json!({ "Records": [{ "dynamodb": { "SequenceNumber": "1" } }, 7] });
    let answer = groups_local::functions::PROPAGATE.answer(&api.app, odd, &Default::default()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }), "it will not be more readable later");
}
