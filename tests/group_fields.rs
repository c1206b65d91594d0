//! The fields of a group that other systems use: `external_id`, `email`, and who created and wrote it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::pump::{Pump, violations};
use crate::harness::{Answer, Api, NO_GROUP, percent_encoded, token};

async fn create(api: &Api, body: Value) -> Value {
    let answer = api.post("", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body
}

async fn found(api: &Api, query: &str) -> Vec<Value> {
    api.all_items(&format!("?{query}"), "groups").await
}

#[tokio::test]
async fn group_is_found_by_its_external_id() {
    let api = Api::start().await;
    let body = json!({ "name": "Engineering", "external_id": "00g/1 ü", "email": "engineering@company.com" });
    let group = create(&api, body).await;
    assert_eq!((&group["external_id"], &group["email"]), (&json!("00g/1 ü"), &json!("engineering@company.com")));
    let by_id = format!("external_id={}", percent_encoded("00g/1 ü"));
    assert_eq!(found(&api, &by_id).await, [api.get(&format!("/{}", group["id"].as_str().unwrap())).await.ok()]);
    assert_eq!(found(&api, "external_id=00G").await, [Value::Null; 0]);
    assert_eq!(violations(&api).await, []);
}

#[tokio::test]
async fn second_group_with_an_external_id_is_refused_and_names_the_first() {
    let api = Api::start().await;
    let first = create(&api, json!({ "name": "A", "external_id": "x" })).await["id"].as_str().unwrap().to_owned();
    let second = api.group("B").await;
    let message = format!("the group {first} has this external_id already");
    assert_eq!(api.post("", json!({ "name": "C", "external_id": "x" })).await.refused(409, "CONFLICT"), message);
    let update = api.put(&format!("/{second}"), json!({ "external_id": "x", "name": "Renamed" })).await;
    assert_eq!(update.refused(409, "CONFLICT"), message);
    assert_eq!(api.get(&format!("/{second}")).await.ok()["name"], "B");
    assert_eq!(found(&api, "").await.len(), 2);
    assert_eq!(violations(&api).await, []);
}

#[tokio::test]
async fn external_id_is_free_again_once_it_is_changed_cleared_or_its_group_deleted() {
    let api = Api::start().await;
    let path = |group: &Value| format!("/{}", group["id"].as_str().unwrap());
    let group = create(&api, json!({ "name": "A", "external_id": "x" })).await;
    // The same again changes nothing.
    let same = api.put(&path(&group), json!({ "external_id": "x" })).await.ok();
    assert_eq!(same, group);
    api.put(&path(&group), json!({ "external_id": "y", "name": "B" })).await.ok();
    let second = create(&api, json!({ "name": "A", "external_id": "x" })).await;
    let cleared = api.patch(&path(&second), json!({ "external_id": null, "email": null })).await.ok();
    assert_eq!((&cleared["external_id"], &cleared["email"]), (&Value::Null, &Value::Null));
    api.put(&path(&group), json!({ "external_id": "x" })).await.ok();
    assert_eq!(api.delete(&path(&group)).await.status, 204);
    assert_eq!(found(&api, "external_id=x").await, [Value::Null; 0]);
    create(&api, json!({ "name": "C", "external_id": "x" })).await;
    assert_eq!(found(&api, "external_id=x").await.len(), 1);
}

#[tokio::test]
async fn email_is_changed_and_cleared_without_reading_the_group() {
    let api = Api::start().await;
    let path = format!("/{}", api.group("A").await);
    let mut version = 1;
    for (email, changes) in
        [(json!("a@b"), 1), (json!("a@b"), 0), (json!("c@d"), 1), (Value::Null, 1), (Value::Null, 0)]
    {
        api.recorder.take();
        let answer = api.put(&path, json!({ "email": email })).await;
        assert_eq!(api.recorder.take().len(), 2, "one update, and one query for the counts");
        version += changes;
        assert!(answer.status == 200, "{}", answer.text);
        assert_eq!(answer.header("etag"), Some(format!("\"{version}-0\"").as_str()));
        assert_eq!(answer.ok()["email"], email);
    }
}

#[tokio::test]
async fn creator_stays_and_the_last_writer_changes() {
    let api = Api::start().await;
    let path = format!("/{}", api.group("A").await);
    let carol = token("carol", &["Administrator"]);
    for (body, writer) in [(json!({ "description": "d" }), "carol"), (json!({ "name": "B" }), "carol")] {
        let request = api.request_as(Some(&carol), Method::PATCH, &path).json(&body);
        let group = Answer::to(request).await.ok();
        assert_eq!((&group["created_by"], &group["updated_by"]), (&json!("alice"), &json!(writer)));
        assert_eq!(api.get(&path).await.ok(), group);
    }
}

#[tokio::test]
async fn repeated_creation_returns_the_same_group_with_its_external_id() {
    let api = Api::start().await;
    let send =
        async |body: Value| Answer::to(api.request(Method::POST, "").header("Idempotency-Key", "k").json(&body)).await;
    let body = json!({ "name": "A", "external_id": "x", "email": "a@b" });
    let (first, second) = (send(body.clone()).await, send(body).await);
    assert_eq!((first.status.as_u16(), &first.body), (201, &second.body));
    send(json!({ "name": "A", "external_id": "x", "email": "a@c" })).await.refused(409, "CONFLICT");
}

#[tokio::test]
async fn exact_name_selects_all_groups_of_that_name() {
    let api = Api::start().await;
    for name in ["Straße", "STRASSE", "Strasse 2", "Other"] {
        api.group(name).await;
    }
    for limit in 1..=3 {
        let groups = found(&api, &format!("name=strasse&limit={limit}")).await;
        let mut names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["STRASSE", "Straße"]);
    }
    let page = api.get("?name=strasse&limit=1").await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    for query in [format!("name=other&after={after}"), format!("after={after}"), format!("external_id=x&after={after}")]
    {
        assert_eq!(api.get(&format!("?{query}")).await.field_errors()[0].0, "after");
    }
}

#[tokio::test]
async fn invalid_values_are_refused_by_name() {
    let api = Api::start().await;
    let invalid = [
        ("external_id", json!("")),
        ("external_id", json!(" x")),
        ("external_id", json!("a".repeat(256))),
        ("external_id", json!(1)),
        ("email", json!("")),
        ("email", json!("a")),
        ("email", json!("a@b@c")),
        ("email", json!("a b@c")),
        ("email", json!(format!("{}@b", "a".repeat(253)))),
        ("created_by", json!("me")),
    ];
    for (field, value) in invalid {
        let errors = api.post("", json!({ "name": "A", field: value })).await.field_errors();
        assert_eq!(errors[0].0, field, "{value}");
    }
    for (query, field) in [("external_id=", "external_id"), ("name=", "name"), ("name=a&external_id=b", "name")] {
        assert_eq!(api.get(&format!("?{query}")).await.field_errors()[0].0, field);
    }
    assert_eq!(api.put(&format!("/{NO_GROUP}"), json!({ "external_id": "x" })).await.status, 404);
}

#[tokio::test]
async fn events_have_both_fields() {
    let api = Api::start_streaming(|_| {}, &Default::default()).await;
    create(&api, json!({ "name": "A", "external_id": "x", "email": "a@b" })).await;
    let mut pump = Pump::publishing(&api).await;
    pump.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
    let events = api.published();
    assert_eq!(events.len(), 1);
    let after = &events[0]["detail"]["after"];
    assert_eq!((&after["external_id"], &after["email"]), (&json!("x"), &json!("a@b")));
}
