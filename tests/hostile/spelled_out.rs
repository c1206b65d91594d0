//! Hostile input whose answer is known.

use reqwest::Method;
use serde_json::{Value, json};

use super::material::TEXTS;
use crate::harness::exchange::{Listener, T1, T3, account_event, request_event};
use crate::harness::faults::Faults;
use crate::harness::log::Watch;
use crate::harness::pump::Pump;
use crate::harness::{Answer, Api, NO_GROUP, token};

/// Every endpoint that reads a body, for this group.
fn readers(id: &str) -> [(Method, String); 5] {
    [
        (Method::POST, String::new()),
        (Method::PUT, format!("/{id}")),
        (Method::PATCH, format!("/{id}/members")),
        (Method::PUT, format!("/{id}/members/acc-1")),
        (Method::PUT, format!("/{id}/groups/{NO_GROUP}")),
    ]
}

async fn send(api: &Api, (method, path): &(Method, String), body: impl Into<Vec<u8>>) -> Answer {
    let request = api.request(method.clone(), path).header("content-type", "application/json");
    Answer::to(request.body(body.into())).await
}

fn deep(open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(10_000), close.repeat(10_000))
}

/// Nested without end, numbers that no machine holds, halves of characters, and what is no text at all.
#[tokio::test]
async fn a_body_that_nobody_can_read_is_refused_as_such() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let digits = "9".repeat(1_000);
    let values =
        [deep("[", "", "]"), "[".repeat(10_000), "1e400".into(), digits, "\"\\ud800\"".into(), "\"\0\"".into()];
    let mut bodies: Vec<Vec<u8>> = values.iter().map(|value| format!("{{\"name\":{value}}}").into_bytes()).collect();
    bodies.extend([deep("{\"a\":", "1", "}"), "{\"name\":\"a\"".into(), "{} {}".into()].map(String::into_bytes));
    bodies.extend([b"{\"name\":\"\xff\"}".to_vec(), b"{\"\xc0\xaf\":1}".to_vec(), b"\xff\xfe{}".to_vec()]);
    for reader in readers(&id) {
        for body in &bodies {
            let told = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let faults = send(&api, &reader, body.clone()).await.faults();
            assert_eq!(faults, [("body".to_owned(), "is not readable as JSON".to_owned())], "{told}");
        }
    }
    // As large as a body may be, all of it fields.
    let fields: Vec<String> = (0..6_000).map(|number| format!("\"{number:04}\":0")).collect();
    for reader in readers(&id) {
        let faults = send(&api, &reader, format!("{{{}}}", fields.join(","))).await.faults();
        assert!(faults.len() >= 6_000);
    }
    assert_eq!(api.get("").await.ok()["groups"].as_array().unwrap().len(), 1);
}

