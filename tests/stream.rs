//! The poller of `cargo local` behaves like Lambda: filters, batches, partial failures, bisection.

use std::sync::Mutex;
use std::time::Duration;

use groups_local::activity::Activity;
use groups_local::pattern::matches;
use groups_local::poller::Poller;
use groups_local::template::StreamSource;
use serde_json::{Value, json};
use shared::app::{App, StreamFunction};
use shared::domain::Account;

use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::{Api, account, event_source, longest_name, numbered, template, version};

#[test]
fn pattern_matches_only_events_with_its_values() {
    let pattern =
        json!({ "eventName": ["INSERT", "MODIFY"], "dynamodb": { "Keys": { "SK": { "S": [{ "prefix": "A#" }] } } } });
    let event = |name: &str, key: Value| json!({ "eventName": name, "dynamodb": { "Keys": { "SK": key } } });
    for (event, expected) in [
        (event("INSERT", json!({ "S": "A#1" })), true),
        (event("MODIFY", json!({ "S": "A#" })), true),
        (event("REMOVE", json!({ "S": "A#1" })), false),
        (event("INSERT", json!({ "S": "B#1" })), false),
        (event("INSERT", json!({ "N": "1" })), false),
        (json!({ "eventName": "INSERT" }), false),
        (json!({}), false),
    ] {
        assert_eq!(matches(&pattern, &event), expected, "{event}");
    }
    let others = json!({ "source": [{ "anything-but": "groups" }] });
    for (source, expected) in [(json!("hr"), true), (json!("groups"), false), (Value::Null, false)] {
        assert_eq!(matches(&others, &json!({ "source": source })), expected);
    }
    assert!(matches(&json!({}), &json!({ "anything": 1 })));
    assert!(!matches(&json!("text"), &json!("text")));
}

/// Asserts which records of each write pass the template's filters.
#[tokio::test]
async fn records_without_consequences_are_filtered_out() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut pump = Pump::of(&api).await;
    let mut received = async || {
        pump.fetch().await;
        let keys = pump.waiting.drain(..).map(|record| {
            let key = record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap().to_owned();
            (record["eventName"].as_str().unwrap().to_owned(), key.split('#').next().unwrap().to_owned())
        });
        keys.collect::<Vec<_>>()
    };
    let record = |event: &str, row: &str| (event.to_owned(), row.to_owned());
    let [parent, child] = [api.group("A").await, api.group("B").await];
    api.put(&format!("/{parent}"), json!({ "description": "C" })).await.ok();
    api.accounts(&["acc-1"]).await;
    assert_eq!(received().await, [], "new groups and accounts, and a new description");
    // A name passes while its search rows are written; these rows and the list entry do not.
    api.put(&format!("/{parent}"), json!({ "name": "C" })).await.ok();
    assert_eq!(received().await, []);
    api.put(&format!("/{parent}"), json!({ "name": longest_name() })).await.ok();
    assert_eq!(received().await, [record("MODIFY", "GROUP")]);
    // The member's row and its count shard pass; mirror and audit record do not.
    api.put(&format!("/{child}/members/acc-1"), Value::Null).await.ok();
    let mut added = received().await;
    added.sort();
    assert_eq!(added, [record("INSERT", "COUNT"), record("INSERT", "MEMBER")]);
    // The new job and the inherited member pass; the edge's rows and the end of the job do not.
    api.nest(&parent, &child).await;
    let mut nested = received().await;
    nested.sort();
    assert_eq!(nested, [record("INSERT", "COUNT"), record("INSERT", "JOB"), record("INSERT", "MEMBER")]);
    assert_eq!(api.delete(&format!("/{child}")).await.status, 204);
    let mut deleted = received().await;
    deleted.sort();
    // Two jobs, of the group and of the sweep that the call completes.
    let jobs = [record("INSERT", "JOB"), record("INSERT", "JOB")];
    let others = [record("MODIFY", "COUNT"), record("MODIFY", "GROUP"), record("REMOVE", "MEMBER")];
    assert_eq!(deleted, [jobs.as_slice(), &others].concat());
}

/// The sequence numbers of each batch that [`UNRELIABLE`] received.
static BATCHES: Mutex<Vec<Vec<String>>> = Mutex::new(Vec::new());

/// Panics on the first batch, fails the second record of the second one, and succeeds afterwards.
const UNRELIABLE: StreamFunction<App> = StreamFunction::new("unreliable", |_, records| {
    Box::pin(async move {
        let numbers: Vec<String> = records.into_iter().map(|record| record.sequence_number).collect();
        let mut batches = BATCHES.lock().unwrap();
        batches.push(numbers.clone());
        let count = batches.len();
        drop(batches);
        match count {
            1 => panic!("the first batch fails"),
            2 => vec![numbers[1].clone()],
            _ => Vec::new(),
        }
    })
});

#[tokio::test]
async fn failed_batch_is_retried_in_halves_from_the_failed_record() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    api.numbered_accounts(0..8).await;
    for number in 0..8 {
        let renamed = Account { version: version(2), ..account(&numbered(number)) };
        api.store.put_account(&event_source(), &renamed).await.unwrap();
    }
    let source = StreamSource { batch_size: 1_000, ..template().stream_of("propagate").unwrap().clone() };
    let poller = Poller::new((&api.endpoint, &api.table), &source, UNRELIABLE, api.app.clone(), None).await.unwrap();
    let mut progress = poller.progress();
    let running = tokio::spawn(poller.run(Activity::default()));
    tokio::time::timeout(Duration::from_secs(60), progress.caught_up()).await.unwrap();
    running.abort();
    let batches = BATCHES.lock().unwrap().clone();
    let all = &batches[0];
    assert_eq!(all.len(), 8);
    // The whole batch; its first half, whose second record fails; the rest of that half; the second half.
    assert_eq!(batches, [&all[..], &all[..4], &all[1..4], &all[4..]].map(<[String]>::to_vec));
}
