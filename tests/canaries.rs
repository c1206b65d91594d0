//! Canaries: names, addresses, texts, keys and tokens planted through every endpoint and every event, in what succeeds and
//! in every kind of failure. No log shows one, nor does an answer of an error or the reason of a dead letter: whatever is
//! logged, answered and put aside in any test is looked through ([`Watch`], `Answer::to`, `Api::dead`).

use groups_local::functions::{APPLY_EVENTS, PROPAGATE, PUBLISH_EVENTS};
use lambda_http::Context;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange::{T1, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::log::{Watch, assert_discreet, canary_in, fault_of};
use crate::harness::pump::Pump;
use crate::harness::{Answer, Api, NO_GROUP, token};

const NAME: &str = "canary name";
const EMAIL: &str = "canary@nowhere.example";
/// Every operation that the functions ask of the table.
const OPERATIONS: [&str; 7] =
    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"];

/// One request: method, path, headers, body.
type Asked = (Method, String, Vec<(&'static str, String)>, String);

/// Whatever can be said with a canary in it, about a group with a nested one: what succeeds and what does not.
fn requests(id: &str, child: &str) -> Vec<Asked> {
    let (key, json_type) = (("idempotency-key", "canary-key".to_owned()), ("content-type", "application/json".into()));
    let asked = |method: Method, path: String, body: String| (method, path, vec![json_type.clone()], body);
    let body = json!({ "name": NAME, "description": "canary description" });
    let mut requests = vec![
        (Method::POST, String::new(), vec![json_type.clone(), key.clone()], body.to_string()),
        (Method::POST, String::new(), vec![json_type.clone(), key], json!({ "name": "canary 2" }).to_string()),
        (Method::POST, String::new(), vec![("content-type", "canary/canary".into())], body.to_string()),
        (Method::POST, String::new(), vec![("idempotency-key", "canary\u{e9}".into())], body.to_string()),
        (Method::PUT, format!("/{id}"), vec![json_type.clone(), ("if-match", "\"canary\"".into())], body.to_string()),
        (Method::PUT, format!("/{id}"), vec![json_type.clone(), ("if-match", "canary".into())], body.to_string()),
        (Method::DELETE, format!("/{NO_GROUP}"), vec![("if-match", "canary".into())], String::new()),
        asked(Method::PUT, format!("/{id}"), body.to_string()),
        asked(Method::PUT, format!("/{NO_GROUP}"), body.to_string()),
        asked(Method::PUT, format!("/{id}/members/acc-1"), String::new()),
        asked(Method::PUT, format!("/{id}/groups/{child}"), String::new()),
        asked(Method::PUT, format!("/{child}/groups/{id}"), String::new()),
        asked(Method::PATCH, format!("/{id}/members"), json!({ "add": ["acc-1", "canary"] }).to_string()),
        asked(Method::PATCH, format!("/{id}/members"), json!({ "add": [{ "id": "canary" }] }).to_string()),
        asked(Method::DELETE, format!("/{id}/members/acc-2"), String::new()),
        asked(Method::DELETE, format!("/{id}/groups/{NO_GROUP}"), String::new()),
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
        ("id", json!("canary")),
    ] {
        let mut body = json!({ "name": NAME });
        body[name] = value;
        requests.push(asked(Method::POST, String::new(), body.to_string()));
        requests.push(asked(Method::PUT, format!("/{id}"), body.to_string()));
    }
    for body in ["\"canary\"", "{\"name\": \"canary", "[\"canary\"]", "canary", "{\"name\": \"canary\", \"name\": 1}"] {
        requests.push(asked(Method::POST, String::new(), body.to_owned()));
    }
    let lists = [String::new(), format!("/{id}/members"), format!("/{id}/groups")];
    let queries = ["search=canary", "after=canary", "limit=canary", "limit=1&limit=canary", "membership_type=canary"];
    for list in lists {
        requests.push(asked(Method::GET, list.clone(), String::new()));
        requests.extend(queries.iter().map(|query| asked(Method::GET, format!("{list}?{query}"), String::new())));
    }
    let gets = ["?member=acc-1".to_owned(), format!("/{id}"), format!("/{id}/members/acc-1")];
    requests.extend(gets.map(|path| asked(Method::GET, path, String::new())));
    requests
}

async fn ask(api: &Api, token: &str, (method, path, headers, body): &Asked) -> Answer {
    let mut request = api.request_as(Some(token), method.clone(), path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::to(request.body(body.clone())).await
}

/// An account with canaries, with one that is to be removed beside it; a group, and one nested in it.
async fn planted(api: &Api) -> (String, String) {
    for id in ["acc-1", "acc-2"] {
        let mut event = account_event("Created", id, NAME, T1);
        event["detail"]["email"] = json!(EMAIL);
        event["detail"]["status"] = json!("canary status");
        assert!(api.hand(&[event]).await.is_empty());
    }
    let groups = api.chain(&["canary above", "canary below"]).await;
    api.put(&format!("/{}/members/acc-2", groups[0]), Value::Null).await.ok();
    (groups[0].clone(), groups[1].clone())
}

#[tokio::test]
async fn no_request_shows_a_canary_where_none_may_be() {
    let api = Api::start().await;
    let (id, child) = planted(&api).await;
    let (alice, bob) = (token("alice", &["Administrator"]), token("bob", &[]));
    let before = Watch::lines();
    let mut statuses = std::collections::BTreeSet::new();
    for token in [format!("{alice}canary"), "canary".into(), bob, alice] {
        for asked in requests(&id, &child) {
            statuses.insert(ask(&api, &token, &asked).await.status.as_u16());
        }
    }
    assert_eq!(Vec::from_iter(statuses), [200, 201, 204, 400, 401, 403, 404, 409, 412, 415]);
    assert!(Watch::lines() > before, "what is logged is looked through");
}

/// Of every operation, a request that the table is wrong about, and one that it has a fault of its own for.
#[tokio::test]
async fn no_fault_of_the_table_shows_a_canary() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let (id, child) = planted(&api).await;
    let alice = token("alice", &["Administrator"]);
    let mut statuses = std::collections::BTreeSet::new();
    for fault in [Fault::Malformed, Fault::InternalError] {
        for asked in requests(&id, &child) {
            OPERATIONS.iter().for_each(|operation| {
                faults.next(operation, fault);
            });
            statuses.insert(ask(&api, &alice, &asked).await.status.as_u16());
            faults.stop();
        }
    }
    assert!(statuses.contains(&500) && statuses.contains(&200), "{statuses:?}");
}

#[tokio::test]
async fn no_event_shows_a_canary_where_none_may_be() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let (id, _) = planted(&api).await;
    let with = |event: &Value, field: &str, value: Value| {
        let mut event = event.clone();
        event["detail"][field] = value;
        event
    };
    let account = with(&account_event("Updated", "acc-1", NAME, T3), "email", json!(EMAIL));
    let request = request_event("add", &id, "acc-1", T1);
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
            // For the last time.
            hand(&api.intake(), std::slice::from_ref(event), 0).await;
            hand(&api.intake(), std::slice::from_ref(event), millis()).await;
            faults.stop();
        }
    }
    assert!(api.dead().len() > events.len());
    let unreadable = json!({ "Records": [{ "messageId": "canary", "body": { "canary": 1 } }] });
    assert!(APPLY_EVENTS.answer(&api.intake(), unreadable, &Context::default()).await.is_err());
}

