//! What networks and busy tables do: nothing is lost or done twice, and nothing of the inside shows.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{AccountId, Change, Error, GroupId, Outcome};
use shared::http::{HttpResponse, Reply};
use tokio::time::Instant;

use crate::harness::faults::{Fault, Faults};
use crate::harness::recorder::operations;
use crate::harness::{Answer, Api, administer, now, numbered, read};

const TRANSACT: &str = "TransactWriteItems";
/// Those that pass by themselves.
const PASSING: [Fault; 4] = [Fault::Throttle, Fault::Conflict, Fault::InternalError, Fault::NeverArrives];

async fn start() -> (Faults, Api) {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    (faults, api)
}

#[tokio::test]
async fn reads_are_tried_again() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.members(&id, 0..3).await;
    for (path, operation) in [
        (format!("/{id}"), "GetItem"),
        (format!("/{id}/members"), "Query"),
        (format!("/{id}/members/acc-00001"), "BatchGetItem"),
        ("?member=acc-00001".into(), "BatchGetItem"),
        ("?search=a".into(), "Query"),
        (String::new(), "Query"),
    ] {
        let expected = api.get(&path).await.ok();
        for fault in PASSING.into_iter().chain([Fault::AnswerLost]) {
            faults.next(operation, fault).next(operation, fault);
            assert_eq!(api.get(&path).await.ok(), expected, "{operation} {fault:?}");
            assert_eq!(faults.left(), 0);
        }
    }
}

#[tokio::test]
async fn keys_that_were_not_looked_at_are_asked_for_again() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.numbered_accounts(0..20).await;
    faults.next("BatchGetItem", Fault::Unprocessed(30)).next("BatchGetItem", Fault::Unprocessed(11));
    let add: Vec<String> = (0..20).map(numbered).collect();
    let body = api.patch(&format!("/{id}/members"), json!({ "add": add })).await.ok();
    assert!(body["outcomes"].as_array().unwrap().iter().all(|outcome| outcome["outcome"] == json!("added")));
    assert_eq!(faults.left(), 0);
}

#[tokio::test]
async fn a_group_is_created_once_whatever_happens_to_the_answer() {
    let (faults, api) = start().await;
    for fault in PASSING.into_iter().chain([Fault::AnswerLost]) {
        faults.next("PutItem", fault).next("PutItem", fault);
        let answer = api.post("", json!({ "name": "A" })).await;
        assert_eq!(answer.status, 201, "{fault:?}: {}", answer.text);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        assert_eq!(api.walk("", "groups").await, [answer.body]);
        api.delete(&format!("/{id}")).await;
    }
    for fault in [Fault::TransactionConflict, Fault::AnswerLost, Fault::Throttle, Fault::NeverArrives] {
        faults.next(TRANSACT, fault).next(TRANSACT, fault);
        let request = api.request(Method::POST, "").header("Idempotency-Key", format!("{fault:?}"));
        let answer = Answer::to(request.json(&json!({ "name": "A" }))).await;
        assert_eq!(answer.status, 201, "{fault:?}: {}", answer.text);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        assert_eq!(api.walk("", "groups").await, [answer.body]);
        api.delete(&format!("/{id}")).await;
    }
}

/// A write whose answer got lost finds its own trace and does not take itself for another's.
#[tokio::test]
async fn updates_and_deletions_recognize_themselves() {
    let (faults, api) = start().await;
    for fault in PASSING.into_iter().chain([Fault::AnswerLost]) {
        let id = api.group("A").await;
        let conditional = |method: Method, version: &str| {
            api.request(method, &format!("/{id}")).header("If-Match", version).json(&json!({ "name": "B" }))
        };
        faults.next("UpdateItem", fault).next("UpdateItem", fault);
        let answer = Answer::to(conditional(Method::PUT, "\"1\"")).await;
        assert_eq!(answer.header("etag"), Some("\"2\""), "{fault:?}: {}", answer.text);
        assert_eq!(answer.ok()["name"], json!("B"));
        faults.next("UpdateItem", fault).next("UpdateItem", fault);
        assert_eq!(Answer::to(conditional(Method::DELETE, "\"2\"")).await.status, 204, "{fault:?}");
        api.get(&format!("/{id}")).await.not_found();
        assert_eq!(faults.left(), 0);
    }
}

#[tokio::test]
async fn an_unconditional_update_is_done_once_too() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    faults.next("UpdateItem", Fault::AnswerLost).next("UpdateItem", Fault::AnswerLost);
    let answer = api.put(&format!("/{id}"), json!({ "name": "B" })).await;
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(answer.ok()["name"], json!("B"));
}

