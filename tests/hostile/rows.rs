//! Mutated answers of the table. The API still answers by its contract.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use groups_local::functions::FUNCTIONS;
use groups_local::gateway::invoke;
use lambda_http::Context;
use proptest::prelude::*;
use reqwest::Client;
use serde_json::Value;
use shared::app::{App, REQUEST_TIME_BUDGET};
use shared::domain::clock::SystemClock;
use shared::store::{Store, client_for};
use tokio::net::TcpListener;

use super::material::{mutated, mutations};
use super::{FAULTS, REFUSALS, World, fuzz, status_in_contract};
use crate::harness::config;
use crate::harness::workspace::recorded;

/// How to mutate the table's next answer, and its status.
type NextAnswer = Arc<Mutex<Option<(Mutate, u16)>>>;
type Mutate = Box<dyn Fn(&Value) -> Vec<u8> + Send>;

#[derive(Clone)]
struct Table {
    endpoint: String,
    client: Client,
    next_answer: NextAnswer,
}

/// Forwards a request to the table and mutates its answer.
async fn answer(State(table): State<Table>, headers: HeaderMap, body: Bytes) -> Response {
    let mut request = table.client.post(&table.endpoint).body(body);
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        request = request.header(name, &headers[name]);
    }
    let text = request.send().await.unwrap().bytes().await.unwrap();
    let content_type = [("content-type", "application/x-amz-json-1.0")];
    // Only one answer: a retry receives the right one.
    let Some((mutate, status)) = table.next_answer.lock().unwrap().take() else {
        return (content_type, text).into_response();
    };
    let bytes = mutate(&serde_json::from_slice(&text).unwrap());
    (StatusCode::from_u16(status).unwrap(), content_type, bytes).into_response()
}

/// Starts an app over the demo data in a table that mutates its answers.
async fn start_mutating() -> (World, App, NextAnswer) {
    let world = World::start().await;
    let next_answer = NextAnswer::default();
    let table = Table { endpoint: world.api.endpoint.clone(), client: Client::new(), next_answer: next_answer.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(table)).await });
    let name = &world.api.table;
    let store = Store::new(client_for(&url, |builder| builder), name, REQUEST_TIME_BUDGET);
    let app = App::new(config(name), store, Arc::new(SystemClock));
    (world, app, next_answer)
}

/// DynamoDB may introduce a type that the SDK does not know.
#[tokio::test]
async fn value_of_unknown_type_gets_an_answer_of_the_contract() {
    let (_world, app, next_answer) = start_mutating().await;
    for (name, event) in reads() {
        let unknown = |answer: &Value| answer.to_string().replace("{\"S\":\"Eng", "{\"X\":\"Eng").into_bytes();
        *next_answer.lock().unwrap() = Some((Box::new(unknown), 200));
        let function = FUNCTIONS.into_iter().find(|function| function.name == name).unwrap();
        let answer = invoke(function, &app, &event, Context::default()).await.expect("it does not panic");
        status_in_contract(&answer, &[REFUSALS.as_slice(), &FAULTS].concat());
    }
}

/// Reads that cover both ways to decode rows: pages directly from the bytes, single rows through the SDK.
fn reads() -> Vec<(&'static str, Value)> {
    let list = |query: &str| {
        let mut event = recorded("list-groups");
        event["rawQueryString"] = query.into();
        ("list-groups", event)
    };
    let mut reads = vec![list("limit=2"), list("search=team"), list("member=acc-123&limit=1")];
    let others = [
        "get-group",
        "get-member",
        "list-members",
        "list-nested-groups",
        "list-parents",
        "list-managers",
        "get-manager",
        "list-membership-paths",
        "list-group-history",
    ];
    reads.extend(others.map(|name| (name, recorded(name))));
    let of_accounts =
        ["get-account", "list-accounts", "list-account-groups", "check-memberships", "list-account-history"];
    reads.extend(of_accounts.map(|name| (name, recorded(name))));
    reads
}

#[test]
fn every_answer_of_the_table_leads_to_an_answer_of_the_contract() {
    let reads = reads();
    let cases = (0..reads.len(), mutations(), prop_oneof![8 => Just(200_u16), 1 => Just(400), 1 => Just(413)]);
    let allowed = [REFUSALS.as_slice(), &FAULTS].concat();
    fuzz(250, cases, start_mutating, async |(_, app, next_answer), (which, mutations, status)| {
        let (name, event) = &reads[which];
        let function = FUNCTIONS.into_iter().find(|function| function.name == *name).unwrap();
        *next_answer.lock().unwrap() = Some((Box::new(move |answer| mutated(answer, &mutations, &[])), status));
        let answer = invoke(function, app, event, Context::default()).await.expect("it does not panic");
        status_in_contract(&answer, &allowed);
        *next_answer.lock().unwrap() = None;
    });
}