/// In a body it is refused, by its name however that is spelled; in an event, which nobody is told of, the last one stands.
#[tokio::test]
async fn a_field_that_is_given_twice_is_never_read_both_ways() {
    let api = Api::start().await;
    let id = api.group("A").await;
    for reader in readers(&id) {
        for (field, body) in [
            ("name", r#"{"name":"a","name":"a"}"#),
            ("name", r#"{"name":"a","n\u0061me":null}"#),
            ("add", r#"{"add":[],"add":["acc-1"]}"#),
            ("x", r#"{"x":1,"x":1}"#),
        ] {
            let faults = send(&api, &reader, body).await.faults();
            assert!(faults.contains(&(field.to_owned(), "is given more than once".to_owned())), "{faults:?}");
        }
    }
    let event = account_event("Created", "acc-1", "first", T1).to_string();
    let event = event.replace("\"name\":\"first\"", "\"name\":\"first\",\"name\":\"last\"");
    let event = event
        .replace("\"detail-type\":\"Account Created\"", "\"detail-type\":\"x\",\"detail-type\":\"Account Created\"");
    assert!(api.hand(&[json!(event)]).await.is_empty());
    assert_eq!(api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok()["name"], json!("last"));
    assert!(api.dead().is_empty());
}

/// Events of the same kind: each becomes a dead letter, and what stands behind it is applied.
#[tokio::test]
async fn an_event_that_nobody_can_read_is_put_aside() {
    let api = Api::start().await;
    let good = account_event("Created", "acc-1", "good", T1);
    let with = |value: &str| good.to_string().replace("\"status\":\"active\"", &format!("\"status\":{value}"));
    let events =
        [deep("[", "", "]"), with(&deep("{\"a\":", "1", "}")), with("1e400"), with("\"\\ud800\""), with("\"\0\"")];
    for event in events {
        assert!(api.hand(&[json!(event), good.clone()]).await.is_empty());
        assert_eq!(api.dead().pop().unwrap(), "the event is not JSON");
    }
    assert!(api.hand(&[json!(with(&"9".repeat(300)))]).await.is_empty());
    assert_eq!(api.dead().len(), 6);
}

/// What is taken comes back as it was sent, in an answer whose headers are our own; what is refused says which field.
#[tokio::test]
async fn texts_come_back_as_they_were_sent_or_are_refused_by_their_field() {
    let api = Api::start().await;
    let lines = Watch::lines();
    for text in TEXTS {
        let answer = api.post("", json!({ "name": text, "description": text })).await;
        let headers: Vec<_> = answer.headers.values().map(|value| value.to_str().unwrap().to_owned()).collect();
        if answer.status == 201 {
            let id = answer.body["id"].as_str().unwrap();
            assert_eq!(answer.header("location"), Some(&*format!("/api/v1/groups/{id}")));
            let group = api.get(&format!("/{id}")).await.ok();
            assert_eq!((&group["name"], &group["description"]), (&json!(text.trim()), &json!(text)));
        } else {
            assert_eq!(answer.faults()[0].0, "name", "{text:?}");
        }
        let odd = headers.iter().find(|value| text.len() > 2 && value.contains(text) && *text != *"null");
        assert_eq!(odd, None, "no header holds what was sent");
    }
    assert!(Watch::lines() > lines);
}

/// Who acts, who tells and what of: in every field of every event, and in a token's `sub`.
#[tokio::test]
async fn texts_of_other_systems_are_told_as_they_came_or_put_aside() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut pump = Pump::publishing(&api).await;
    let group = api.group("A").await;
    let path = format!("/{group}/members/acc-1");
    for text in TEXTS {
        for (event, field) in
            [("account", "name"), ("account", "email"), ("account", "status"), ("request", "requested_by")]
        {
            let mut event = match event {
                "account" => account_event("Created", "acc-1", "name", T3),
                _ => request_event("add", &group, "acc-1", T3),
            };
            event["detail"][field] = json!(text);
            for envelope in ["id", "source"] {
                let mut odd = event.clone();
                odd[envelope] = json!(text);
                assert!(api.hand(&[event.clone(), odd]).await.len() <= 2);
            }
        }
        // A header holds no line break, a claim does.
        let caller = token(text, &["Administrator"]);
        let added = Answer::to(api.request_as(Some(&caller), Method::PUT, &path)).await;
        let removed = Answer::to(api.request_as(Some(&caller), Method::DELETE, &path)).await;
        let known = !text.is_empty();
        assert_eq!((added.status.as_u16(), removed.status.as_u16()), if known { (200, 204) } else { (401, 401) });
    }
    pump.drain(&api.outlet(&api.bus_endpoint())).await;
    let mut listener = Listener::default();
    let published = api.published();
    published.iter().for_each(|event| listener.hear(event));
    listener.assert_knows(&api).await;
    for text in TEXTS.iter().filter(|text| !text.is_empty()) {
        assert!(published.iter().any(|event| event["detail"]["actor"] == json!(text)), "{text:?}");
    }
    assert!(!api.dead().is_empty());
}
