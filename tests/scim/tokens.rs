//! Who may call: a holder of the long-lived token, or a caller with a JWT.

use lambda_http::Context;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::app::AuthorizeTokenDeps;
use shared::config::AuthorizeTokenConfig;

use super::{group, post, refused};
use crate::harness::{Answer, Api, LONG_LIVED_TOKEN, token};

#[tokio::test]
async fn long_lived_token_is_for_its_own_routes() {
    let api = Api::start().await;
    let status = async |token: Option<&str>, path: &str| {
        Answer::to(api.request_as(token, Method::GET, path)).await.status.as_u16()
    };
    let administrator = token("alice", &["Administrator"]);
    let (scim, oauth) = ("/scim/v2/Users", "/api/v1/scim/v2/Users");
    for (token, path, expected) in [
        (Some(LONG_LIVED_TOKEN), scim, 200),
        (Some(LONG_LIVED_TOKEN), oauth, 401),
        (Some(LONG_LIVED_TOKEN), "/api/v1/groups", 401),
        (Some(&*administrator), oauth, 200),
        (Some(&*administrator), scim, 403),
        (Some("wrong"), scim, 403),
        (Some(""), scim, 403),
        (None, scim, 401),
        (None, oauth, 401),
    ] {
        assert_eq!(status(token, path).await, expected, "{token:?} {path}");
    }
}

#[tokio::test]
async fn readers_read_and_administrators_write() {
    let api = Api::start().await;
    let reader = token("bob", &[]);
    let read = Answer::to(api.request_as(Some(&reader), Method::GET, "/api/v1/scim/v2/Groups")).await;
    assert_eq!(read.status, StatusCode::OK);
    for (method, path) in [
        (Method::POST, "/Users"),
        (Method::POST, "/Groups"),
        (Method::PUT, "/Users/a"),
        (Method::PATCH, "/Groups/a"),
        (Method::DELETE, "/Groups/a"),
        (Method::DELETE, "/Users/a"),
    ] {
        api.recorder.take();
        let request = api.request_as(Some(&reader), method, &format!("/api/v1/scim/v2{path}"));
        let answer = Answer::to(request.body("no JSON")).await;
        assert!(refused(&answer, 403, None).contains("Administrator"));
        assert!(api.recorder.take().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn changes_are_made_by_the_actor_of_the_token() {
    let api = Api::start().await;
    let id = group(&api, "Team").await;
    let group = api.get(&format!("/{id}")).await.ok();
    assert_eq!(group["created_by"], json!("scim"));
}

#[tokio::test]
async fn locations_are_below_the_path_of_the_request() {
    let api = Api::start().await;
    let created = post(&api, "/Groups", json!({ "displayName": "Team" })).await;
    let id = created.body["id"].as_str().unwrap();
    let administrator = token("alice", &["Administrator"]);
    let path = format!("/api/v1/scim/v2/Groups/{id}");
    let answer = Answer::to(api.request_as(Some(&administrator), Method::GET, &path)).await;
    assert_eq!(answer.body["meta"]["location"], json!(format!("{}{path}", api.base)));
}

/// Both tokens of a rotation are accepted, and no other text.
#[tokio::test]
async fn two_tokens_are_accepted_while_one_replaces_the_other() {
    // SHA-256 of "first" and of "second".
    let config = AuthorizeTokenConfig::from_variables(|name| match name {
        "TOKEN_DIGEST" => Some("a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e".to_owned()),
        "FORMER_TOKEN_DIGEST" => Some("16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4".to_owned()),
        name => Some(name.to_lowercase()),
    });
    let dependencies = AuthorizeTokenDeps { config: config.unwrap().into() };
    let answer = async |event: Value| {
        let function = groups_local::functions::AUTHORIZE_TOKEN;
        function.answer(&dependencies, &event, &Context::default()).await
    };
    let context = json!({ "actor_claim": "token_actor", "roles_claim": "[token_roles]" });
    for identity in ["Bearer first", "bearer second", "Bearer  first "] {
        let answer = answer(json!({ "identitySource": [identity] })).await;
        assert_eq!(answer, json!({ "isAuthorized": true, "context": context }), "{identity}");
    }
    for event in [
        json!({}),
        json!({ "identitySource": [] }),
        json!({ "identitySource": ["first"] }),
        json!({ "identitySource": ["Basic first"] }),
        json!({ "identitySource": ["Bearer "] }),
        json!({ "identitySource": ["Bearer third"] }),
        json!({ "identitySource": ["Bearer a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"] }),
    ] {
        assert_eq!(answer(event.clone()).await, json!({ "isAuthorized": false, "context": {} }), "{event}");
    }
}
