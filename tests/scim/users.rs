//! `/Users`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{created, delete, get, group, listed, members, patch, post, put, refused, request, user};
use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Answer, Api, account, event_source};

#[tokio::test]
async fn user_is_an_account_for_everybody_else() {
    let api = Api::start().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "anna.berg", "externalId": "e-1",
        "emails": [{ "value": "home@example.com", "type": "home" }, { "value": "anna@example.com", "type": "work" }],
        "name": { "givenName": "Anna" }, "password": "canary of a password",
    });
    let answer = post(&api, "/Users", body).await;
    let id = created(&answer);
    assert!(!answer.text.contains("password"));
    let account = api.get(&format!("/api/v1/accounts/{id}")).await.ok();
    assert_eq!(
        (&account["name"], &account["email"], &account["status"]),
        (&json!("anna.berg"), &json!("anna@example.com"), &json!("active"))
    );
    let found = api.get("/api/v1/accounts?search=berg").await.ok();
    assert_eq!(found["accounts"][0]["id"], json!(id));
    assert_eq!(delete(&api, &format!("/Users/{id}")).await.status, StatusCode::NO_CONTENT);
    refused(&get(&api, &format!("/Users/{id}")).await, 404, None);
    refused(&delete(&api, &format!("/Users/{id}")).await, 404, None);
    api.get(&format!("/api/v1/accounts/{id}")).await.refused(404, "NOT_FOUND");
    assert_eq!(listed(&get(&api, "/Users?filter=externalId eq \"e-1\"").await, "id").0, 0);
}

#[tokio::test]
async fn memberships_end_with_the_user() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let (team, anna) = (group(&api, "Team").await, user(&api, "anna").await);
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": anna }] }]);
    patch(&api, &format!("/Groups/{team}"), add).await;
    delete(&api, &format!("/Users/{anna}")).await;
    Pump::of(&api).await.drain(&api.app).await;
    assert_eq!(members(&api, &team).await, [""; 0]);
    assert_sound(&violations(&api).await);
}

/// Whichever of two sources describes an account later wins, and the external id stays.
#[tokio::test]
async fn events_and_requests_describe_the_same_account() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let found = get(&api, &format!("/Users?filter=userName eq \"{}\"", account("acc-1").name)).await;
    assert_eq!(listed(&found, "id").1, ["acc-1"]);
    let linked = json!([{ "op": "add", "path": "externalId", "value": "e-7" }]);
    patch(&api, "/Users/acc-1", linked).await;
    // Later than any request: the clock of the other source is ahead.
    let ahead = shared::domain::Moment::from_unix_nanos(4_000_000_000_000_000_000);
    let mut later = account("acc-1");
    later.name = "from an event".into();
    later.version = shared::domain::AccountVersion::at(ahead);
    assert!(api.store.put_account(&event_source(), &later).await.unwrap());
    let answer = get(&api, "/Users/acc-1").await;
    assert_eq!((&answer.body["userName"], &answer.body["externalId"]), (&json!("from an event"), &json!("e-7")));
    let answer = patch(&api, "/Users/acc-1", json!([{ "op": "replace", "value": { "userName": "later" } }])).await;
    assert_eq!(answer.body["userName"], json!("later"), "a request is later than each version that it read");
    assert!(!api.store.put_account(&event_source(), &later).await.unwrap());
    assert_eq!(listed(&get(&api, "/Users?filter=externalId eq \"e-7\"").await, "id").1, ["acc-1"]);
}

/// A status that another source chose says more than `inactive`.
#[tokio::test]
async fn suspended_account_stays_suspended() {
    let api = Api::start().await;
    let mut suspended = account("acc-1");
    suspended.status = "suspended".into();
    api.store.put_account(&event_source(), &suspended).await.unwrap();
    let set = async |active: bool| {
        let answer = patch(&api, "/Users/acc-1", json!([{ "op": "replace", "value": { "active": active } }])).await;
        assert_eq!(answer.body["active"], json!(active));
        api.get("/api/v1/accounts/acc-1").await.ok()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(set(false).await, "suspended");
    assert_eq!(set(true).await, "active");
    assert_eq!(set(false).await, "inactive");
}

#[tokio::test]
async fn user_name_is_unique_apart_from_case() {
    let api = Api::start().await;
    let anna = user(&api, "Anna").await;
    let detail =
        refused(&post(&api, "/Users", json!({ "userName": "ANNA" })).await, 409, Some("uniqueness")).to_owned();
    assert_eq!(detail, format!("the account {anna} has this name already"));
    let bert = user(&api, "bert").await;
    let answer = put(&api, &format!("/Users/{bert}"), json!({ "userName": "anna" })).await;
    refused(&answer, 409, Some("uniqueness"));
    // Another spelling of its own name, and a name that became free.
    assert_eq!(put(&api, &format!("/Users/{anna}"), json!({ "userName": "anna" })).await.status, StatusCode::OK);
    assert_eq!(put(&api, &format!("/Users/{anna}"), json!({ "userName": "anne" })).await.status, StatusCode::OK);
    assert_eq!(put(&api, &format!("/Users/{bert}"), json!({ "userName": "anna" })).await.status, StatusCode::OK);
    delete(&api, &format!("/Users/{bert}")).await;
    user(&api, "anna").await;
}

#[tokio::test]
async fn of_many_creations_of_one_user_name_one_succeeds() {
    let api = Api::start().await;
    for round in 0..5 {
        let create = || post(&api, "/Users", json!({ "userName": format!("anna{round}") }));
        let answers = futures::future::join_all((0..8).map(|_| create())).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(count(201), 1, "{:?}", answers.iter().map(|answer| &answer.text).collect::<Vec<_>>());
        assert_eq!(count(409) + count(503), 7);
        let found = get(&api, &format!("/Users?filter=userName eq \"anna{round}\"")).await;
        assert_eq!(listed(&found, "id").0, 1);
    }
}

/// Each of two patches at the same time sees the other.
#[tokio::test]
async fn patches_at_the_same_time_lose_nothing() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let path = format!("/Users/{anna}");
    let email = patch(&api, &path, json!([{ "op": "add", "path": "emails[type eq \"work\"].value", "value": "a@b" }]));
    let external = patch(&api, &path, json!([{ "op": "add", "path": "externalId", "value": "e-1" }]));
    let inactive = patch(&api, &path, json!([{ "op": "add", "path": "active", "value": false }]));
    futures::future::join3(email, external, inactive).await;
    let user = get(&api, &path).await.body;
    assert_eq!(
        (&user["emails"][0]["value"], &user["externalId"], &user["active"]),
        (&json!("a@b"), &json!("e-1"), &json!(false))
    );
}