/// A store without an end set to it has its patience for each request, however long it has been there.
#[tokio::test]
async fn patience_does_not_run_out_with_time() {
    let api = Api::start().await;
    let id = GroupId::parse(&api.group("A").await).unwrap();
    // More than a request takes on a slow table.
    let patience = Duration::from_secs(3);
    let client = shared::store::client_for(&api.endpoint, |builder| builder);
    let store = shared::store::Store::new(client, &api.table, patience);
    let started = Instant::now();
    while started.elapsed() < patience * 2 {
        store.require_group(&read(), &id).await.unwrap();
    }
}

#[tokio::test]
async fn membership_changes_are_done_once_whatever_happens_to_the_answer() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let path = format!("/{id}/members/acc-1");
    let conflicts = [Fault::TransactionConflict, Fault::Throttle, Fault::InternalError, Fault::NeverArrives];
    for fault in conflicts.into_iter().chain([Fault::AnswerLost]) {
        faults.next(TRANSACT, fault).next(TRANSACT, fault);
        api.put(&path, Value::Null).await.ok();
        assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(1), "{fault:?}");
        faults.next(TRANSACT, fault).next(TRANSACT, fault);
        assert_eq!(api.delete(&path).await.status, 204, "{fault:?}");
        assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0), "{fault:?}");
        assert_eq!(faults.left(), 0);
    }
}

#[tokio::test]
async fn a_table_that_stays_busy_is_a_503_in_time() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let id = api.group("A").await;
    faults.repeat("GetItem", Fault::Throttle, 1_000);
    // Half a second: through the gateway a call has ten.
    let soon = Instant::now() + Duration::from_millis(500);
    let store = api.app.store.until(soon);
    let error = store.get_group(&read(), &GroupId::parse(&id).unwrap()).await.unwrap_err();
    assert_eq!(error, Error::Unavailable { operation: "GetItem" });
    // It gives up at the deadline; the rest is for a machine that is busy with other tests.
    assert!(Instant::now() <= soon + Duration::from_secs(5), "it gave up");
    let requests = api.recorder.take();
    let tries = operations(&requests).iter().filter(|operation| **operation == "GetItem").count();
    assert!((2..=1_000).contains(&tries), "{tries} tries");

    let response = HttpResponse::from(Reply::error(&error.into(), "r"));
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
}

#[tokio::test]
async fn what_did_not_happen_in_time_is_to_be_asked_for_again() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.members(&id, 40..41).await;
    api.numbered_accounts(0..40).await;
    let changes: Vec<Change> =
        (0..40).map(|number| Change::Add(AccountId::parse(&numbered(number)).unwrap())).collect();
    // Of the two transactions, the first goes through.
    faults.next(TRANSACT, Fault::Passes).repeat(TRANSACT, Fault::TransactionConflict, 1_000);
    let (granted, group) = (administer(), GroupId::parse(&id).unwrap());
    let store = api.app.store.until(Instant::now() + Duration::from_secs(3));
    let outcomes = store.change_members(&granted, &group, &changes, now()).await.unwrap();
    assert!(outcomes[..24].iter().all(|outcome| matches!(outcome, Outcome::Added(_))));
    assert!(outcomes[24..].iter().all(|outcome| *outcome == Outcome::Retry));
    let group = api.get(&format!("/{id}")).await.ok();
    assert_eq!(group["member_count"], json!(25), "the count is of those that happened");
}

#[tokio::test]
async fn a_fault_of_ours_shows_nothing_of_our_inside() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let secrets = ["secret", "GROUP#", "MEMBER#", "GSI1", "Exception", "SdkError", "PK", &api.table];
    let calls: [(&str, Method, String, Value); 7] = [
        ("GetItem", Method::GET, format!("/{id}"), Value::Null),
        ("Query", Method::GET, String::new(), Value::Null),
        ("Query", Method::GET, format!("/{id}/members"), Value::Null),
        (TRANSACT, Method::POST, String::new(), json!({ "name": "A" })),
        ("UpdateItem", Method::PUT, format!("/{id}"), json!({ "name": "A" })),
        ("BatchGetItem", Method::GET, format!("/{id}/members/acc-1"), Value::Null),
        (TRANSACT, Method::PUT, format!("/{id}/members/acc-1"), json!({})),
    ];
    for (operation, method, path, body) in calls {
        faults.next(operation, Fault::Malformed);
        let answer = Answer::to(api.request(method, &path).json(&body)).await;
        assert_eq!(answer.refused(500, "INTERNAL_ERROR"), "an internal error occurred");
        for secret in secrets {
            assert!(!answer.text.contains(secret), "{secret} shows in {}", answer.text);
        }
    }
}
