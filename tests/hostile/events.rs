//! Events: of the gateway, of the queue and what its messages say, and records of the stream.

use groups_local::functions::{APPLY_EVENTS, FUNCTIONS, PROPAGATE, PUBLISH_EVENTS};
use lambda_http::Context;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::material::{spoiled, spoils};
use super::{World, fuzz};
use crate::harness::NO_GROUP;
use crate::harness::exchange::{T3, account_event, hand, request_event};
use crate::harness::workspace::recorded;

/// What the gateway says by itself, whoever asks for whatever, and the adapter takes at its word.
const GATEWAYS_OWN: [&str; 6] = [
    "/headers/host",
    "/headers/x-forwarded-proto",
    "/rawPath",
    "/requestContext/domainName",
    "/requestContext/http/path",
    "/requestContext/stage",
];

#[test]
fn whatever_the_gateway_hands_on_there_is_an_answer_of_the_contract_or_it_is_no_event() {
    let cases = (0..FUNCTIONS.len(), spoils());
    fuzz(300, cases, World::start, async |world, (which, spoils)| {
        let function = FUNCTIONS[which];
        let bytes = spoiled(&recorded(function.name), &spoils, &GATEWAYS_OWN);
        // What is no JSON does not reach a function.
        if let Ok(event) = serde_json::from_slice(&bytes) {
            world.hand(function, &event).await;
        }
    });
}

/// The places that a function names have to be among those that it was handed.
fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn whatever_the_batch_of_the_queue_it_is_worked_through_or_it_is_no_event() {
    fuzz(120, spoils(), World::start, async |world, spoils| {
        let bytes = spoiled(&recorded("apply-events"), &spoils, &[]);
        let Ok(event) = serde_json::from_slice::<Value>(&bytes) else { return };
        if let Ok(answer) = APPLY_EVENTS.answer(&world.api.intake(), event.clone(), &Context::default()).await {
            for failure in failures(&answer) {
                assert!(failure.is_empty() || event.to_string().contains(&json!(failure).to_string()), "{failure:?}");
            }
        }
    });
}

#[test]
fn whatever_a_message_says_it_is_applied_or_put_aside_with_a_reason_of_ours() {
    let kinds = [
        account_event("Created", "acc-1", "name", T3),
        account_event("Deleted", "acc-2", "name", T3),
        request_event("add", NO_GROUP, "acc-101", T3),
    ];
    let cases = (0..kinds.len(), spoils());
    fuzz(250, cases, World::empty, async |world, (which, spoils)| {
        let bytes = spoiled(&kinds[which], &spoils, &[]);
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let (before, dead) = (world.known_rows().await, world.api.bus.dead_letters().unwrap().len());
        // For the last time: it is done with.
        assert!(hand(&world.api.intake(), &[json!(body)], 0).await.is_empty());
        let letters = world.api.bus.dead_letters().unwrap();
        if let Some(letter) = letters.get(dead) {
            let reason = letter.reason.as_deref().unwrap();
            assert!(reason.len() < 700 && reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{reason:?}");
            assert_eq!(letter.body, body, "as it came");
            assert_eq!(world.rows().await, before, "what is put aside changes nothing");
            world.knows(before);
        }
        assert!(letters.len() <= dead + 1);
    });
}

#[test]
fn whatever_the_records_of_the_stream_they_are_worked_through_or_they_are_no_event() {
    let cases = (any::<bool>(), spoils());
    fuzz(150, cases, World::start, async |world, (publishes, spoils)| {
        let name = if publishes { "publish-events" } else { "propagate" };
        let Ok(event) = serde_json::from_slice::<Value>(&spoiled(&recorded(name), &spoils, &[])) else { return };
        let context = Context::default();
        let answer = if publishes {
            let outlet = world.api.outlet(&world.api.bus_endpoint());
            PUBLISH_EVENTS.answer(&outlet, event.clone(), &context).await
        } else {
            PROPAGATE.answer(&world.api.app, event.clone(), &context).await
        };
        for failure in answer.iter().flat_map(failures) {
            let place = event.to_string().contains(&json!(failure).to_string());
            assert!(place || failure.is_empty(), "{failure:?}");
        }
    });
}