#[tokio::test]
async fn attributes_that_a_replacement_leaves_out_stay_and_null_removes_one() {
    let api = Api::start().await;
    let body = json!({ "userName": "anna", "externalId": "e-1", "active": false, "emails": [{ "value": "a@b" }] });
    let anna = created(&post(&api, "/Users", body).await);
    let path = format!("/Users/{anna}");
    let same = put(&api, &path, json!({ "userName": "anna" })).await.body;
    assert_eq!((&same["externalId"], &same["active"]), (&json!("e-1"), &json!(false)));
    assert_eq!(same["emails"][0]["value"], json!("a@b"));
    let less = put(&api, &path, json!({ "userName": "anna", "externalId": null, "emails": [] })).await.body;
    assert!(less.get("externalId").is_none() && less.get("emails").is_none(), "{less}");
}

#[tokio::test]
async fn addresses_are_patched_as_clients_expect() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let path = format!("/Users/{anna}");
    let after = async |operation: Value| {
        let answer = patch(&api, &path, json!([operation])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.body["emails"][0]["value"].as_str().map(str::to_owned)
    };
    let work = "emails[type eq \"work\"].value";
    for (operation, expected) in [
        (json!({ "op": "replace", "path": work, "value": "a@b" }), Some("a@b")),
        (json!({ "op": "add", "path": "emails", "value": [{ "value": "c@d", "type": "home" }] }), Some("a@b")),
        (json!({ "op": "add", "path": "emails", "value": { "value": "c@d", "primary": "True" } }), Some("c@d")),
        (json!({ "op": "replace", "path": "emails.value", "value": "e@f" }), Some("e@f")),
        (json!({ "op": "remove", "path": "emails[value eq \"x@y\"]" }), Some("e@f")),
        (json!({ "op": "remove", "path": "emails", "value": [{ "value": "E@F" }] }), None),
        (json!({ "op": "add", "path": "EMAILS", "value": "g@h" }), Some("g@h")),
        (json!({ "op": "remove", "path": work }), None),
        (json!({ "op": "replace", "path": "emails", "value": [{ "value": "i@j" }] }), Some("i@j")),
        (json!({ "op": "remove", "path": "emails[not (type eq \"home\") and value sw \"i@\"]" }), None),
    ] {
        assert_eq!(after(operation.clone()).await.as_deref(), expected, "{operation}");
    }
}

#[tokio::test]
async fn entity_tags_guard_changes() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let path = format!("/Users/{anna}");
    let tag = get(&api, &path).await.header("etag").unwrap().to_owned();
    let with = async |method: Method, header: &str, value: &str| {
        let body = json!({ "userName": "anna", "active": false }).to_string();
        let request = request(&api, method.clone(), &path).header(header, value);
        Answer::to(if method == Method::PUT { request.body(body) } else { request }).await
    };
    assert_eq!(with(Method::GET, "if-none-match", &tag).await.status, StatusCode::NOT_MODIFIED);
    let detail = refused(&with(Method::PUT, "if-match", "\"other\"").await, 412, None).to_owned();
    assert_eq!(detail, "the account has changed since the ETag in If-Match");
    assert_eq!(with(Method::PUT, "if-match", &tag).await.status, StatusCode::OK);
    refused(&with(Method::DELETE, "if-match", &tag).await, 412, None);
    refused(&with(Method::GET, "if-match", &tag).await, 412, None);
    assert_eq!(with(Method::GET, "if-none-match", &tag).await.status, StatusCode::OK);
    let detail = refused(&with(Method::PUT, "if-none-match", "*").await, 412, None).to_owned();
    assert_eq!(detail, "it exists already, and If-None-Match requires that it does not");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let detail = refused(&with(method, "if-match", "1").await, 400, Some("invalidValue")).to_owned();
        assert_eq!(detail, "If-Match must be an ETag, up to 20 of them, or *");
    }
    assert_eq!(with(Method::DELETE, "if-match", "*").await.status, StatusCode::NO_CONTENT);
}

/// A change that changes nothing is not written, and its entity tag stays.
#[tokio::test]
async fn repeated_request_writes_nothing() {
    let api = Api::start().await;
    let body = json!({ "userName": "anna", "externalId": "e-1", "emails": [{ "value": "a@b" }] });
    let anna = created(&post(&api, "/Users", body.clone()).await);
    let path = format!("/Users/{anna}");
    let tag = get(&api, &path).await.header("etag").unwrap().to_owned();
    api.recorder.take();
    assert_eq!(put(&api, &path, body).await.header("etag"), Some(&*tag));
    let requests = api.recorder.take();
    assert_eq!(requests.len(), 1, "one GetItem: {requests:?}");
}
