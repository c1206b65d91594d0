//! `cargo local` with events: incoming events survive a kill, published events can be followed, dead letters are listed.

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

    pub(super) async fn follow(&self, query: &str) -> Response {
        self.client.get(format!("{}/_local/events{query}", self.base)).send().await.unwrap()
    }

    async fn dead_letters(&self) -> Value {
        let response = self.client.get(format!("{}/_local/dead-letters", self.base)).send().await.unwrap();
        response.json::<Value>().await.unwrap()["dead_letters"].take()
    }
}

/// Reads the next `count` events of a stream, each with its number.
async fn read_events(stream: &mut Response, count: usize) -> Vec<(u64, Value)> {
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < count {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                events.push((id.parse().unwrap(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn published_events_can_be_followed_from_any_number() {
    let server = Server::start(&[]);
    server.wait_until_idle().await;
    let mut all = server.follow("").await;
    assert_eq!(all.headers()["content-type"], "text/event-stream");
    // The demo data: nine groups and their members.
    let first = read_events(&mut all, 100).await;
    assert_eq!(first[0].0, 1);
    first.iter().for_each(|(_, event)| assert_valid(event));
    let mut rest = server.follow(&format!("?after={}", first[49].0)).await;
    let again = read_events(&mut rest, 50).await;
    assert_eq!(again[..50], first[50..100]);
    let client = server.client.get(format!("{}/_local/events?after=0", server.base));
    let mut back = client.header("last-event-id", first[98].0.to_string()).send().await.unwrap();
    assert_eq!(read_events(&mut back, 1).await[0], first[99]);
    for query in ["?after=x", "?after=-1", "?since=1"] {
        assert_eq!(server.follow(query).await.status().as_u16(), 400);
    }
    // A client that follows receives new events at once.
    let mut end = server.follow("?after=1000000").await;
    let mut listening = server.follow("?after=100").await;
    let created = Answer::to(server.request(Method::POST, "").json(&json!({ "name": "Listened to" }))).await;
    let is_it = |event: &Value| event["detail"]["group_id"] == created.body["id"];
    while !read_events(&mut listening, 1).await.iter().any(|(_, event)| is_it(event)) {}
    assert!(tokio::time::timeout(Duration::from_millis(200), end.chunk()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn received_events_are_applied_after_a_kill() {
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
    // Requests that arrived before their accounts are retried later.
    while server.get(&group).await["direct_member_count"] != json!(540) {}
    server.wait_until_idle().await;
    assert_eq!(server.get(&group).await["member_count"], json!(545));
    listener_to(&file).assert_knows_all_of(&server.base, &server.reader).await;
    assert_eq!(server.dead_letters().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_can_be_redriven() {
    let server = Server::start(&[]);
    let never = request_event("add", NO_GROUP, "acc-101", T);
    assert_eq!(server.send(&json!([never, "text"])).await.0, 202);
    let bad = server.client.post(format!("{}/_local/events", server.base)).body("{").send().await.unwrap();
    assert_eq!(bad.status().as_u16(), 400);
    server.wait_until_idle().await;
    let letters = server.dead_letters().await;
    let mut listed: Vec<_> = letters.as_array().unwrap().iter().map(|it| (&it["event"], &it["reason"])).collect();
    // Events that name no account in common are applied side by side.
    listed.sort_by_key(|(_, reason)| reason.as_str());
    let reasons = [json!("event must be a JSON object"), json!("the group does not exist")];
    assert_eq!(listed, [(&json!("text"), &reasons[0]), (&never, &reasons[1])]);
    let redriven = server.client.post(format!("{}/_local/dead-letters/redrive", server.base)).send().await.unwrap();
    assert_eq!((redriven.status().as_u16(), redriven.json().await.unwrap()), (202, json!({ "redriven": 2 })));
    server.wait_until_idle().await;
    assert_eq!(server.dead_letters().await.as_array().unwrap().len(), 2, "they fail again");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_follows_does_not_delay_shutdown() {
    let mut server = Server::start(&[]);
    let mut listening = server.follow("").await;
    read_events(&mut listening, 1).await;
    assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || (server.child.wait().unwrap().code(), server));
    let (status, _) = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    assert_eq!(status, Some(0));
}
