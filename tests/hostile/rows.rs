//! What the table answers: whatever it is, the API has an answer of the contract to it.

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

use super::material::{spoiled, spoils};
use super::{FAULTS, REFUSALS, World, fuzz, status_in_contract};
use crate::harness::config;
use crate::harness::workspace::recorded;

/// How the table's next answer is spoiled, and the status that goes with it.
type Spoils = Arc<Mutex<Option<(Spoiler, u16)>>>;
type Spoiler = Box<dyn Fn(&Value) -> Vec<u8> + Send>;

#[derive(Clone)]
struct Table {
    endpoint: String,
    client: Client,
    spoils: Spoils,
}

async fn answer(State(table): State<Table>, headers: HeaderMap, body: Bytes) -> Response {
    let mut request = table.client.post(&table.endpoint).body(body);
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        request = request.header(name, &headers[name]);
    }
    let text = request.send().await.unwrap().bytes().await.unwrap();
    let content_type = [("content-type", "application/x-amz-json-1.0")];
    // Each answer once: the next attempt of a request gets what is right.
    let Some((spoils, status)) = table.spoils.lock().unwrap().take() else {
        return (content_type, text).into_response();
    };
    let bytes = spoils(&serde_json::from_slice(&text).unwrap());
    (StatusCode::from_u16(status).unwrap(), content_type, bytes).into_response()
}

/// The demo data behind a table that spoils its answers.
async fn behind_spoils() -> (World, App, Spoils) {
    let world = World::start().await;
    let spoils = Spoils::default();
    let table = Table { endpoint: world.api.endpoint.clone(), client: Client::new(), spoils: spoils.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(table)).await });
    let name = &world.api.table;
    let store = Store::new(client_for(&url, |builder| builder), name, REQUEST_TIME_BUDGET);
    let app = App::new(config(name), store, Arc::new(SystemClock));
    (world, app, spoils)
}

/// A type that DynamoDB may have one day, and that no reader knows.
#[tokio::test]
async fn a_value_of_an_unknown_type_is_a_fault_of_ours() {
    let (_world, app, spoils) = behind_spoils().await;
    for (name, event) in reads() {
        let unknown = |answer: &Value| answer.to_string().replace("{\"S\":\"Eng", "{\"X\":\"Eng").into_bytes();
        *spoils.lock().unwrap() = Some((Box::new(unknown), 200));
        let function = FUNCTIONS.into_iter().find(|function| function.name == name).unwrap();
        let answer = invoke(function, &app, &event, Context::default()).await.expect("it does not panic");
        status_in_contract(&answer, &[REFUSALS.as_slice(), &FAULTS].concat());
    }
}

/// Reads, with each way that rows are read: by pages straight from the bytes, by keys through the SDK.
fn reads() -> Vec<(&'static str, Value)> {
    let list = |query: &str| {
        let mut event = recorded("list-groups");
        event["rawQueryString"] = query.into();
        ("list-groups", event)
    };
    let mut reads = vec![list("limit=2"), list("search=team"), list("member=acc-123&limit=1")];
    reads.extend(["get-group", "get-member", "list-members", "list-nested-groups"].map(|name| (name, recorded(name))));
    reads
}

#[test]
fn whatever_the_table_answers_there_is_an_answer_of_the_contract() {
    let reads = reads();
    let cases = (0..reads.len(), spoils(), prop_oneof![8 => Just(200_u16), 1 => Just(400), 1 => Just(413)]);
    let allowed = [REFUSALS.as_slice(), &FAULTS].concat();
    fuzz(250, cases, behind_spoils, async |(_, app, spoils), (which, ways, status)| {
        let (name, event) = &reads[which];
        let function = FUNCTIONS.into_iter().find(|function| function.name == *name).unwrap();
        *spoils.lock().unwrap() = Some((Box::new(move |answer| spoiled(answer, &ways, &[])), status));
        let answer = invoke(function, app, event, Context::default()).await.expect("it does not panic");
        status_in_contract(&answer, &allowed);
        *spoils.lock().unwrap() = None;
    });
}
