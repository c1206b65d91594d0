//! Faults of networks and busy tables: no write is lost or applied twice, and no internal detail leaks.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{AccountId, AddOutcome, ChangeOutcome, Error, GroupId, MemberChange, Precondition};
use shared::http::{HttpResponse, Reply};
use tokio::time::Instant;

use crate::harness::faults::{Fault, Faults};
use crate::harness::recorder::operations;
use crate::harness::{Answer, Api, administer, now, numbered, read};

const TRANSACT: &str = "TransactWriteItems";
/// Faults before anything is written, cured by a retry.
const TRANSIENT: [Fault; 4] = [Fault::Throttle, Fault::Conflict, Fault::InternalError, Fault::NeverArrives];

async fn start() -> (Faults, Api) {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    (faults, api)
}

#[tokio::test]
async fn reads_are_retried() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.members(&id, 0..3).await;
    for (path, operation) in [
        (format!("/{id}"), "Query"),
        (format!("/{id}/members"), "Query"),
        (format!("/{id}/members/acc-00001"), "BatchGetItem"),
        ("?member=acc-00001".into(), "BatchGetItem"),
        ("?search=a".into(), "Query"),
        (String::new(), "Query"),
    ] {
        let expected = api.get(&path).await.ok();
        for fault in TRANSIENT.into_iter().chain([Fault::AnswerLost]) {
            faults.next(operation, fault).next(operation, fault);
            assert_eq!(api.get(&path).await.ok(), expected, "{operation} {fault:?}");
            assert_eq!(faults.left(), 0);
        }
    }
}

#[tokio::test]
async fn unprocessed_keys_are_requested_again() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.numbered_accounts(0..20).await;
    faults.next("BatchGetItem", Fault::Unprocessed(30)).next("BatchGetItem", Fault::Unprocessed(11));
    let add: Vec<String> = (0..20).map(numbered).collect();
    let body = api.patch(&format!("/{id}/members"), json!({ "add": add })).await.ok();
    let outcomes = body["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 20);
    assert!(outcomes.iter().all(|outcome| outcome["outcome"] == json!("added")));
    assert_eq!(faults.left(), 0);
}

#[tokio::test]
async fn group_is_created_once_despite_faults() {
    let (faults, api) = start().await;
    for fault in TRANSIENT.into_iter().chain([Fault::AnswerLost]) {
        faults.next("PutItem", fault).next("PutItem", fault);
        let answer = api.post("", json!({ "name": "A" })).await;
        assert_eq!(answer.status, 201, "{fault:?}: {}", answer.text);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        assert_eq!(api.all_items("", "groups").await, [answer.body]);
        api.delete(&format!("/{id}")).await;
    }
    for fault in [Fault::TransactionConflict, Fault::AnswerLost, Fault::Throttle, Fault::NeverArrives] {
        faults.next(TRANSACT, fault).next(TRANSACT, fault);
        let request = api.request(Method::POST, "").header("Idempotency-Key", format!("{fault:?}"));
        let answer = Answer::to(request.json(&json!({ "name": "A" }))).await;
        assert_eq!(answer.status, 201, "{fault:?}: {}", answer.text);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        assert_eq!(api.all_items("", "groups").await, [answer.body]);
        api.delete(&format!("/{id}")).await;
    }
}

/// A retry after a lost answer finds its own write, and does not report it as somebody else's.
#[tokio::test]
async fn conditional_update_and_deletion_recognize_their_own_write() {
    let (faults, api) = start().await;
    let of_transactions =
        [Fault::Throttle, Fault::TransactionConflict, Fault::InternalError, Fault::NeverArrives, Fault::AnswerLost];
    for (fault, transaction_fault) in TRANSIENT.into_iter().chain([Fault::AnswerLost]).zip(of_transactions) {
        let id = api.group("A").await;
        let conditional = |method: Method, version: &str, body: Value| {
            api.request(method, &format!("/{id}")).header("If-Match", version).json(&body)
        };
        faults.next("UpdateItem", fault).next("UpdateItem", fault);
        let answer = Answer::to(conditional(Method::PUT, "\"1-0\"", json!({ "description": "B" }))).await;
        assert_eq!(answer.header("etag"), Some("\"2-0\""), "{fault:?}: {}", answer.text);
        assert_eq!(answer.ok()["description"], json!("B"));
        faults.next(TRANSACT, transaction_fault).next(TRANSACT, transaction_fault);
        let answer = Answer::to(conditional(Method::PUT, "\"2-0\"", json!({ "name": "B" }))).await;
        assert_eq!(answer.header("etag"), Some("\"3-0\""), "{transaction_fault:?}: {}", answer.text);
        assert_eq!(answer.ok()["name"], json!("B"));
        faults.next(TRANSACT, transaction_fault).next(TRANSACT, transaction_fault);
        let answer = Answer::to(conditional(Method::DELETE, "\"3-0\"", json!({}))).await;
        assert_eq!(answer.status, 204, "{transaction_fault:?}: {}", answer.text);
        api.get(&format!("/{id}")).await.not_found();
        assert_eq!(faults.left(), 0);
    }
}

