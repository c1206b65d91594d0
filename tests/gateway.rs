//! The local gateway behaves as a deployed one: which requests reach a function, and with which event.

use groups_local::gateway::invoke;
use groups_local::jwt::{TokenRequest, Verifier, sign};
use lambda_http::Context;
use serde_json::{Value, json};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;

use crate::harness::workspace::recorded;
use crate::harness::{Api, config, key, template};

/// The event has the form that API Gateway documents ("AWS Lambda proxy integrations for HTTP APIs", payload format
/// version 2.0).
#[tokio::test]
async fn event_has_the_form_of_api_gateway() {
    use axum::body::Bytes;
    use axum::http::Request;
    let verifier = Verifier::new([key()], &template().authorizer).unwrap();
    let request = TokenRequest {
        sub: "alice",
        roles: &["Reader".into(), "Administrator".into()],
        actor_claim: "sub",
        roles_claim: "cognito:groups",
        issued_at: SystemClock.now().unix_seconds(),
        expires_in: 60,
    };
    let token = sign(key(), &template().authorizer, &request).unwrap();
    let claims = verifier.verify(&format!("bearer {token}")).unwrap();
    assert_eq!(claims["cognito:groups"], "[Reader Administrator]");
    assert_eq!(claims["exp"], (request.issued_at + 60).to_string(), "every claim is a text");

    let (parts, ()) = Request::builder()
        .method("PUT")
        .uri("/api/v1/groups/grp-1/members/a%40b?x=1&x=2&y=%20z")
        .header("X-Forwarded-Proto", "a b")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("Cookie", "a=1; b=2")
        .body(())
        .unwrap()
        .into_parts();
    let gateway = groups_local::event::GatewayContext {
        request_id: "r-1",
        route_key: "PUT /api/v1/groups/{id}/members/{accountId}",
        path_parameters: vec![("id".into(), "grp-1".into()), ("accountId".into(), "a%40b".into())],
        authorizer: json!({ "jwt": { "claims": claims, "scopes": null } }),
        time: time::OffsetDateTime::from_unix_timestamp(1_583_348_638).unwrap(),
    };
    let event = groups_local::event::of_request(&parts, &Bytes::from_static(b"\xff"), &gateway);
    assert_eq!(event["version"], json!("2.0"));
    assert_eq!(event["routeKey"], json!("PUT /api/v1/groups/{id}/members/{accountId}"));
    assert_eq!(event["rawPath"], json!("/api/v1/groups/grp-1/members/a@b"));
    assert_eq!(event["rawQueryString"], json!("x=1&x=2&y=%20z"));
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2", "y": " z" }));
    assert_eq!(event["pathParameters"], json!({ "id": "grp-1", "accountId": "a@b" }));
    assert_eq!(event["headers"]["x-twice"], json!("1,2"));
    assert_eq!(event["headers"]["x-forwarded-proto"], json!("http"), "the gateway overwrites the client's");
    assert!(event["headers"].get("cookie").is_none());
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    assert_eq!(event["requestContext"]["time"], json!("04/Mar/2020:19:03:58 +0000"));
    assert_eq!(event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"], json!("alice"));
}

/// A function that is invoked without a verified identity, by any way, replies 401 itself.
#[tokio::test]
async fn event_without_a_verified_caller_is_unauthorized() {
    let api = Api::start().await;
    let without_authorizer = json!({
        "version": "2.0", "routeKey": "GET /api/v1/groups", "rawPath": "/api/v1/groups", "rawQueryString": "",
        "headers": { "authorization": "Bearer x" }, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r-7",
            "routeKey": "GET /api/v1/groups", "stage": "$default", "time": "", "timeEpoch": 0,
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "1", "userAgent": "u" },
        },
    });
    let with = |authorizer: Value| {
        let mut event = without_authorizer.clone();
        event["requestContext"]["authorizer"] = authorizer;
        event
    };
    for event in [
        without_authorizer.clone(),
        with(json!({})),
        with(json!({ "jwt": { "claims": {}, "scopes": null } })),
        with(json!({ "jwt": { "claims": { "sub": "" }, "scopes": null } })),
        with(json!({ "jwt": { "claims": { "cognito:groups": "[Administrator]" }, "scopes": null } })),
        with(json!({ "lambda": { "sub": "" } })),
        with(json!({ "lambda": { "cognito:groups": "[Administrator]" } })),
        with(json!({ "lambda": { "sub": ["alice"] } })),
        with(json!({ "iam": { "userId": "alice" } })),
    ] {
        for function in groups_local::functions::FUNCTIONS {
            let answer = invoke(function, &api.app, &event, Context::default()).await.unwrap();
            assert_eq!(answer["statusCode"], json!(401), "{}", function.name);
            assert_eq!(answer["headers"]["www-authenticate"], json!("Bearer"));
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["error"]["code"], json!("UNAUTHORIZED"));
            assert_eq!(body["error"]["request_id"], json!("r-7"));
        }
    }
    assert!(api.recorder.take().is_empty(), "no request without a caller reaches the table");
    assert_eq!(config("t").table_name, "t");
}

#[tokio::test]
async fn event_of_another_source_has_no_reply() {
    let api = Api::start().await;
    let function = groups_local::functions::FUNCTIONS[0];
    for event in [json!({}), json!([]), json!({ "Records": [] }), json!({ "httpMethod": "GET", "path": "/" })] {
        assert_eq!(invoke(function, &api.app, &event, Context::default()).await, None);
    }
}

/// The adapter panics on a URI over 64 KiB. The gateway sends no such query, but the process must not depend on that.
#[tokio::test]
async fn overlong_query_does_not_end_the_process() {
    let api = Api::start().await;
    let function = groups_local::functions::FUNCTIONS.into_iter().find(|it| it.name == "list-groups").unwrap();
    let mut event = recorded("list-groups");
    for query in ["search=a".repeat(20_000), "ü".repeat(100_000)] {
        event["rawQueryString"] = json!(query);
        let answer = invoke(function, &api.app, &event, Context::default()).await.expect("it answers");
        assert_eq!(answer["statusCode"], json!(400));
    }
}
