//! `cargo local` with events: what comes in outlives it, what goes out can be followed, what cannot be taken is told.

use std::process::Command;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{ENGINEERING_TEAM, Server, listener_to};
use crate::harness::exchange::{account_event, request_event};
use crate::harness::schemas::assert_valid;
use crate::harness::{Answer, NO_GROUP, numbered};

const T: &str = "2024-06-01T00:00:00Z";

impl Server {
    async fn send(&self, events: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/_local/events", self.base)).body(events.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn follow(&self, query: &str) -> Response {
        self.client.get(format!("{}/_local/events{query}", self.base)).send().await.unwrap()
    }

    async fn dead_letters(&self) -> Value {
        let response = self.client.get(format!("{}/_local/dead-letters", self.base)).send().await.unwrap();
        response.json::<Value>().await.unwrap()["dead_letters"].take()
    }
}

/// The next so many events of a stream, each with its number.
async fn hear(stream: &mut Response, count: usize) -> Vec<(u64, Value)> {
    let (mut text, mut heard) = (String::new(), Vec::new());
    while heard.len() < count {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                heard.push((id.parse().unwrap(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_can_be_followed_from_anywhere() {
    let server = Server::start(&[]);
    server.is_idle().await;
    let mut all = server.follow("").await;
    assert_eq!(all.headers()["content-type"], "text/event-stream");
    // Nine groups and their members to begin with.
    let first = hear(&mut all, 100).await;
    assert_eq!(first[0].0, 1);
    first.iter().for_each(|(_, event)| assert_valid(event));
    let mut rest = server.follow(&format!("?after={}", first[49].0)).await;
    let again = hear(&mut rest, 50).await;
    assert_eq!(again[..50], first[50..100]);
    let client = server.client.get(format!("{}/_local/events?after=0", server.base));
    let mut back = client.header("last-event-id", first[98].0.to_string()).send().await.unwrap();
    assert_eq!(hear(&mut back, 1).await[0], first[99]);
    for query in ["?after=x", "?after=-1", "?since=1"] {
        assert_eq!(server.follow(query).await.status().as_u16(), 400);
    }
    // What happens while somebody listens comes at once.
    let mut end = server.follow("?after=1000000").await;
    let mut listening = server.follow("?after=150").await;
    let created = Answer::to(server.request(Method::POST, "").json(&json!({ "name": "Listened to" }))).await;
    let is_it = |event: &Value| event["detail"]["group_id"] == created.body["id"];
    while !hear(&mut listening, 1).await.iter().any(|(_, event)| is_it(event)) {}
    assert!(tokio::time::timeout(Duration::from_millis(200), end.chunk()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_in_is_applied_though_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let path = file.to_str().unwrap();
    let server = Server::start(&["--data", path]);
    let events: Vec<Value> = (0..500)
        .flat_map(|number| {
            let id = numbered(number);
            [request_event("add", ENGINEERING_TEAM, &id, T), account_event("Created", &id, "name", T)]
        })
        .collect();
    assert_eq!(server.send(&json!(events)).await, (202, json!({ "received": 1_000 })));
    server.kill();
    let server = Server::start(&["--data", path]);
    let group = format!("/{ENGINEERING_TEAM}");
    // Requests that came before their accounts come again, and nobody says when.
    while server.get(&group).await["direct_member_count"] != json!(540) {}
    server.is_idle().await;
    assert_eq!(server.get(&group).await["member_count"], json!(545));
    listener_to(&file).assert_knows_all_of(&server.base, &server.reader).await;
    assert_eq!(server.dead_letters().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_told_and_can_be_tried_again() {
    let server = Server::start(&[]);
    let never = request_event("add", NO_GROUP, "acc-101", T);
    assert_eq!(server.send(&json!([never, "text"])).await.0, 202);
    let bad = server.client.post(format!("{}/_local/events", server.base)).body("{").send().await.unwrap();
    assert_eq!(bad.status().as_u16(), 400);
    server.is_idle().await;
    let letters = server.dead_letters().await;
    let told: Vec<_> = letters.as_array().unwrap().iter().map(|it| (&it["event"], &it["reason"])).collect();
    let reasons = [json!("the group does not exist"), json!("event must be a JSON object")];
    assert_eq!(told, [(&never, &reasons[0]), (&json!("text"), &reasons[1])]);
    let redriven = server.client.post(format!("{}/_local/dead-letters/redrive", server.base)).send().await.unwrap();
    assert_eq!((redriven.status().as_u16(), redriven.json().await.unwrap()), (202, json!({ "redriven": 2 })));
    server.is_idle().await;
    assert_eq!(server.dead_letters().await.as_array().unwrap().len(), 2, "they are as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_does_not_keep_it_from_ending() {
    let mut server = Server::start(&[]);
    let mut listening = server.follow("").await;
    hear(&mut listening, 1).await;
    assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || (server.child.wait().unwrap().code(), server));
    let (status, _) = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    assert_eq!(status, Some(0));
}