#[tokio::test]
async fn unconditional_update_is_applied_once_despite_faults() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    for (operation, body, tag) in
        [("UpdateItem", json!({ "description": "B" }), "\"2-0\""), (TRANSACT, json!({ "name": "B" }), "\"3-0\"")]
    {
        faults.next(operation, Fault::AnswerLost).next(operation, Fault::AnswerLost);
        let answer = api.put(&format!("/{id}"), body).await;
        assert_eq!(answer.header("etag"), Some(tag));
        assert_eq!(faults.left(), 0);
    }
    assert_eq!(api.get(&format!("/{id}")).await.ok()["name"], json!("B"));
}

/// A store without a deadline serves requests long after its creation.
#[tokio::test]
async fn time_budget_begins_with_each_request() {
    let api = Api::start().await;
    let id = GroupId::parse(&api.group("A").await).unwrap();
    let time_budget = Duration::from_millis(50);
    let client = shared::store::client_for(&api.endpoint, |builder| builder);
    let store = shared::store::Store::new(client, &api.table, time_budget);
    let created = Instant::now();
    while created.elapsed() <= time_budget {
        api.get(&format!("/{id}")).await.ok();
    }
    // On a busy machine a single request may need more than its budget.
    let mut attempts = 0;
    while let Err(error) = store.require_group(&read(), &id).await {
        assert_eq!(error, Error::Unavailable { operation: "Query" });
        attempts += 1;
        assert!(attempts < 100, "the budget has run out for good");
    }
}

#[tokio::test]
async fn membership_is_changed_once_despite_faults() {
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
async fn busy_table_yields_503_at_the_deadline() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    let id = api.group("A").await;
    faults.repeat("Query", Fault::Throttle, 1_000);
    // Half a second: through the gateway a call has ten.
    let soon = Instant::now() + Duration::from_millis(500);
    let store = api.app.store.until(soon);
    let error = store.require_group(&read(), &GroupId::parse(&id).unwrap()).await.unwrap_err();
    assert_eq!(error, Error::Unavailable { operation: "Query" });
    // Five seconds of tolerance for a machine that is busy with other tests.
    assert!(Instant::now() <= soon + Duration::from_secs(5), "it gave up");
    let requests = api.recorder.take();
    let tries = operations(&requests).iter().filter(|operation| **operation == "Query").count();
    assert!((2..=1_000).contains(&tries), "{tries} tries");

    let response = HttpResponse::from(Reply::error(&error.into(), "r"));
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
}

#[tokio::test]
async fn changes_past_the_deadline_are_reported_for_retry() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.members(&id, 40..41).await;
    api.numbered_accounts(0..40).await;
    let changes: Vec<MemberChange> =
        (0..40).map(|number| MemberChange::add(AccountId::parse(&numbered(number)).unwrap())).collect();
    // One of the transactions commits.
    faults.next(TRANSACT, Fault::Passes).repeat(TRANSACT, Fault::TransactionConflict, 1_000);
    let (granted, group) = (administer(), GroupId::parse(&id).unwrap());
    let store = api.app.store.until(Instant::now() + Duration::from_secs(3));
    let outcomes = store
        .change_members(&granted.to_manage_members(), &group, &changes, &Precondition::NONE, now())
        .await
        .unwrap()
        .leave_to_stream();
    let is_added = |outcome: &&ChangeOutcome| matches!(outcome, ChangeOutcome::Add(AddOutcome::Added(_)));
    let added = outcomes.iter().filter(is_added).count();
    let retried = outcomes.iter().filter(|outcome| **outcome == ChangeOutcome::Retry).count();
    assert_eq!(added + retried, 40);
    assert!(added > 0 && retried > 0, "{added} were added");
    let group = api.get(&format!("/{id}")).await.ok();
    assert_eq!(group["member_count"], json!(added + 1), "committed additions are counted");
}

#[tokio::test]
async fn internal_error_leaks_no_internal_detail() {
    let (faults, api) = start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let internals = ["secret", "GROUP#", "MEMBER#", "SEARCH#", "Exception", "SdkError", "PK", &api.table];
    let calls: [(&str, Method, String, Value); 7] = [
        ("Query", Method::GET, format!("/{id}"), Value::Null),
        ("Query", Method::GET, String::new(), Value::Null),
        ("Query", Method::GET, format!("/{id}/members"), Value::Null),
        (TRANSACT, Method::POST, String::new(), json!({ "name": "A" })),
        ("UpdateItem", Method::PUT, format!("/{id}"), json!({ "description": "A" })),
        ("BatchGetItem", Method::GET, format!("/{id}/members/acc-1"), Value::Null),
        (TRANSACT, Method::PUT, format!("/{id}/members/acc-1"), json!({})),
    ];
    for (operation, method, path, body) in calls {
        faults.next(operation, Fault::Malformed);
        let answer = Answer::to(api.request(method, &path).json(&body)).await;
        assert_eq!(answer.refused(500, "INTERNAL_ERROR"), "an internal error occurred");
        for internal in internals {
            assert!(!answer.text.contains(internal), "{internal} shows in {}", answer.text);
        }
    }
}
