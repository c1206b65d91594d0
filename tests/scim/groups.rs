//! `/Groups`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{created, delete, get, group, listed, members, patch, post, put, refused, request, send, user};
use crate::harness::faults::{Fault, Faults};
use crate::harness::{Answer, Api, token};

#[tokio::test]
async fn members_are_the_direct_ones_of_both_types() {
    let api = Api::start().await;
    let (anna, bert) = (user(&api, "anna").await, user(&api, "bert").await);
    let child =
        created(&post(&api, "/Groups", json!({ "displayName": "Child", "members": [{ "value": bert }] })).await);
    let body = json!({ "displayName": "Parent", "members": [{ "value": anna }, { "value": child, "type": "Group" }] });
    let parent = created(&post(&api, "/Groups", body).await);
    let answer = get(&api, &format!("/Groups/{parent}")).await;
    let types: Vec<&Value> = answer.body["members"].as_array().unwrap().iter().map(|member| &member["type"]).collect();
    assert_eq!(types, ["User", "Group"]);
    assert_eq!(api.member_types(&parent).await.len(), 2, "bert is one indirectly");
    // Removing an indirect member succeeds and changes nothing.
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{bert}\"]") }]);
    assert_eq!(patch(&api, &format!("/Groups/{parent}"), remove).await.status, StatusCode::NO_CONTENT);
    assert_eq!(api.member_types(&parent).await.len(), 2);
    // Replacing all removes the nested group, and with it bert.
    let body = json!({ "displayName": "Parent", "members": [{ "value": anna }] });
    assert_eq!(put(&api, &format!("/Groups/{parent}"), body).await.status, StatusCode::OK);
    assert_eq!(api.member_types(&parent).await, [(anna, "direct".to_owned())]);
}

