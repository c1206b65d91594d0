//! SCIM 2.0: what Okta and Microsoft Entra send, and what RFC 7644 requires.

mod bad_input;
mod contention;
mod groups;
mod lists;
mod random;
mod sync;
mod tokens;
mod users;
mod wire;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Api, LONG_LIVED_TOKEN};

/// Builds a request with the long-lived token. The path is relative to `/scim/v2`.
fn request(api: &Api, method: Method, path: &str) -> RequestBuilder {
    api.request_as(Some(LONG_LIVED_TOKEN), method, &format!("/scim/v2{path}"))
        .header("content-type", "application/scim+json")
}

async fn get(api: &Api, path: &str) -> Answer {
    Answer::to(request(api, Method::GET, path)).await
}

async fn send(api: &Api, method: Method, path: &str, body: &Value) -> Answer {
    Answer::to(request(api, method, path).body(body.to_string())).await
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    send(api, Method::POST, path, &body).await
}

async fn put(api: &Api, path: &str, body: Value) -> Answer {
    send(api, Method::PUT, path, &body).await
}

/// Sends a patch with these operations.
async fn patch(api: &Api, path: &str, operations: Value) -> Answer {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    send(api, Method::PATCH, path, &body).await
}

async fn delete(api: &Api, path: &str) -> Answer {
    Answer::to(request(api, Method::DELETE, path)).await
}

/// Returns the id of a resource that was created.
#[track_caller]
fn created(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.header("location"), answer.body["meta"]["location"].as_str());
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn user(api: &Api, name: &str) -> String {
    created(&post(api, "/Users", json!({ "userName": name })).await)
}

async fn group(api: &Api, name: &str) -> String {
    created(&post(api, "/Groups", json!({ "displayName": name })).await)
}

/// The ids of a group's members, in order.
async fn members(api: &Api, group: &str) -> Vec<String> {
    let answer = get(api, &format!("/Groups/{group}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let members = answer.body["members"].as_array().unwrap();
    let mut ids: Vec<String> = members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Asserts that the answer is an error in SCIM's form. Returns its detail.
#[track_caller]
fn refused<'a>(answer: &'a Answer, status: u16, scim_type: Option<&str>) -> &'a str {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(answer.body["status"], json!(status.to_string()));
    assert_eq!(answer.body["scimType"].as_str(), scim_type, "{}", answer.text);
    answer.body["detail"].as_str().unwrap()
}

/// The total of a list, and the values of an attribute of its resources.
#[track_caller]
fn listed(answer: &Answer, attribute: &str) -> (u64, Vec<String>) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let resources = answer.body["Resources"].as_array().unwrap();
    assert_eq!(answer.body["itemsPerPage"], json!(resources.len()));
    let values = resources.iter().map(|resource| resource[attribute].as_str().unwrap().to_owned());
    (answer.body["totalResults"].as_u64().unwrap(), values.collect())
}

/// Makes a call of each kind, so that a test sees which requests the table gets.
pub(crate) async fn call_each_kind(api: &Api) {
    let anna = user(api, "anna@example.com").await;
    let parent = group(api, "Scim Parent").await;
    let child = group(api, "Scim Child").await;
    for path in ["/Users", "/Groups", "/Users?filter=userName eq \"anna@example.com\"", "/Groups?cursor="] {
        assert_eq!(get(api, path).await.status, StatusCode::OK);
    }
    let filter = "/Groups?excludedAttributes=members&filter=displayName eq \"Scim Child\"";
    assert_eq!(listed(&get(api, filter).await, "id").1, std::slice::from_ref(&child));
    patch(api, &format!("/Users/{anna}"), json!([{ "op": "replace", "path": "active", "value": false }])).await;
    let added = json!([{ "op": "add", "path": "members", "value": [{ "value": anna }, { "value": child }] }]);
    assert_eq!(patch(api, &format!("/Groups/{parent}"), added).await.status, StatusCode::NO_CONTENT);
    let renamed = json!({ "displayName": "Scim Parents", "externalId": "e-1", "members": [] });
    assert_eq!(put(api, &format!("/Groups/{parent}"), renamed).await.status, StatusCode::OK);
    for path in [format!("/Groups/{parent}"), format!("/Groups/{child}"), format!("/Users/{anna}")] {
        assert_eq!(delete(api, &path).await.status, StatusCode::NO_CONTENT);
    }
}
