//! Hostile input with a known answer.

use reqwest::Method;
use serde_json::{Value, json};

use super::material::TEXTS;
use crate::harness::exchange::{Listener, T1, T3, account_event, request_event};
use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::{Answer, Api, NO_GROUP, token};

/// Every endpoint that reads a body, for this group.
fn endpoints_with_body(id: &str) -> [(Method, String); 5] {
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

/// Deep nesting, numbers out of range, half of a surrogate pair, control characters, and invalid UTF-8.
#[tokio::test]
async fn unreadable_body_is_refused() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let digits = "9".repeat(1_000);
    let values =
        [deep("[", "", "]"), "[".repeat(10_000), "1e400".into(), digits, "\"\\ud800\"".into(), "\"\0\"".into()];
    let mut bodies: Vec<Vec<u8>> = values.iter().map(|value| format!("{{\"name\":{value}}}").into_bytes()).collect();
    bodies.extend([deep("{\"a\":", "1", "}"), "{\"name\":\"a\"".into(), "{} {}".into()].map(String::into_bytes));
    bodies.extend([b"{\"name\":\"\xff\"}".to_vec(), b"{\"\xc0\xaf\":1}".to_vec(), b"\xff\xfe{}".to_vec()]);
    for endpoint in endpoints_with_body(&id) {
        for body in &bodies {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let errors = send(&api, &endpoint, body.clone()).await.field_errors();
            let [(field, reason)] = &errors[..] else { panic!("{start}: {errors:?}") };
            assert!(field == "body" && reason.starts_with("is not readable as JSON at line 1, column "), "{start}");
        }
    }
    // A body of the maximum size that consists of unknown fields.
    let fields: Vec<String> = (0..6_000).map(|number| format!("\"{number:04}\":0")).collect();
    for endpoint in endpoints_with_body(&id) {
        let errors = send(&api, &endpoint, format!("{{{}}}", fields.join(","))).await.field_errors();
        assert!(errors.len() >= 6_000);
    }
    assert_eq!(api.get("").await.ok()["groups"].as_array().unwrap().len(), 1);
}

/// A body is refused, also when an escape spells the second name. An event has no caller to answer: the last value counts.
#[tokio::test]
async fn duplicate_field_is_refused_in_bodies_and_last_wins_in_events() {
    let api = Api::start().await;
    let id = api.group("A").await;
    for endpoint in endpoints_with_body(&id) {
        for (field, body) in [
            ("name", r#"{"name":"a","name":"a"}"#),
            ("name", r#"{"name":"a","n\u0061me":null}"#),
            ("add", r#"{"add":[],"add":["acc-1"]}"#),
            ("x", r#"{"x":1,"x":1}"#),
        ] {
            let errors = send(&api, &endpoint, body).await.field_errors();
            assert!(errors.contains(&(field.to_owned(), "is given more than once".to_owned())), "{errors:?}");
        }
    }
    let event = account_event("Created", "acc-1", "first", T1).to_string();
    let event = event.replace("\"name\":\"first\"", "\"name\":\"first\",\"name\":\"last\"");
    let event = event
        .replace("\"detail-type\":\"Account Created\"", "\"detail-type\":\"x\",\"detail-type\":\"Account Created\"");
    assert!(api.hand(&[json!(event)]).await.is_empty());
    assert_eq!(api.put(&format!("/{id}/members/acc-1"), Value::Null).await.ok()["name"], json!("last"));
    assert!(api.dead_letter_reasons().is_empty());
}

/// A valid event in the same batch is applied.
#[tokio::test]
async fn unreadable_event_becomes_a_dead_letter() {
    let api = Api::start().await;
    let good = account_event("Created", "acc-1", "good", T1);
    let with = |value: &str| good.to_string().replace("\"status\":\"active\"", &format!("\"status\":{value}"));
    let events =
        [deep("[", "", "]"), with(&deep("{\"a\":", "1", "}")), with("1e400"), with("\"\\ud800\""), with("\"\0\"")];
    for event in events {
        assert!(api.hand(&[json!(event), good.clone()]).await.is_empty());
        assert_eq!(api.dead_letter_reasons().pop().unwrap(), "the event is not JSON");
    }
    assert!(api.hand(&[json!(with(&"9".repeat(300)))]).await.is_empty());
    assert_eq!(api.dead_letter_reasons().len(), 6);
}

#[tokio::test]
async fn texts_are_returned_as_sent_or_refused_with_their_field() {
    let api = Api::start().await;
    let lines_before = api.log.lines();
    for text in TEXTS {
        let answer = api.post("", json!({ "name": text, "description": text })).await;
        let headers: Vec<_> = answer.headers.values().map(|value| value.to_str().unwrap().to_owned()).collect();
        if answer.status == 201 {
            let id = answer.body["id"].as_str().unwrap();
            assert_eq!(answer.header("location"), Some(&*format!("/api/v1/groups/{id}")));
            let group = api.get(&format!("/{id}")).await.ok();
            assert_eq!((&group["name"], &group["description"]), (&json!(text.trim()), &json!(text)));
        } else {
            assert_eq!(answer.field_errors()[0].0, "name", "{text:?}");
        }
        let echo = headers.iter().find(|value| text.len() > 2 && value.contains(text) && *text != *"null");
        assert_eq!(echo, None, "no header repeats input");
    }
    assert!(api.log.lines() > lines_before);
}

/// Hostile texts in every field of every event, and in the `sub` of a token.
#[tokio::test]
async fn texts_of_other_systems_are_published_as_received_or_become_dead_letters() {
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
                let mut hostile = event.clone();
                hostile[envelope] = json!(text);
                assert!(api.hand(&[event.clone(), hostile]).await.len() <= 2);
            }
        }
        // Unlike a header, a claim may contain line breaks.
        let caller = token(text, &["Administrator"]);
        let added = Answer::to(api.request_as(Some(&caller), Method::PUT, &path)).await;
        let removed = Answer::to(api.request_as(Some(&caller), Method::DELETE, &path)).await;
        let is_caller = !text.is_empty();
        assert_eq!((added.status.as_u16(), removed.status.as_u16()), if is_caller { (200, 204) } else { (401, 401) });
    }
    pump.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
    let mut listener = Listener::default();
    let published = api.published();
    published.iter().for_each(|event| listener.hear(event));
    listener.assert_knows(&api).await;
    for text in TEXTS.iter().filter(|text| !text.is_empty()) {
        assert!(published.iter().any(|event| event["detail"]["actor"] == json!(text)), "{text:?}");
    }
    assert!(!api.dead_letter_reasons().is_empty());
}
