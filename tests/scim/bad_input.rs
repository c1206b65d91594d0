//! Requests that are refused, in SCIM's form and with a detail that says what would be right.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{group, listed, patch, post, put, refused, request, send, user};
use crate::harness::{Answer, Api};

#[tokio::test]
async fn unknown_paths_and_methods_have_errors_of_scim() {
    let api = Api::start().await;
    let refused_as = async |method: Method, path: &str, status: u16| {
        let answer = send(&api, method, path, &json!({})).await;
        refused(&answer, status, None);
        answer.header("allow").map(str::to_owned)
    };
    for path in ["/Nothing", "/Users/a/b", "/users"] {
        assert_eq!(refused_as(Method::GET, path, 404).await, None);
    }
    for (method, path, allow) in [
        (Method::DELETE, "/Users", "GET, HEAD, POST"),
        (Method::POST, "/Users/a", "DELETE, GET, HEAD, PATCH, PUT"),
        (Method::GET, "/Groups/.search", "POST"),
        (Method::POST, "/Schemas", "GET, HEAD"),
        (Method::GET, "/.search", "POST"),
    ] {
        assert_eq!(refused_as(method, path, 405).await.as_deref(), Some(allow), "{path}");
    }
    refused_as(Method::GET, "/Me", 501).await;
    refused_as(Method::POST, "/Bulk", 501).await;
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    for (body, scim_type) in
        [("", "invalidSyntax"), ("{", "invalidSyntax"), ("[]", "invalidSyntax"), ("{}", "invalidValue")]
    {
        for path in ["/Users", "/Groups"] {
            let answer = Answer::to(request(&api, Method::POST, path).body(body)).await;
            refused(&answer, 400, Some(scim_type));
        }
    }
    for (body, detail) in [
        (json!({ "userName": " " }), "userName must be 1 to 256"),
        (json!({ "userName": "x".repeat(257) }), "userName must be 1 to 256"),
        (json!({ "userName": 5 }), "userName must be a text"),
        (json!({ "userName": "b", "active": "yes" }), "active must be true or false"),
        (json!({ "userName": "b", "emails": "a@b" }), "emails must be a list"),
        (json!({ "userName": "b", "emails": [{}] }), "emails must be a list"),
        (json!({ "userName": "b", "externalId": " x" }), "externalId must be 1 to 255"),
    ] {
        for answer in
            [post(&api, "/Users", body.clone()).await, put(&api, &format!("/Users/{anna}"), body.clone()).await]
        {
            let found = refused(&answer, 400, Some("invalidValue"));
            assert!(found.contains(detail), "{found}");
        }
    }
    let large = json!({ "userName": "b", "title": "x".repeat(1024 * 1024) });
    assert_eq!(refused(&post(&api, "/Users", large).await, 413, None), "the body is over 1024 KiB");
    let other = api.request_as(Some(crate::harness::LONG_LIVED_TOKEN), Method::POST, "/scim/v2/Users");
    let answer = Answer::to(other.header("content-type", "text/plain").body("{}")).await;
    refused(&answer, 415, None);
    let plain = api.request_as(Some(crate::harness::LONG_LIVED_TOKEN), Method::POST, "/scim/v2/Users");
    assert_eq!(Answer::to(plain.json(&json!({ "userName": "plain" }))).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn patches_that_make_no_sense_change_nothing() {
    let api = Api::start().await;
    let (anna, team) = (user(&api, "anna").await, group(&api, "Team").await);
    let of_user = format!("/Users/{anna}");
    let of_group = format!("/Groups/{team}");
    let rename = |name: &str| json!({ "op": "replace", "path": name, "value": "changed" });
    for (path, operation, scim_type) in [
        (&of_user, json!({ "op": "move", "path": "active" }), "invalidSyntax"),
        (&of_user, json!({ "op": "remove" }), "noTarget"),
        (&of_user, json!({ "op": "add", "value": 5 }), "invalidSyntax"),
        (&of_user, json!({ "op": "add", "path": "usrName", "value": "x" }), "invalidPath"),
        (&of_user, json!({ "op": "add", "path": "emails[type eq", "value": "x" }), "invalidPath"),
        (&of_user, json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (&of_user, json!({ "op": "replace", "value": { "id": "x" } }), "mutability"),
        (&of_user, json!({ "op": "remove", "path": "userName" }), "mutability"),
        (&of_user, json!({ "op": "replace", "path": "active", "value": 5 }), "invalidValue"),
        (&of_user, json!({ "op": "replace", "path": "emails", "value": 5 }), "invalidValue"),
        (
            &of_user,
            json!({ "op": "add", "path": "emails", "value": vec![json!({ "value": "a@b" }); 101] }),
            "invalidValue",
        ),
        (&of_user, json!({ "op": "replace", "path": "emails", "value": vec!["a@b"; 101] }), "invalidValue"),
        (&of_group, json!({ "op": "remove", "path": "displayName" }), "mutability"),
        (&of_group, json!({ "op": "replace", "path": "displayName", "value": 5 }), "invalidValue"),
        (&of_group, json!({ "op": "add", "path": "members", "value": 5 }), "invalidValue"),
        (&of_group, json!({ "op": "add", "path": "members", "value": [{ "display": "x" }] }), "invalidValue"),
        (&of_group, json!({ "op": "add", "path": "members", "value": [{ "value": "no id/at all" }] }), "invalidValue"),
        (&of_group, json!({ "op": "remove", "path": "members[type eq \"User\"]" }), "invalidFilter"),
        (&of_group, json!({ "op": "add", "path": "members[value eq \"x\"]", "value": {} }), "invalidPath"),
        (&of_group, json!({ "op": "replace", "path": "members.value", "value": "x" }), "mutability"),
        (&of_group, json!({ "op": "replace", "path": "meta.created", "value": "x" }), "mutability"),
    ] {
        let first = rename(if path.starts_with("/Users") { "userName" } else { "displayName" });
        let answer = patch(&api, path, json!([first, operation])).await;
        refused(&answer, 400, Some(scim_type));
    }
    for operations in [json!([]), json!("x"), json!([5]), Value::Null] {
        refused(&patch(&api, &of_user, operations).await, 400, Some("invalidSyntax"));
    }
    assert_eq!(listed(&super::get(&api, "/Users").await, "userName").1, ["anna"]);
    assert_eq!(listed(&super::get(&api, "/Groups").await, "displayName").1, ["Team"]);
}
