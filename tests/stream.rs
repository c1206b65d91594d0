//! The poller of `cargo local` against what Lambda does: filters, batches, partial failures, halves.

use std::sync::Mutex;
use std::time::Duration;

use groups_local::pattern::matches;
use groups_local::poller::Poller;
use groups_local::template::StreamSource;
use serde_json::{Value, json};
use shared::app::{App, StreamFunction};

use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::{Api, template};

#[test]
fn a_pattern_matches_what_it_says_and_nothing_else() {
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

/// What the template's filters let through, by what is done.
#[tokio::test]
async fn records_that_nothing_follows_from_do_not_come() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut pump = Pump::of(&api).await;
    let mut came = async || {
        pump.fetch().await;
        let keys = pump.waiting.drain(..).map(|record| {
            let key = record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap().to_owned();
            (record["eventName"].as_str().unwrap().to_owned(), key.split('#').next().unwrap().to_owned())
        });
        keys.collect::<Vec<_>>()
    };
    let record = |event: &str, row: &str| (event.to_owned(), row.to_owned());
    let ids = [api.group("A").await, api.group("B").await];
    api.put(&format!("/{}", ids[0]), json!({ "description": "C" })).await.ok();
    api.accounts(&["acc-1"]).await;
    assert_eq!(came().await, [], "groups and accounts that are new or described anew");
    // Not what the search was given, nor that it has it.
    api.put(&format!("/{}", ids[0]), json!({ "name": "C" })).await.ok();
    assert_eq!(came().await, [record("MODIFY", "GROUP")]);
    // Neither the counts, nor the mirrors.
    api.put(&format!("/{}/members/acc-1", ids[1]), Value::Null).await.ok();
    assert_eq!(came().await, [record("INSERT", "MEMBER")]);
    // Neither the nesting's rows nor the job's end.
    api.nest(&ids[0], &ids[1]).await;
    let mut nested = came().await;
    nested.sort();
    assert_eq!(nested, [record("INSERT", "JOB"), record("INSERT", "MEMBER")]);
    assert_eq!(api.delete(&format!("/{}", ids[1])).await.status, 204);
    assert_eq!(came().await, [record("MODIFY", "GROUP")]);
}

/// What the function below was handed, batch by batch.
static BATCHES: Mutex<Vec<Vec<String>>> = Mutex::new(Vec::new());

/// Panics at first, then fails the second record of a batch, then takes everything.
const MOODY: StreamFunction<App> = StreamFunction::new("moody", |_, records| {
    Box::pin(async move {
        let numbers: Vec<String> = records.into_iter().map(|record| record.sequence_number).collect();
        let mut batches = BATCHES.lock().unwrap();
        batches.push(numbers.clone());
        let count = batches.len();
        drop(batches);
        match count {
            1 => panic!("the first batch is too much"),
            2 => vec![numbers[1].clone()],
            _ => Vec::new(),
        }
    })
});

#[tokio::test]
async fn a_batch_that_fails_comes_again_in_halves_and_from_where_it_failed() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let id = api.group("A").await;
    api.members(&id, 0..8).await;
    let source = StreamSource { batch_size: 1_000, ..template().stream_of("propagate").unwrap().clone() };
    let poller = Poller::new((&api.endpoint, &api.table), &source, MOODY, api.app.clone(), None).await.unwrap();
    let mut progress = poller.progress();
    let running = tokio::spawn(poller.run());
    tokio::time::timeout(Duration::from_secs(60), progress.caught_up()).await.unwrap();
    running.abort();
    let batches = BATCHES.lock().unwrap().clone();
    let all = &batches[0];
    assert_eq!(all.len(), 8);
    // The whole batch; its first half, of which the second record fails; from there on; the second half.
    assert_eq!(batches, [&all[..], &all[..4], &all[1..4], &all[4..]].map(<[String]>::to_vec));
}
