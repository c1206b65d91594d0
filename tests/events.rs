//! Accounts, as another system tells of them.

use serde_json::{Value, json};

use crate::harness::Api;

async fn tell(api: &Api, events: Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/_local/events", api.base)).json(&events);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn event(kind: &str, id: &str, name: &str, updated_at: &str) -> Value {
    let detail = json!({
        "id": id, "name": name, "email": format!("{name}@company.com"), "status": "active", "updated_at": updated_at,
    });
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": kind, "source": "accounts",
        "account": "111122223333", "time": "2024-01-15T10:30:00Z", "region": "us-east-1", "resources": [],
        "detail": detail,
    })
}

/// What the account is called now, seen through a group of its own; `None` when it is not known.
async fn name_of(api: &Api, id: &str) -> Option<Value> {
    let group = api.group("Probe").await;
    let answer = api.put(&format!("/{group}/members/{id}"), Value::Null).await;
    (answer.status == 200).then(|| answer.body["name"].clone())
}

const T1: &str = "2024-01-15T10:30:00Z";
const T2: &str = "2024-01-15T10:30:00.000001Z";
const T3: &str = "2024-01-16T00:00:00+02:00";

#[tokio::test]
async fn accounts_end_as_their_newest_version_whatever_the_order() {
    let api = Api::start().await;
    let events = [
        event("Account Created", "x", "first", T1),
        event("Account Updated", "x", "second", T2),
        event("Account Deleted", "x", "", T3),
    ];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        for told in [2, 3] {
            let id = format!("acc-{number}-{told}");
            for index in order.into_iter().filter(|index| *index < told) {
                let mut event = events[index].clone();
                event["detail"]["id"] = json!(id);
                // Everything is delivered twice.
                assert_eq!(tell(&api, json!([event, event])).await.0, 200);
            }
            let expected = (told == 2).then(|| json!("second"));
            assert_eq!(name_of(&api, &id).await, expected, "order {order:?} of {told}");
        }
    }
}

#[tokio::test]
async fn a_repeated_or_late_event_changes_nothing() {
    let api = Api::start().await;
    let update = event("Account Updated", "x", "newest", T2);
    assert_eq!(tell(&api, update.clone()).await, (200, json!({ "received": 1, "changed": 1 })));
    assert_eq!(tell(&api, update).await, (200, json!({ "received": 1, "changed": 0 })));
    let late = event("Account Created", "x", "late", T1);
    assert_eq!(tell(&api, json!([late])).await, (200, json!({ "received": 1, "changed": 0 })));
    assert_eq!(name_of(&api, "x").await, Some(json!("newest")));
}

#[tokio::test]
async fn of_one_moment_the_deletion_stands() {
    let api = Api::start().await;
    let (update, deletion) = (event("Account Updated", "x", "x", T1), event("Account Deleted", "x", "", T1));
    tell(&api, json!([update, deletion])).await;
    assert_eq!(name_of(&api, "x").await, None);
    tell(&api, json!([update])).await;
    assert_eq!(name_of(&api, "x").await, None);
    tell(&api, event("Account Created", "x", "back", T2)).await;
    assert_eq!(name_of(&api, "x").await, Some(json!("back")), "a newer description makes it known again");
}

#[tokio::test]
async fn an_event_at_fault_is_named_and_none_of_its_list_is_applied() {
    let api = Api::start().await;
    let good = event("Account Created", "good", "good", T1);
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event["detail"][name] = value;
        event
    };
    let mut without_detail = good.clone();
    without_detail.as_object_mut().unwrap().remove("detail");
    for (event, field) in [
        (event("Account Renamed", "x", "x", T1), "detail-type"),
        (json!({ "detail": good["detail"] }), "detail-type"),
        (without_detail, "detail"),
        (with("id", json!("a b")), "detail.id"),
        (with("id", json!(7)), "detail.id"),
        (with("name", json!("")), "detail.name"),
        (with("name", json!("a\u{1b}[31m")), "detail.name"),
        (with("email", Value::Null), "detail.email"),
        (with("status", json!("s".repeat(257))), "detail.status"),
        (with("updated_at", json!("today")), "detail.updated_at"),
        (json!("text"), "event"),
    ] {
        let (status, body) = tell(&api, json!([good, event])).await;
        assert_eq!(status, 400);
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("event 1: {field} must be ")), "{message}");
    }
    assert_eq!(name_of(&api, "good").await, None);
}
