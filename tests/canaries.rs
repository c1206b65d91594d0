//! Canaries: names, addresses, texts, keys and tokens planted through every endpoint and every event, in successful calls
//! and in every kind of failure. No log line, error reply or reason of a dead letter may show one. All tests check theirs,
//! in [`LogCapture`], `Answer::to` and `Api::dead_letter_reasons`; the tests here plant canaries everywhere.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use groups_local::functions::{APPLY_EVENTS, PROPAGATE, PUBLISH_EVENTS};
use lambda_http::Context;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::harness::exchange::{T1, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::log::{LogCapture, LogWriter, assert_discreet, canary_in, mistake_in};
use crate::harness::pump::Pump;
use crate::harness::{Answer, Api, NO_GROUP, token};

const NAME: &str = "canary name";
const EMAIL: &str = "canary@nowhere.example";
/// Every operation that the functions send to the table.
const OPERATIONS: [&str; 7] =
    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"];

/// One request: method, path, headers, body.
type Call = (Method, String, Vec<(&'static str, String)>, String);

/// Returns requests with canaries in every place, valid and invalid ones, about a group and a child of it.
fn calls(id: &str, child: &str) -> Vec<Call> {
    let (key, json_type) = (("idempotency-key", "canary-key".to_owned()), ("content-type", "application/json".into()));
    let call = |method: Method, path: String, body: String| (method, path, vec![json_type.clone()], body);
    let body = json!({ "name": NAME, "description": "canary description" });
    let mut calls = vec![
        (Method::POST, String::new(), vec![json_type.clone(), key.clone()], body.to_string()),
        (Method::POST, String::new(), vec![json_type.clone(), key], json!({ "name": "canary 2" }).to_string()),
        (Method::POST, String::new(), vec![("content-type", "canary/canary".into())], body.to_string()),
        (Method::POST, String::new(), vec![("idempotency-key", "canary\u{e9}".into())], body.to_string()),
        (Method::PUT, format!("/{id}"), vec![json_type.clone(), ("if-match", "\"canary\"".into())], body.to_string()),
        (Method::PUT, format!("/{id}"), vec![json_type.clone(), ("if-match", "canary".into())], body.to_string()),
        (Method::DELETE, format!("/{NO_GROUP}"), vec![("if-match", "canary".into())], String::new()),
        call(Method::PUT, format!("/{id}"), body.to_string()),
        call(Method::PUT, format!("/{NO_GROUP}"), body.to_string()),
        call(Method::PUT, format!("/{id}/members/acc-1"), String::new()),
        call(Method::PUT, format!("/{id}/groups/{child}"), String::new()),
        call(Method::PUT, format!("/{child}/groups/{id}"), String::new()),
        call(Method::PATCH, format!("/{id}/members"), json!({ "add": ["acc-1", "canary"] }).to_string()),
        call(Method::PATCH, format!("/{id}/members"), json!({ "add": [{ "id": "canary" }] }).to_string()),
        call(Method::DELETE, format!("/{id}/members/acc-2"), String::new()),
        call(Method::DELETE, format!("/{id}/groups/{NO_GROUP}"), String::new()),
    ];
    let long = format!("canary {}", "x".repeat(2_000));
    for (name, value) in [
        ("name", json!(long)),
        ("name", json!("canary\n\u{1b}[31m")),
        ("name", json!(["canary"])),
        ("description", json!(long)),
        ("description", json!({ "canary": 1 })),
        ("group_type", json!("canary")),
        ("is_privileged", json!("canary")),
        ("external_id", json!(" canary")),
        ("email", json!("canary")),
        ("id", json!("canary")),
    ] {
        let mut body = json!({ "name": NAME });
        body[name] = value;
        calls.push(call(Method::POST, String::new(), body.to_string()));
        calls.push(call(Method::PUT, format!("/{id}"), body.to_string()));
    }
    for body in ["\"canary\"", "{\"name\": \"canary", "[\"canary\"]", "canary", "{\"name\": \"canary\", \"name\": 1}"] {
        calls.push(call(Method::POST, String::new(), body.to_owned()));
    }
    let lists = [String::new(), format!("/{id}/members"), format!("/{id}/groups")];
    let queries = ["search=canary", "after=canary", "limit=canary", "limit=1&limit=canary", "membership_type=canary"];
    for list in lists {
        calls.push(call(Method::GET, list.clone(), String::new()));
        calls.extend(queries.iter().map(|query| call(Method::GET, format!("{list}?{query}"), String::new())));
    }
    let gets = ["?member=acc-1".to_owned(), format!("/{id}"), format!("/{id}/members/acc-1")];
    calls.extend(gets.map(|path| call(Method::GET, path, String::new())));
    calls
}

async fn send(api: &Api, token: &str, (method, path, headers, body): &Call) -> Answer {
    let mut request = api.request_as(Some(token), method.clone(), path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::to(request.body(body.clone())).await
}

/// Plants two accounts, and a group with a child. `acc-2` is a member of the group. Returns the ids of the group and the
/// child.
async fn plant(api: &Api) -> (String, String) {
    for id in ["acc-1", "acc-2"] {
        let mut event = account_event("Created", id, NAME, T1);
        event["detail"]["email"] = json!(EMAIL);
        event["detail"]["status"] = json!("canary status");
        assert!(api.hand(&[event]).await.is_empty());
    }
    let [group, child] = api.chain(&["canary above", "canary below"]).await.try_into().unwrap();
    api.put(&format!("/{group}/members/acc-2"), Value::Null).await.ok();
    (group, child)
}

#[tokio::test]
async fn requests_leak_no_canary() {
    let api = Api::start().await;
    let (group, child) = plant(&api).await;
    let (alice, bob) = (token("alice", &["Administrator"]), token("bob", &[]));
    let lines_before = api.log.lines();
    let mut statuses = BTreeSet::new();
    for token in [format!("{alice}canary"), "canary".into(), bob, alice] {
        for call in calls(&group, &child) {
            statuses.insert(send(&api, &token, &call).await.status.as_u16());
        }
    }
    assert_eq!(Vec::from_iter(statuses), [200, 201, 204, 400, 401, 403, 404, 409, 412, 415]);
    assert!(api.log.lines() > lines_before, "the log is captured");
}

/// Each operation fails once with a validation error of the table and once with an internal error.
#[tokio::test]
async fn faults_of_the_table_leak_no_canary() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let (group, child) = plant(&api).await;
    let alice = token("alice", &["Administrator"]);
    let mut statuses = BTreeSet::new();
    for fault in [Fault::Malformed, Fault::InternalError] {
        for call in calls(&group, &child) {
            OPERATIONS.iter().for_each(|operation| {
                faults.next(operation, fault);
            });
            statuses.insert(send(&api, &alice, &call).await.status.as_u16());
            faults.stop();
        }
    }
    assert!(statuses.contains(&500) && statuses.contains(&200), "{statuses:?}");
}

#[tokio::test]
async fn events_leak_no_canary() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let (group, _) = plant(&api).await;
    let with = |event: &Value, field: &str, value: Value| {
        let mut event = event.clone();
        event["detail"][field] = value;
        event
    };
    let account = with(&account_event("Updated", "acc-1", NAME, T3), "email", json!(EMAIL));
    let request = request_event("add", &group, "acc-1", T1);
    let mut events = vec![account.clone(), request.clone(), json!("canary"), json!(["canary"]), json!("{\"canary\":")];
    for field in ["id", "name", "email", "status", "updated_at"] {
        events.push(with(&account, field, json!(format!("canary\n{}", "x".repeat(300)))));
        events.push(with(&account, field, json!({ "canary": "canary" })));
    }
    for field in ["group_id", "account_id", "action", "requested_by", "requested_at"] {
        events.push(with(&request, field, json!("canary\n\u{1b}[31m")));
    }
    for envelope in ["id", "source", "time", "detail-type", "detail"] {
        let mut event = account.clone();
        event[envelope] = json!("canary\u{7}");
        events.push(event);
    }
    events.push(request_event("remove", NO_GROUP, "acc-1", T1));
    for fault in [Fault::Passes, Fault::Malformed, Fault::InternalError] {
        for event in &events {
            OPERATIONS.iter().for_each(|operation| {
                faults.next(operation, fault);
            });
            // Once too old to be retried, once new.
            for sent_at in [0, millis()] {
                hand(&api.apply_events_deps(), std::slice::from_ref(event), sent_at).await;
            }
            faults.stop();
        }
    }
    assert!(api.dead_letter_reasons().len() > events.len());
    let unreadable = json!({ "Records": [{ "messageId": "canary", "body": { "canary": 1 } }] });
    assert!(APPLY_EVENTS.answer(&api.apply_events_deps(), unreadable, &Context::default()).await.is_err());
}

/// Readable and unreadable records of rows with canaries, delivered to both stream consumers.
#[tokio::test]
async fn records_of_the_stream_leak_no_canary() {
    let faults = Faults::default();
    let api = Api::start_streaming(|_| {}, &faults).await;
    let (mut pump, mut publishing) = (Pump::of(&api).await, Pump::publishing(&api).await);
    let (group, child) = plant(&api).await;
    let alice = token("alice", &["Administrator"]);
    for call in calls(&group, &child) {
        send(&api, &alice, &call).await;
    }
    pump.fetch().await;
    publishing.fetch().await;
    let mut records: Vec<Value> = pump.waiting.drain(..).chain(publishing.waiting.drain(..)).collect();
    for record in records.clone() {
        for image in ["Keys", "NewImage", "OldImage"] {
            let mut unreadable = record.clone();
            unreadable["dynamodb"][image]["PK"] = json!({ "S": "canary" });
            unreadable["dynamodb"][image]["actor"] = json!({ "canary": "canary" });
            records.push(unreadable);
        }
    }
    let publish_deps = api.publish_events_deps(&faults.start_proxy(&api.bus_endpoint()).await);
    for fault in [Fault::Malformed, Fault::Passes] {
        for operation in OPERATIONS {
            faults.repeat(operation, fault, 3);
        }
        faults.next("PutEvents", Fault::NotTaken(3, "MalformedDetail")).next("PutEvents", fault);
        for batch in records.chunks(20) {
            let event = json!({ "Records": batch });
            PROPAGATE.answer(&api.app, event.clone(), &Context::default()).await.unwrap();
            PUBLISH_EVENTS.answer(&publish_deps, event, &Context::default()).await.unwrap();
        }
        faults.stop();
    }
    assert!(api.dead_letter_reasons().iter().any(|reason| reason.ends_with("MalformedDetail")));
    assert!(api.dead_letter_reasons().iter().any(|reason| reason.ends_with("unreadable")));
}

#[test]
fn leaks_and_broken_lines_in_a_log_are_found() {
    assert_eq!(mistake_in(&json!({ "message": "request", "status": 200 }).to_string()), None);
    let leaks = ["a canary", "name.of.acc-1", "eyJhbGciOiJub25lIn0", "x@company.com", "GROUP#1", "Bearer x"];
    for text in leaks {
        let line = json!({ "message": text }).to_string();
        assert!(mistake_in(&line).is_some_and(|mistake| mistake.starts_with("shows")));
    }
    for line in ["", "text", "[]", "{} {}", "{\"a\":1}\u{1b}", "{\"a\":\"\u{7}\"}", "{\"a\":\n1}"] {
        let mistake = mistake_in(line);
        assert!(mistake.is_some_and(|mistake| mistake.starts_with("is no JSON object on one line")), "{line}");
    }
    assert!(canary_in(&token("alice", &[])).is_some(), "every token is a canary");
    assert!(catch_unwind(|| assert_discreet("{}\n{\"name\":\"canary\"}")).is_err());
}

/// Two runtimes represent two tests that run side by side.
#[test]
fn captured_line_belongs_to_the_test_that_made_it() {
    let runtime = || Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let capture = |runtime: &Runtime| runtime.block_on(async { LogCapture::start() });
    let (leaking, other) = (runtime(), runtime());
    let (leaking_log, second_log, other_log) = (capture(&leaking), capture(&leaking), capture(&other));
    // A task runs on a thread other than the test's.
    let task = leaking.spawn(async { LogWriter.write_all(b"{\"name\":\"canary\"}\n").unwrap() });
    leaking.block_on(task).unwrap();
    LogWriter.write_all(b"{\"name\":\"canary\"}\n").unwrap();
    assert_eq!((leaking_log.lines(), second_log.lines(), other_log.lines()), (1, 1, 0));
    drop(other_log);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(leaking_log))).is_err(), "the line fails its own test");
}
