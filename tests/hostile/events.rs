//! Mutated events of the gateway, batches and messages of the queue, and records of the stream.

use groups_local::functions::{APPLY_EVENTS, FUNCTIONS, PROPAGATE, PUBLISH_EVENTS};
use lambda_http::Context;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::material::{mutated, mutations};
use super::{World, fuzz};
use crate::harness::NO_GROUP;
use crate::harness::exchange::{T3, account_event, hand, request_event};
use crate::harness::workspace::recorded;

/// Values that the gateway sets itself for any request. The adapter trusts them, so they stay as recorded.
const SET_BY_GATEWAY: [&str; 8] = [
    "/headers/host",
    "/headers/x-forwarded-proto",
    "/rawPath",
    "/requestContext/domainName",
    "/requestContext/http/path",
    // The log has these two.
    "/requestContext/requestId",
    "/requestContext/routeKey",
    "/requestContext/stage",
];

#[test]
fn every_gateway_event_gets_an_answer_of_the_contract() {
    let cases = (0..FUNCTIONS.len(), mutations());
    fuzz(300, cases, World::start, async |world, (which, mutations)| {
        let function = FUNCTIONS[which];
        let bytes = mutated(&recorded(function.name), &mutations, &SET_BY_GATEWAY);
        // Lambda delivers only JSON.
        if let Ok(event) = serde_json::from_slice(&bytes) {
            world.invoke(function, &event).await;
        }
    });
}

/// Returns the identifiers of the failed items in a function's answer.
fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_queue_batch_is_processed_or_refused() {
    fuzz(120, mutations(), World::start, async |world, mutations| {
        let bytes = mutated(&recorded("apply-events"), &mutations, &[]);
        let Ok(event) = serde_json::from_slice::<Value>(&bytes) else { return };
        if let Ok(answer) =
            APPLY_EVENTS.answer(&world.api.apply_events_deps(), event.clone(), &Context::default()).await
        {
            for failure in failures(&answer) {
                assert!(failure.is_empty() || event.to_string().contains(&json!(failure).to_string()), "{failure:?}");
            }
        }
    });
}

#[test]
fn every_message_is_applied_or_becomes_a_dead_letter() {
    let kinds = [
        account_event("Created", "acc-1", "name", T3),
        account_event("Deleted", "acc-2", "name", T3),
        request_event("add", NO_GROUP, "acc-101", T3),
    ];
    let cases = (0..kinds.len(), mutations());
    fuzz(250, cases, World::empty, async |world, (which, mutations)| {
        let bytes = mutated(&kinds[which], &mutations, &[]);
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let (before, dead) = (world.known_rows().await, world.api.bus.dead_letters().unwrap().len());
        let too_old = 0;
        assert!(hand(&world.api.apply_events_deps(), &[json!(body)], too_old).await.is_empty(), "it is not retried");
        let letters = world.api.bus.dead_letters().unwrap();
        if let Some(letter) = letters.get(dead) {
            let reason = letter.reason.as_deref().unwrap();
            assert!(!reason.is_empty() && reason.len() < 700);
            assert!(reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{reason:?}");
            assert_eq!(letter.body, body, "as received");
            assert_eq!(world.rows().await, before, "a dead letter changes nothing");
            world.keep_rows(before);
        }
        assert!(letters.len() <= dead + 1);
    });
}

#[test]
fn every_stream_batch_is_processed_or_refused() {
    let cases = (any::<bool>(), mutations());
    fuzz(150, cases, World::start, async |world, (publishes, mutations)| {
        let name = if publishes { "publish-events" } else { "propagate" };
        let Ok(event) = serde_json::from_slice::<Value>(&mutated(&recorded(name), &mutations, &[])) else { return };
        let context = Context::default();
        let answer = if publishes {
            let deps = world.api.publish_events_deps(&world.api.bus_endpoint());
            PUBLISH_EVENTS.answer(&deps, event.clone(), &context).await
        } else {
            PROPAGATE.answer(&world.api.app, event.clone(), &context).await
        };
        for failure in answer.iter().flat_map(failures) {
            assert!(failure.is_empty() || event.to_string().contains(&json!(failure).to_string()), "{failure:?}");
        }
    });
}