#[tokio::test]
async fn name_is_unique_unless_the_server_allows_more() {
    let api = Api::start().await;
    let first = group(&api, "Straße").await;
    let detail =
        refused(&post(&api, "/Groups", json!({ "displayName": "STRASSE" })).await, 409, Some("uniqueness")).to_owned();
    assert_eq!(detail, format!("the group {first} has this name already"));
    let other = group(&api, "Other").await;
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "strasse" }]);
    refused(&patch(&api, &format!("/Groups/{other}"), rename.clone()).await, 409, Some("uniqueness"));
    // A part of the name, the group's own name, and a name that became free.
    group(&api, "Straße Ost").await;
    let own = json!([{ "op": "replace", "path": "displayName", "value": "STRASSE" }]);
    assert_eq!(patch(&api, &format!("/Groups/{first}"), own).await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete(&api, &format!("/Groups/{first}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(patch(&api, &format!("/Groups/{other}"), rename).await.status, StatusCode::NO_CONTENT);

    let lax = Api::start_configured(|config| config.unique_group_names = false).await;
    group(&lax, "Team").await;
    group(&lax, "Team").await;
}

#[tokio::test]
async fn of_many_creations_of_one_name_one_succeeds() {
    let api = Api::start().await;
    for round in 0..5 {
        let create = || post(&api, "/Groups", json!({ "displayName": format!("Team {round}") }));
        let answers = futures::future::join_all((0..8).map(|_| create())).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(created, 1, "{:?}", answers.iter().map(|answer| &answer.text).collect::<Vec<_>>());
        let found = get(&api, &format!("/Groups?filter=displayName eq \"Team {round}\"")).await;
        assert_eq!(listed(&found, "id").0, 1);
    }
}

#[tokio::test]
async fn external_id_is_unique() {
    let api = Api::start().await;
    let first = created(&post(&api, "/Groups", json!({ "displayName": "A", "externalId": "e-1" })).await);
    let answer = post(&api, "/Groups", json!({ "displayName": "B", "externalId": "e-1" })).await;
    assert!(refused(&answer, 409, Some("uniqueness")).contains(&first));
    assert_eq!(listed(&get(&api, "/Groups?filter=externalId eq \"e-1\"").await, "id").1, [first]);
    assert_eq!(listed(&get(&api, "/Groups?filter=displayName eq \"B\"").await, "id").0, 0, "nothing is half done");
}

#[tokio::test]
async fn attributes_that_a_replacement_leaves_out_stay() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let body = json!({ "displayName": "A", "externalId": "e-1", "members": [{ "value": anna }] });
    let id = created(&post(&api, "/Groups", body).await);
    let answer = put(&api, &format!("/Groups/{id}"), json!({ "displayName": "B" })).await;
    assert_eq!((&answer.body["displayName"], &answer.body["externalId"]), (&json!("B"), &json!("e-1")));
    assert_eq!(members(&api, &id).await, [anna]);
    let answer =
        put(&api, &format!("/Groups/{id}"), json!({ "displayName": "B", "externalId": null, "members": [] })).await;
    assert!(answer.body.get("externalId").is_none());
    assert_eq!(answer.body["members"], json!([]));
}

#[tokio::test]
async fn entity_tags_guard_changes() {
    let api = Api::start().await;
    let (anna, team) = (user(&api, "anna").await, group(&api, "Team").await);
    let path = format!("/Groups/{team}");
    let tag = get(&api, &path).await.header("etag").unwrap().to_owned();
    let add = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": anna }] }] });
    let with = async |method: Method, header: &str, value: &str, body: &Value| {
        let request = request(&api, method, &path).header(header, value);
        Answer::to(if body.is_null() { request } else { request.body(body.to_string()) }).await
    };
    for same in [&tag, &format!("W/{tag}"), &format!("\"1-7\", {tag}")] {
        assert_eq!(with(Method::GET, "if-none-match", same, &Value::Null).await.status, StatusCode::NOT_MODIFIED);
    }
    refused(&with(Method::GET, "if-match", "\"9-9\"", &Value::Null).await, 412, None);
    refused(&with(Method::GET, "if-none-match", "9-9", &Value::Null).await, 400, Some("invalidValue"));
    refused(&with(Method::PATCH, "if-match", "\"9-9\"", &add).await, 412, None);
    assert_eq!(with(Method::PATCH, "if-match", &tag, &add).await.status, StatusCode::NO_CONTENT);
    refused(&with(Method::PUT, "if-match", &tag, &json!({ "displayName": "Team" })).await, 412, None);
    refused(&with(Method::DELETE, "if-match", &tag, &Value::Null).await, 412, None);
    let more =
        json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": user(&api, "bert").await }] }] });
    refused(&with(Method::PATCH, "if-none-match", "*", &more).await, 412, None);
    assert_eq!(members(&api, &team).await, [anna]);
    let tag = get(&api, &path).await.header("etag").unwrap().to_owned();
    let rename = json!({ "displayName": "Renamed", "members": [] });
    let renamed = with(Method::PUT, "if-match", &tag, &rename).await;
    assert_eq!(renamed.status, StatusCode::OK);
    assert_eq!(renamed.body["meta"]["version"].as_str(), renamed.header("etag"));
    // Lists do not read the revision: rather no version than one that `If-Match` refuses.
    for query in ["/Groups", "/Groups?cursor=", "/Groups?filter=displayName%20eq%20Renamed"] {
        let list = get(&api, query).await.body;
        assert_eq!(list["Resources"][0]["meta"].get("version"), None, "{query}");
    }
}

/// Another member joins after the request has read everything, and before its first transaction, which gives the name.
#[tokio::test]
async fn conditional_put_removes_nobody_who_joined_meanwhile() {
    let faults = Faults::default();
    let api = &Api::start_faulty(&faults).await;
    let (anna, bert, team) = (user(api, "anna").await, user(api, "bert").await, group(api, "Team").await);
    let path = &format!("/Groups/{team}");
    let tag = get(api, path).await.header("etag").unwrap().to_owned();
    faults.next("TransactWriteItems", Fault::Holds);

    let body = json!({ "displayName": "Renamed", "members": [{ "value": anna }] }).to_string();
    let conditional = Answer::to(request(api, Method::PUT, path).header("if-match", tag).body(body));
    let other = async {
        faults.wait_for_held().await;
        let joins = json!([{ "op": "add", "path": "members", "value": [{ "value": bert }] }]);
        assert_eq!(patch(api, path, joins).await.status, StatusCode::NO_CONTENT);
        faults.release();
    };
    let (answer, ()) = futures::future::join(conditional, other).await;

    refused(&answer, 412, None);
    assert_eq!(members(api, &team).await, [bert]);
}

/// The guard of privileged groups holds for an identity provider, too.
#[tokio::test]
async fn privileged_group_needs_the_role() {
    let api = Api::start_configured(|config| {
        config.policy.privileged_role = shared::authz::Role::parse("Guardian").unwrap();
    })
    .await;
    let anna = user(&api, "anna").await;
    let guardian = token("grace", &["Administrator", "Guardian"]);
    let body = json!({ "name": "Admins", "is_privileged": true });
    let id = Answer::to(api.request_as(Some(&guardian), Method::POST, "").json(&body)).await.body["id"].clone();
    let path = format!("/Groups/{}", id.as_str().unwrap());
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": anna }] }]);
    let answer = patch(&api, &path, add.clone()).await;
    assert!(refused(&answer, 403, None).contains("the role Guardian"));
    let body = json!({ "Operations": add });
    let request = api.request_as(Some(&guardian), Method::PATCH, &format!("/api/v1/scim/v2{path}"));
    assert_eq!(Answer::to(request.json(&body)).await.status, StatusCode::NO_CONTENT);
}

/// A member that does not exist: the request changes nothing at all.
#[tokio::test]
async fn unknown_member_changes_nothing() {
    let api = Api::start().await;
    let (anna, team) = (user(&api, "anna").await, group(&api, "Team").await);
    let unknown = "grp-018d0cab-c440-7000-8000-000000000999";
    let value = json!([{ "value": anna }, { "value": "acc-9" }, { "value": unknown }]);
    let detail = format!("members must be users or groups that exist; these do not: {unknown}, acc-9");
    let operations = json!([{ "op": "replace", "path": "displayName", "value": "B" }, { "op": "add", "path": "members", "value": value }]);
    assert_eq!(refused(&patch(&api, &format!("/Groups/{team}"), operations).await, 400, Some("invalidValue")), detail);
    let body = json!({ "displayName": "New", "members": value });
    assert_eq!(refused(&post(&api, "/Groups", body).await, 400, Some("invalidValue")), detail);
    let answer = get(&api, &format!("/Groups/{team}")).await;
    assert_eq!((&answer.body["displayName"], &answer.body["members"]), (&json!("Team"), &json!([])));
    assert_eq!(listed(&get(&api, "/Groups").await, "displayName"), (1, vec!["Team".to_owned()]));
}

#[tokio::test]
async fn cycle_is_refused_before_accounts_are_added() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let child = group(&api, "Child").await;
    let parent = created(&post(&api, "/Groups", json!({ "displayName": "P", "members": [{ "value": child }] })).await);
    let value = json!([{ "value": anna }, { "value": parent }]);
    let add = json!([{ "op": "add", "path": "members", "value": value }]);
    let answer = patch(&api, &format!("/Groups/{child}"), add).await;
    assert!(refused(&answer, 409, None).contains("cycle"));
    assert_eq!(members(&api, &child).await, [""; 0]);
    // Nor is the name changed.
    let body = json!({ "displayName": "Renamed", "members": [{ "value": child }] });
    refused(&put(&api, &format!("/Groups/{child}"), body).await, 409, None);
    assert_eq!(get(&api, &format!("/Groups/{child}")).await.body["displayName"], json!("Child"));
}

/// Two clients push members of the same group at the same time: neither loses one.
#[tokio::test]
async fn two_clients_push_at_the_same_time() {
    let api = Api::start().await;
    let team = group(&api, "Team").await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(user(&api, &format!("user{number:02}")).await);
    }
    let add = |some: &[String]| {
        let value: Vec<Value> = some.iter().map(|id| json!({ "value": id })).collect();
        json!([{ "op": "add", "path": "members", "value": value }])
    };
    let path = &format!("/Groups/{team}");
    let pushes = ids.chunks(10).map(|some| patch(&api, path, add(some)));
    for answer in futures::future::join_all(pushes).await {
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }
    ids.sort();
    assert_eq!(members(&api, &team).await, ids);
}

#[tokio::test]
async fn deleted_group_is_gone() {
    let api = Api::start().await;
    let team = group(&api, "Team").await;
    let path = format!("/Groups/{team}");
    assert_eq!(delete(&api, &path).await.status, StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::DELETE] {
        let detail = refused(&send(&api, method, &path, &json!({})).await, 404, None).to_owned();
        assert_eq!(detail, format!("the group {team} does not exist"));
    }
    refused(&put(&api, &path, json!({ "displayName": "Team" })).await, 404, None);
}
