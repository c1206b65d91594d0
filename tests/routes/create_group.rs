use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::group::Description;
use shared::domain::{Error, Group, GroupName, GroupProfile, GroupType, Timestamp};
use shared::store::IdempotencyKey;

use crate::harness::{Answer, Api, administer, token};

async fn create(api: &Api, key: &str, body: Value) -> Answer {
    Answer::to(api.request(Method::POST, "").header("Idempotency-Key", key).json(&body)).await
}

#[tokio::test]
async fn a_new_group_is_answered_whole() {
    let api = Api::start().await;
    let body = json!({
        "name": "  Engineering Team ", "description": "All engineering staff", "group_type": "distribution",
        "is_privileged": true,
    });
    let answer = api.post("", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let group = answer.body.as_object().unwrap();
    let id = group["id"].as_str().unwrap();
    assert!(id.starts_with("grp-") && id.len() == 40 && &id[18..19] == "7", "{id} is grp- and a UUIDv7");
    assert_eq!(answer.header("location"), Some(format!("/api/v1/groups/{id}").as_str()));
    let created_at = group["created_at"].as_str().unwrap();
    assert!(created_at.len() == 20 && created_at.ends_with('Z'), "{created_at} has whole seconds and Z");
    let expected = json!({
        "id": id, "name": "Engineering Team", "description": "All engineering staff", "group_type": "distribution",
        "is_privileged": true, "member_count": 0, "created_at": created_at, "updated_at": created_at,
        "direct_member_count": 0, "nested_group_count": 0,
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_name_is_enough() {
    let api = Api::start().await;
    let group = api.post("", json!({ "name": "A", "description": null })).await.body;
    assert_eq!(
        (&group["description"], &group["group_type"], &group["is_privileged"]),
        (&json!(""), &json!("security"), &json!(false))
    );
}

#[tokio::test]
async fn two_groups_may_have_one_name() {
    let api = Api::start().await;
    assert_ne!(api.group("Twins").await, api.group("Twins").await);
    assert_eq!(api.get("").await.ok()["groups"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn names_are_counted_in_characters() {
    let api = Api::start().await;
    for longest in ["n".repeat(256), "😀".repeat(256), "e\u{301}".repeat(128), format!(" {} ", "ß".repeat(256))] {
        let answer = api.post("", json!({ "name": longest })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.body["name"], json!(longest.trim()));
        let id = answer.body["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/{id}")).await.ok(), answer.body);
    }
    for too_long in ["n".repeat(257), "😀".repeat(257), "e\u{301}".repeat(129)] {
        let faults = api.post("", json!({ "name": too_long })).await.faults();
        assert_eq!(faults, [("name".into(), "is longer than 256 characters".into())]);
    }
    // U+FDFA becomes 18 characters under NFKC: 256 of them overflow any key that is not cut.
    assert_eq!(api.post("", json!({ "name": "\u{fdfa}".repeat(256) })).await.status, 201);
    assert_eq!(api.walk("", "groups").await.len(), 5);
}

#[tokio::test]
async fn descriptions_are_counted_in_characters() {
    let api = Api::start().await;
    let create = async |description: String| api.post("", json!({ "name": "A", "description": description })).await;
    assert_eq!(create("😀".repeat(1_024)).await.status, 201);
    assert_eq!(create("line\nbreaks are\tfine".into()).await.status, 201);
    let faults = create("d".repeat(1_025)).await.faults();
    assert_eq!(faults, [("description".into(), "is longer than 1024 characters".into())]);
}

#[tokio::test]
async fn all_faults_of_a_body_are_reported_at_once() {
    let api = Api::start().await;
    let body = json!({
        "name": " \t ", "description": 5, "group_type": "Security", "is_privileged": "yes", "member_count": 7,
        "id": "grp-1", "owner": "me",
    });
    let mut faults = api.post("", body).await.faults();
    faults.sort();
    let expected = [
        ("description", "is not a string"),
        ("group_type", "is no group type"),
        ("id", "is read-only"),
        ("is_privileged", "is not a boolean"),
        ("member_count", "is read-only"),
        ("name", "is empty"),
        ("owner", "is not known here"),
    ];
    assert_eq!(faults, expected.map(|(field, reason)| (field.to_owned(), reason.to_owned())));
    assert!(api.walk("", "groups").await.is_empty(), "nothing was created");
}

#[tokio::test]
async fn every_read_only_field_is_refused() {
    let api = Api::start().await;
    for field in ["id", "member_count", "direct_member_count", "nested_group_count", "created_at", "updated_at"] {
        let faults = api.post("", json!({ "name": "A", field: 1 })).await.faults();
        assert_eq!(faults, [(field.to_owned(), "is read-only".to_owned())]);
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let api = Api::start().await;
    for (name, reason) in [
        (json!(null), "is null"),
        (json!(1), "is not a string"),
        (json!(["A"]), "is not a string"),
        (json!(""), "is empty"),
        (json!("\u{2003}\u{a0}"), "is empty"),
        (json!("a\u{0}b"), "has a control character"),
        (json!("a\nb"), "has a control character"),
        (json!("a\u{85}b"), "has a control character"),
    ] {
        let faults = api.post("", json!({ "name": name })).await.faults();
        assert_eq!(faults, [("name".to_owned(), reason.to_owned())]);
    }
    assert_eq!(api.post("", json!({})).await.faults(), [("name".to_owned(), "is missing".to_owned())]);
}

#[tokio::test]
async fn a_body_must_be_one_json_object() {
    let api = Api::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, reason) in [
        ("", "is empty"),
        ("{", "is not readable as JSON"),
        ("{} {}", "is not readable as JSON"),
        (r#"{"name": 1e400}"#, "is not readable as JSON"),
        ("[]", "is JSON of another type"),
        ("\"name\"", "is JSON of another type"),
        ("null", "is JSON of another type"),
        (deep.as_str(), "is JSON of another type"),
    ] {
        let request = api.request(Method::POST, "").header("content-type", "application/json");
        let faults = Answer::to(request.body(body.to_owned())).await.faults();
        assert_eq!(faults, [("body".to_owned(), reason.to_owned())], "{body:.20}");
    }
}

#[tokio::test]
async fn a_field_given_twice_is_refused() {
    let api = Api::start().await;
    let request = api.request(Method::POST, "").header("content-type", "application/json");
    let faults = Answer::to(request.body(r#"{"name": "A", "name": "B"}"#)).await.faults();
    assert_eq!(faults, [("name".to_owned(), "is given more than once".to_owned())]);
}

#[tokio::test]
async fn a_body_holds_64_kib() {
    let api = Api::start().await;
    let send = async |size: usize| {
        let body = r#"{"name": "A"}"#;
        let request = api.request(Method::POST, "").header("content-type", "application/json");
        Answer::to(request.body(format!("{body}{}", " ".repeat(size - body.len())))).await
    };
    assert_eq!(send(64 * 1_024).await.status, 201);
    send(64 * 1_024 + 1).await.refused(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_body_is_json_by_its_content_type() {
    let api = Api::start().await;
    let send = async |content_type: Option<&str>| {
        let mut request = api.request(Method::POST, "").body(r#"{"name": "A"}"#);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        Answer::to(request).await
    };
    for json in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        assert_eq!(send(Some(json)).await.status, 201, "{json}");
    }
    for other in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("")] {
        send(other).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn a_body_that_is_no_utf8_is_refused() {
    let api = Api::start().await;
    let request = api.request(Method::POST, "").header("content-type", "application/json");
    let faults = Answer::to(request.body(b"{\"name\": \"\xff\"}".to_vec())).await.faults();
    assert_eq!(faults, [("body".to_owned(), "is not readable as JSON".to_owned())]);
}

#[tokio::test]
async fn the_same_key_gives_the_first_response_again() {
    let api = Api::start().await;
    let first = create(&api, "k", json!({ "name": "A", "description": "d" })).await;
    assert_eq!(first.status, 201);
    let id = first.body["id"].as_str().unwrap();
    api.put(&format!("/{id}"), json!({ "name": "Renamed" })).await.ok();
    // The order of the fields and what is spelled out make no other body.
    let again = create(&api, "k", json!({ "is_privileged": false, "description": "d", "name": "A " })).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(api.walk("", "groups").await.len(), 1);
    api.delete(&format!("/{id}")).await;
    assert_eq!(create(&api, "k", json!({ "name": "A", "description": "d" })).await.body, first.body);
    assert!(api.walk("", "groups").await.is_empty());
}

#[tokio::test]
async fn the_same_key_for_another_body_is_a_conflict() {
    let api = Api::start().await;
    assert_eq!(create(&api, "k", json!({ "name": "A" })).await.status, 201);
    create(&api, "k", json!({ "name": "B" })).await.refused(409, "CONFLICT");
    create(&api, "k", json!({ "name": "A", "is_privileged": true })).await.refused(409, "CONFLICT");
    assert_eq!(api.walk("", "groups").await.len(), 1);
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let api = Api::start().await;
    let create_as = async |sub: &str, key: &str| {
        let token = token(sub, &["Administrator"]);
        let request = api.request_as(Some(&token), Method::POST, "").header("Idempotency-Key", key);
        Answer::to(request.json(&json!({ "name": "A" }))).await.body["id"].clone()
    };
    let ids = [create_as("ann", "k").await, create_as("anne", "k").await, create_as("an", "nk").await];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert_eq!(create_as("ann", "k").await, ids[0]);
}

#[tokio::test]
async fn a_key_used_by_many_at_once_creates_one_group() {
    let api = Api::start().await;
    let answers = futures::future::join_all((0..20).map(|_| create(&api, "k", json!({ "name": "A" })))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body));
    }
    assert_eq!(api.walk("", "groups").await.len(), 1);
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_ascii_characters() {
    let api = Api::start().await;
    for fits in ["!", "~", &"k".repeat(255)] {
        assert_eq!(create(&api, fits, json!({ "name": "A" })).await.status, 201);
    }
    for unfit in ["", "a b", &"k".repeat(256)] {
        let faults = create(&api, unfit, json!({ "name": "A" })).await.faults();
        assert_eq!(faults[0].0, "Idempotency-Key");
    }
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let api = Api::start().await;
    create(&api, "k", json!({ "name": "" })).await.faults();
    assert_eq!(create(&api, "k", json!({ "name": "A" })).await.status, 201);
}

/// By the store, whose word on the time is its caller's: the gateway's clock cannot be turned forward.
#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let api = Api::start().await;
    let create = async |second: i64, name: &str| {
        let profile = GroupProfile {
            name: GroupName::parse(name).unwrap(),
            description: Description::default(),
            group_type: GroupType::default(),
            is_privileged: false,
        };
        let created_at = Timestamp::from_unix_seconds(1_700_000_000 + second);
        let group = Group::new(api.app.new_group_id(), profile, created_at);
        let key = IdempotencyKey { key: "k", request_digest: [name.len() as u8; 32] };
        api.store.create_group(&administer(), group, Some(key)).await
    };
    const DAY: i64 = 24 * 60 * 60;
    let first = create(0, "A").await.unwrap();
    assert_eq!(create(DAY, "A").await.unwrap(), first);
    assert_eq!(create(DAY, "Another").await.unwrap_err(), Error::IdempotencyKeyReused);
    let second = create(DAY + 1, "Another").await.unwrap();
    assert_ne!(second.group.id, first.group.id);
    assert_eq!(create(DAY + 2, "Another").await.unwrap(), second);
}