/// What follows from rows that hold canaries, what is told of them, and records that nobody can read.
#[tokio::test]
async fn no_record_of_the_stream_shows_a_canary_where_none_may_be() {
    let faults = Faults::default();
    let api = Api::start_streaming(|_| {}, &faults).await;
    let mut pump = Pump::of(&api).await;
    let (id, child) = planted(&api).await;
    let alice = token("alice", &["Administrator"]);
    for asked in requests(&id, &child) {
        ask(&api, &alice, &asked).await;
    }
    pump.fetch().await;
    let mut records: Vec<Value> = pump.waiting.drain(..).collect();
    for record in records.clone() {
        for image in ["Keys", "NewImage", "OldImage"] {
            let mut unreadable = record.clone();
            unreadable["dynamodb"][image]["PK"] = json!({ "S": "canary" });
            unreadable["dynamodb"][image]["actor"] = json!({ "canary": "canary" });
            records.push(unreadable);
        }
    }
    let outlet = api.outlet(&faults.stand_before(&api.bus_endpoint()).await);
    for fault in [Fault::Malformed, Fault::Passes] {
        for operation in OPERATIONS {
            faults.repeat(operation, fault, 3);
        }
        faults.next("PutEvents", Fault::NotTaken(3, "MalformedDetail")).next("PutEvents", fault);
        for some in records.chunks(20) {
            let event = json!({ "Records": some });
            PROPAGATE.answer(&api.app, event.clone(), &Context::default()).await.unwrap();
            PUBLISH_EVENTS.answer(&outlet, event, &Context::default()).await.unwrap();
        }
        faults.stop();
    }
    assert!(api.dead().iter().any(|reason| reason.ends_with("MalformedDetail")));
    assert!(api.dead().iter().any(|reason| reason.ends_with("unreadable")));
}

/// Who looks finds.
#[test]
fn a_log_that_shows_a_canary_or_breaks_a_line_is_found() {
    assert_eq!(fault_of(&json!({ "message": "request", "status": 200 }).to_string()), None);
    let shown = ["a canary", "name.of.acc-1", "eyJhbGciOiJub25lIn0", "x@company.com", "GROUP#1", "Bearer x"];
    for text in shown {
        assert!(fault_of(&json!({ "message": text }).to_string()).is_some_and(|fault| fault.starts_with("shows")));
    }
    for line in ["", "text", "[]", "{} {}", "{\"a\":1}\u{1b}", "{\"a\":\"\u{7}\"}", "{\"a\":\n1}"] {
        assert!(fault_of(line).is_some_and(|fault| fault.starts_with("is no JSON object on one line")), "{line}");
    }
    assert!(canary_in(&token("alice", &[])).is_some(), "every token is a canary");
    assert!(std::panic::catch_unwind(|| assert_discreet("{}\n{\"name\":\"canary\"}")).is_err());
}
