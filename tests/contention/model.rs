//! The model itself, in front of a table that answers at once.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::contention::{Bucket, Contention, Reply};

const NOTHING: &str = "{}";

fn key(partition: &str) -> Value {
    json!({ "PK": { "S": partition }, "SK": { "S": "ROW" } })
}

fn transaction(actions: &[(&str, &str)]) -> Value {
    let action = |(kind, partition): &(&str, &str)| match *kind {
        "Put" => json!({ "Put": { "Item": key(partition) } }),
        kind => json!({ kind: { "Key": key(partition) } }),
    };
    json!({ "TransactItems": actions.iter().map(action).collect::<Vec<_>>() })
}

/// Passes a request to a table that answers with this body.
async fn pass(model: &Contention, operation: &str, request: Value, answer: &str) -> Reply {
    let answer = (StatusCode::OK, Bytes::copy_from_slice(answer.as_bytes()));
    model.pass(operation, request, |_| std::future::ready(answer)).await
}

fn error((status, body): &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let name = body["__type"].as_str()?.rsplit('#').next().unwrap().to_owned();
    assert_eq!(*status, 400);
    Some(name)
}

fn reasons(reply: &Reply) -> Vec<String> {
    assert_eq!(error(reply).as_deref(), Some("TransactionCanceledException"));
    let body: Value = serde_json::from_slice(&reply.1).unwrap();
    let reasons = body["CancellationReasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["Code"].as_str().unwrap().to_owned()).collect()
}

/// Passes a request while a transaction with a condition on `checked` and a write of `written` is in flight.
async fn pass_during_transaction(operation: &str, request: Value) -> Reply {
    let model = Contention::new(1);
    let transaction = transaction(&[("ConditionCheck", "checked"), ("Update", "written")]);
    let (first, second) = tokio::join!(
        pass(&model, "TransactWriteItems", transaction, NOTHING),
        pass(&model, operation, request, NOTHING),
    );
    assert_eq!(error(&first), None, "the first one passes");
    assert_eq!(model.take().conflicts, usize::from(error(&second).is_some()));
    second
}

#[tokio::test]
async fn transaction_on_an_item_in_flight_is_cancelled_for_exactly_this_item() {
    let second = transaction(&[("Put", "free"), ("Put", "written"), ("Delete", "other")]);
    let refused = pass_during_transaction("TransactWriteItems", second).await;
    assert_eq!(reasons(&refused), ["None", "TransactionConflict", "None"]);
}

#[tokio::test]
async fn condition_check_conflicts_like_a_write() {
    let check = transaction(&[("ConditionCheck", "checked"), ("Update", "free")]);
    let refused = pass_during_transaction("TransactWriteItems", check).await;
    assert_eq!(reasons(&refused), ["TransactionConflict", "None"]);
}

#[tokio::test]
async fn transactional_read_conflicts() {
    let reads = transaction(&[("Get", "free"), ("Get", "written")]);
    assert_eq!(reasons(&pass_during_transaction("TransactGetItems", reads).await), ["None", "TransactionConflict"]);
}

#[tokio::test]
async fn single_write_conflicts() {
    for operation in ["UpdateItem", "DeleteItem"] {
        let refused = pass_during_transaction(operation, json!({ "Key": key("checked") })).await;
        assert_eq!(error(&refused).as_deref(), Some("TransactionConflictException"), "{operation}");
    }
}

#[tokio::test]
async fn other_items_do_not_conflict() {
    let other = transaction(&[("Update", "free")]);
    assert_eq!(error(&pass_during_transaction("TransactWriteItems", other).await), None);
    assert_eq!(error(&pass_during_transaction("UpdateItem", json!({ "Key": key("free") })).await), None);
}

#[tokio::test]
async fn items_are_free_once_a_transaction_has_failed() {
    let model = Contention::new(1);
    let request = transaction(&[("Update", "written")]);
    let failed = (StatusCode::BAD_REQUEST, Bytes::from_static(b"{\"__type\":\"#ValidationException\"}"));
    model.pass("TransactWriteItems", request.clone(), |_| std::future::ready(failed)).await;
    assert_eq!(error(&pass(&model, "TransactWriteItems", request, NOTHING).await), None);
}

#[tokio::test]
async fn plain_read_passes_and_sees_the_old_item() {
    let model = &Contention::new(1);
    let (item, seen) = (&RefCell::new("old"), &Cell::new(None));
    let (read_ended, wait_for_read) = futures::channel::oneshot::channel();
    let answer = || (StatusCode::OK, Bytes::from_static(NOTHING.as_bytes()));
    let transaction = model.pass("TransactWriteItems", transaction(&[("Update", "written")]), |_| async move {
        wait_for_read.await.unwrap();
        *item.borrow_mut() = "new";
        answer()
    });
    let read = async {
        let request = json!({ "Key": key("written"), "ConsistentRead": true });
        let reply = model.pass("GetItem", request, |_| {
            seen.set(Some(*item.borrow()));
            std::future::ready(answer())
        });
        let reply = reply.await;
        read_ended.send(()).unwrap();
        reply
    };
    let (written, read) = tokio::join!(transaction, read);
    assert_eq!((error(&written), error(&read), seen.get()), (None, None, Some("old")));
    assert_eq!((*item.borrow(), model.take().conflicts), ("new", 0));
}

#[test]
fn partition_has_five_seconds_of_burst_and_then_its_rate() {
    let start = Instant::now();
    let later = |seconds| start + Duration::from_secs(seconds);
    let mut bucket = Bucket::full(1_000.0, start);
    let mut taken_at = |now| {
        let mut taken = 0;
        while bucket.has(2.0, now) {
            bucket.take(2.0);
            taken += 2;
        }
        taken
    };
    assert_eq!([taken_at(start), taken_at(start), taken_at(later(1)), taken_at(later(3))], [5_000, 0, 1_000, 2_000]);
    assert_eq!(taken_at(later(3_600)), 5_000, "an unused partition saves no more than its burst");
}

/// An answer that costs more than any partition has.
fn costly(capacity: &Value) -> String {
    json!({ "ConsumedCapacity": capacity }).to_string()
}

#[tokio::test]
async fn transaction_is_cancelled_for_the_items_of_an_empty_partition() {
    let model = Contention::new(1);
    let all_units = costly(&json!([{ "CapacityUnits": 1e9 }]));
    pass(&model, "TransactWriteItems", transaction(&[("Update", "busy")]), &all_units).await;

    let next = transaction(&[("Update", "quiet"), ("ConditionCheck", "busy")]);
    let refused = pass(&model, "TransactWriteItems", next, NOTHING).await;
    let single = pass(&model, "UpdateItem", json!({ "Key": key("busy") }), NOTHING).await;
    let read = pass(&model, "GetItem", json!({ "Key": key("busy") }), NOTHING).await;

    assert_eq!(reasons(&refused), ["None", "ProvisionedThroughputExceeded"]);
    assert_eq!(error(&single).as_deref(), Some("ProvisionedThroughputExceededException"));
    assert_eq!(error(&read), None, "reads have units of their own");
    let counts = model.take();
    assert_eq!((counts.throttles, counts.requests["TransactWriteItems"]), (2, 2));
    assert!((counts.units["busy"].write - 1e9).abs() < 1.0, "{counts:?}");
    assert!(!counts.units.contains_key("quiet"), "a refused request costs nothing");
}

#[tokio::test]
async fn query_costs_its_partition_what_it_reads() {
    let model = Contention::new(1);
    let query = |partition: &str| {
        let values = json!({ ":0": { "S": partition } });
        json!({ "KeyConditionExpression": "#PK = :0 AND #SK BETWEEN :1 AND :2", "ExpressionAttributeValues": values })
    };
    pass(&model, "Query", query("busy"), &costly(&json!({ "CapacityUnits": 1e9 }))).await;
    let refused = pass(&model, "Query", query("busy"), NOTHING).await;
    assert_eq!(error(&refused).as_deref(), Some("ProvisionedThroughputExceededException"));
    assert_eq!(error(&pass(&model, "Query", query("quiet"), NOTHING).await), None);
}

#[tokio::test]
async fn latencies_repeat_by_seed_and_are_around_the_median() {
    let draw = |seed: u64| {
        let model = Contention::new(seed);
        (0..1_001).map(|_| model.draw(Duration::from_millis(16))).collect::<Vec<_>>()
    };
    let mut latencies = draw(7);
    assert_eq!(latencies, draw(7));
    latencies.sort_unstable();
    let (median, slow) = (latencies[500], latencies[990]);
    assert!((14..18).contains(&median.as_millis()), "{median:?}");
    assert!((30..45).contains(&slow.as_millis()), "{slow:?}");
}
