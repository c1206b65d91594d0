use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{Error, Group, GroupName, GroupProfile, Timestamp};
use shared::store::{IdempotencyKey, Unsettled};

use crate::harness::{Answer, Api, administer, token};

/// Creates a group with this idempotency key.
async fn create(api: &Api, key: &str, body: Value) -> Answer {
    Answer::to(api.request(Method::POST, "").header("Idempotency-Key", key).json(&body)).await
}

#[tokio::test]
async fn new_group_is_returned_with_etag_and_location() {
    let api = Api::start().await;
    let body = json!({
        "name": "  Engineering Team ", "description": "All engineering staff", "group_type": "distribution",
        "is_privileged": true,
    });
    let answer = api.post("", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("etag"), Some("\"1-0\""));
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
        "direct_member_count": 0, "nested_group_count": 0, "created_by": "alice", "updated_by": "alice",
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn only_the_name_is_required() {
    let api = Api::start().await;
    let group = api.post("", json!({ "name": "A", "description": null })).await.body;
    assert_eq!(
        (&group["description"], &group["group_type"], &group["is_privileged"]),
        (&json!(""), &json!("security"), &json!(false))
    );
}

#[tokio::test]
async fn two_groups_may_share_a_name() {
    let api = Api::start().await;
    assert_ne!(api.group("Twins").await, api.group("Twins").await);
    assert_eq!(api.get("").await.ok()["groups"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn name_has_at_most_256_characters() {
    let api = Api::start().await;
    for longest in ["n".repeat(256), "😀".repeat(256), "e\u{301}".repeat(128), format!(" {} ", "ß".repeat(256))] {
        let answer = api.post("", json!({ "name": longest })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.body["name"], json!(longest.trim()));
        let id = answer.body["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/{id}")).await.ok(), answer.body);
    }
    for too_long in ["n".repeat(257), "😀".repeat(257), "e\u{301}".repeat(129)] {
        let errors = api.post("", json!({ "name": too_long })).await.field_errors();
        assert_eq!(errors, [("name".into(), "is longer than 256 characters".into())]);
    }
    // U+FDFA becomes 18 characters under NFKC: 256 of them exceed the length of a key unless it is truncated.
    assert_eq!(api.post("", json!({ "name": "\u{fdfa}".repeat(256) })).await.status, 201);
    assert_eq!(api.all_items("", "groups").await.len(), 5);
}

#[tokio::test]
async fn description_has_at_most_1024_characters() {
    let api = Api::start().await;
    let create = async |description: String| api.post("", json!({ "name": "A", "description": description })).await;
    assert_eq!(create("😀".repeat(1_024)).await.status, 201);
    assert_eq!(create("line\nbreaks are\tfine".into()).await.status, 201);
    let errors = create("d".repeat(1_025)).await.field_errors();
    assert_eq!(errors, [("description".into(), "is longer than 1024 characters".into())]);
}

#[tokio::test]
async fn all_field_errors_are_reported_at_once() {
    let api = Api::start().await;
    let body = json!({
        "name": " \t ", "description": 5, "group_type": "Security", "is_privileged": "yes", "member_count": 7,
        "id": "grp-1", "owner": "me",
    });
    let mut errors = api.post("", body).await.field_errors();
    errors.sort();
    let expected = [
        ("description", "is not a string"),
        ("group_type", "is no group type"),
        ("id", "is read-only"),
        ("is_privileged", "is not a boolean"),
        ("member_count", "is read-only"),
        ("name", "is empty"),
        ("owner", "is not known here"),
    ];
    assert_eq!(errors, expected.map(|(field, reason)| (field.to_owned(), reason.to_owned())));
    assert!(api.all_items("", "groups").await.is_empty(), "nothing was created");
}

#[tokio::test]
async fn every_read_only_field_is_refused() {
    let api = Api::start().await;
    for field in ["id", "member_count", "direct_member_count", "nested_group_count", "created_at", "updated_at"] {
        let errors = api.post("", json!({ "name": "A", field: 1 })).await.field_errors();
        assert_eq!(errors, [(field.to_owned(), "is read-only".to_owned())]);
    }
}

#[tokio::test]
async fn invalid_names_are_refused() {
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
        let errors = api.post("", json!({ "name": name })).await.field_errors();
        assert_eq!(errors, [("name".to_owned(), reason.to_owned())]);
    }
    assert_eq!(api.post("", json!({})).await.field_errors(), [("name".to_owned(), "is missing".to_owned())]);
}

#[tokio::test]
async fn body_must_be_one_json_object() {
    let api = Api::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, reason) in [
        ("", "is empty"),
        ("{", "is not readable as JSON at line 1, column 1"),
        ("{} {}", "is not readable as JSON at line 1, column 4"),
        ("{\n  \"name\": A\n}", "is not readable as JSON at line 2, column 11"),
        (r#"{"name": 1e400}"#, "is not readable as JSON at line 1, column 14"),
        ("[]", "is JSON of another type"),
        ("\"name\"", "is JSON of another type"),
        ("null", "is JSON of another type"),
        (deep.as_str(), "is JSON of another type"),
    ] {
        let request = api.request(Method::POST, "").header("content-type", "application/json");
        let errors = Answer::to(request.body(body.to_owned())).await.field_errors();
        assert_eq!(errors, [("body".to_owned(), reason.to_owned())], "{body:.20}");
    }
}

#[tokio::test]
async fn duplicate_field_is_refused() {
    let api = Api::start().await;
    let request = api.request(Method::POST, "").header("content-type", "application/json");
    let errors = Answer::to(request.body(r#"{"name": "A", "name": "B"}"#)).await.field_errors();
    assert_eq!(errors, [("name".to_owned(), "is given more than once".to_owned())]);
}

#[tokio::test]
async fn body_has_at_most_64_kib() {
    let api = Api::start().await;
    let send = async |size: usize| {
        let body = r#"{"name": "A"}"#;
        let request = api.request(Method::POST, "").header("content-type", "application/json");
        Answer::to(request.body(format!("{body}{}", " ".repeat(size - body.len())))).await
    };
    assert_eq!(send(64 * 1_024).await.status, 201);
    send(128 * 1_024 + 1).await.refused(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn content_type_must_be_json() {
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
async fn encoded_body_is_refused() {
    let api = Api::start().await;
    let create = |encoding: &str| {
        let request = api.request(Method::POST, "").header("content-encoding", encoding);
        Answer::to(request.json(&json!({ "name": "Team" })))
    };
    for encoding in ["gzip", "br", "deflate, gzip", ""] {
        let answer = create(encoding).await;
        let message = answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(message, "the body must be sent without Content-Encoding", "{encoding}");
    }
    assert!(api.all_items("", "groups").await.is_empty());
    assert_eq!(create("identity").await.status, 201);
}

#[tokio::test]
async fn unknown_field_suggests_the_near_one() {
    let api = Api::start().await;
    let body =
        json!({ "name": "Team", "groupType": "security", "IsPrivileged": true, "descripton": "d", "colour": "red" });
    let mut errors = api.post("", body).await.field_errors();
    errors.sort();
    let expected = [
        ("IsPrivileged", "is not known here; did you mean is_privileged?"),
        ("colour", "is not known here"),
        ("descripton", "is not known here; did you mean description?"),
        ("groupType", "is not known here; did you mean group_type?"),
    ];
    assert_eq!(errors, expected.map(|(field, reason)| (field.to_owned(), reason.to_owned())));
}

#[tokio::test]
async fn body_must_be_utf8() {
    let api = Api::start().await;
    let request = api.request(Method::POST, "").header("content-type", "application/json");
    let errors = Answer::to(request.body(b"{\"name\": \"\xff\"}".to_vec())).await.field_errors();
    assert_eq!(errors, [("body".to_owned(), "is not readable as JSON at line 1, column 11".to_owned())]);
}

#[tokio::test]
async fn repeated_idempotency_key_returns_the_first_response() {
    let api = Api::start().await;
    let first = create(&api, "k", json!({ "name": "A", "description": "d" })).await;
    assert_eq!(first.status, 201);
    let id = first.body["id"].as_str().unwrap();
    api.put(&format!("/{id}"), json!({ "name": "Renamed" })).await.ok();
    // The body is the same although its fields are in another order and a default is spelled out.
    let second = create(&api, "k", json!({ "is_privileged": false, "description": "d", "name": "A " })).await;
    assert_eq!((second.status.as_u16(), &second.body), (201, &first.body));
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.header("etag"), first.header("etag"));
    assert_eq!(api.all_items("", "groups").await.len(), 1);
    api.delete(&format!("/{id}")).await;
    assert_eq!(create(&api, "k", json!({ "name": "A", "description": "d" })).await.body, first.body);
    assert!(api.all_items("", "groups").await.is_empty());
}

#[tokio::test]
async fn idempotency_key_with_another_body_is_a_conflict() {
    let api = Api::start().await;
    assert_eq!(create(&api, "k", json!({ "name": "A" })).await.status, 201);
    create(&api, "k", json!({ "name": "B" })).await.refused(409, "CONFLICT");
    create(&api, "k", json!({ "name": "A", "is_privileged": true })).await.refused(409, "CONFLICT");
    assert_eq!(api.all_items("", "groups").await.len(), 1);
}

#[tokio::test]
async fn idempotency_keys_of_different_callers_never_collide() {
    let api = Api::start().await;
    let create_as = async |sub: &str, key: &str| {
        let token = token(sub, &["Administrator"]);
        let request = api.request_as(Some(&token), Method::POST, "").header("Idempotency-Key", key);
        Answer::to(request.json(&json!({ "name": "A" }))).await.body["id"].clone()
    };
    let [ann, anne, an] = [create_as("ann", "k").await, create_as("anne", "k").await, create_as("an", "nk").await];
    assert!(ann != anne && anne != an && ann != an);
    assert_eq!(create_as("ann", "k").await, ann);
}

#[tokio::test]
async fn concurrent_requests_with_one_key_create_one_group() {
    let api = Api::start().await;
    let answers = futures::future::join_all((0..20).map(|_| create(&api, "k", json!({ "name": "A" })))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body));
    }
    assert_eq!(api.all_items("", "groups").await.len(), 1);
}

#[tokio::test]
async fn idempotency_key_has_1_to_255_visible_ascii_characters() {
    let api = Api::start().await;
    for valid in ["!", "~", &"k".repeat(255)] {
        assert_eq!(create(&api, valid, json!({ "name": "A" })).await.status, 201);
    }
    for invalid in ["", "a b", &"k".repeat(256)] {
        let errors = create(&api, invalid, json!({ "name": "A" })).await.field_errors();
        assert_eq!(errors[0].0, "Idempotency-Key");
    }
}

#[tokio::test]
async fn refused_request_does_not_use_up_its_key() {
    let api = Api::start().await;
    create(&api, "k", json!({ "name": "" })).await.field_errors();
    assert_eq!(create(&api, "k", json!({ "name": "A" })).await.status, 201);
}

/// Calls the store, which takes the time from its caller: the gateway's clock cannot be set.
#[tokio::test]
async fn idempotency_key_expires_after_a_day() {
    let api = Api::start().await;
    let create = async |second: i64, name: &str| {
        let profile = GroupProfile::named(GroupName::parse(name).unwrap());
        let created_at = Timestamp::from_unix_seconds(1_700_000_000 + second);
        let group = Group::new(api.app.new_group_id(), profile, created_at);
        let key = IdempotencyKey { key: "k", request_digest: [name.len() as u8; 32] };
        api.store.create_group(&administer(), group, Some(key), None).await.map(Unsettled::leave_to_stream)
    };
    const DAY: i64 = 24 * 60 * 60;
    let first = create(0, "A").await.unwrap();
    assert_eq!(create(DAY, "A").await.unwrap(), first);
    assert_eq!(create(DAY, "Another").await.unwrap_err(), Error::IdempotencyKeyReused);
    let second = create(DAY + 1, "Another").await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(create(DAY + 2, "Another").await.unwrap(), second);
}

#[tokio::test]
async fn created_group_is_in_the_next_list_and_search() {
    let api = Api::start().await;
    for number in 0..20 {
        let id = api.group(&format!("Team {number:02}")).await;
        for query in ["?limit=1000", "?search=eam"] {
            let groups = api.all_items(query, "groups").await;
            assert_eq!((groups.len(), &groups[number]["id"]), (number + 1, &json!(id)), "{query}");
        }
    }
}
