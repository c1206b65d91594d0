//! Managers of groups change direct members of their group, and nothing else.

use reqwest::Method;
use serde_json::{Value, json};
use shared::authz::Role;
use shared::domain::AccountId;

use crate::harness::recorder::operations;
use crate::harness::{Answer, Api, account, event_source, token, version};

async fn send(api: &Api, sub: &str, method: Method, path: &str, body: Value) -> Answer {
    let token = token(sub, &["Reader"]);
    Answer::to(api.request_as(Some(&token), method, path).json(&body)).await
}

/// A group with the member `acc-2`, and another one; `acc-1` manages the first.
async fn managed(api: &Api) -> (String, String) {
    let (group, other) = (api.group("Team").await, api.group("Other").await);
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    api.put(&format!("/{group}/members/acc-2"), Value::Null).await.ok();
    api.put(&format!("/{group}/managers/acc-1"), Value::Null).await.ok();
    (group, other)
}

/// A group with the member `acc-2` that manages another.
async fn managing_group(api: &Api, managed: &str) -> String {
    let leads = api.group("Leads").await;
    api.put(&format!("/{leads}/members/acc-2"), Value::Null).await.ok();
    api.put(&format!("/{managed}/managers/{leads}"), Value::Null).await.ok();
    leads
}

#[tokio::test]
async fn manager_changes_direct_members_and_nothing_else() {
    let api = Api::start().await;
    let (group, other) = managed(&api).await;
    let members = format!("/{group}/members");
    assert_eq!(send(&api, "acc-1", Method::PUT, &format!("{members}/acc-3"), json!({})).await.status, 200);
    let preview = format!("{members}/acc-3?dry_run=true");
    assert_eq!(send(&api, "acc-1", Method::DELETE, &preview, json!({})).await.body["removals"], json!(1));
    assert_eq!(send(&api, "acc-1", Method::DELETE, &format!("{members}/acc-2"), json!({})).await.status, 204);
    let body = json!({ "add": ["acc-1"], "remove": ["acc-3"] });
    let outcomes = send(&api, "acc-1", Method::PATCH, &members, body).await.ok();
    assert_eq!(
        (&outcomes["outcomes"][0]["outcome"], &outcomes["outcomes"][1]["outcome"]),
        (&json!("added"), &json!("removed"))
    );
    let path = send(&api, "acc-1", Method::GET, &format!("{members}/acc-1/paths"), json!({})).await.ok();
    assert_eq!(path["paths"][0]["steps"][0]["added_by"], json!("acc-1"));

    let needed = "this needs the role Administrator in the token's claim cognito:groups";
    for (method, path, may_manage) in [
        (Method::POST, String::new(), false),
        (Method::PUT, format!("/{group}"), false),
        (Method::PATCH, format!("/{group}"), false),
        (Method::DELETE, format!("/{group}"), false),
        (Method::PUT, format!("/{group}/groups/{other}"), false),
        (Method::DELETE, format!("/{group}/groups/{other}"), false),
        (Method::PUT, format!("/{group}/managers/acc-2"), false),
        (Method::DELETE, format!("/{group}/managers/acc-1"), false),
        (Method::PUT, format!("/{other}/members/acc-3"), true),
        (Method::DELETE, format!("/{other}/members/acc-3"), true),
        (Method::PATCH, format!("/{other}/members"), true),
        (Method::PUT, format!("/{}/members/acc-3", crate::harness::NO_GROUP), true),
        (Method::PUT, "/grp-1/members/acc-3".to_owned(), true),
    ] {
        let answer = send(&api, "acc-1", method, &path, json!({ "name": "x" })).await;
        let or_manager = if may_manage { ", or a manager of the group" } else { "" };
        assert_eq!(answer.refused(403, "FORBIDDEN"), format!("{needed}{or_manager}"), "{path}");
    }
}

#[tokio::test]
async fn member_of_a_managing_group_manages_at_any_depth() {
    let api = Api::start().await;
    let (group, _) = managed(&api).await;
    let chain = api.chain(&["Leads", "Deputies"]).await;
    api.put(&format!("/{group}/managers/{}", chain[0]), Value::Null).await.ok();
    let path = format!("/{group}/members/acc-3");
    send(&api, "acc-2", Method::PUT, &path, json!({})).await.refused(403, "FORBIDDEN");
    api.put(&format!("/{}/members/acc-2", chain[1]), Value::Null).await.ok();
    assert_eq!(send(&api, "acc-2", Method::PUT, &path, json!({})).await.status, 200);
    assert_eq!(api.delete(&format!("/{}/members/acc-2", chain[1])).await.status, 204);
    send(&api, "acc-2", Method::PUT, &path, json!({})).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn deleted_account_or_group_stops_managing_at_once() {
    let api = Api::start().await;
    let (group, _) = managed(&api).await;
    let leads = managing_group(&api, &group).await;
    let path = format!("/{group}/members/acc-3");
    assert_eq!(send(&api, "acc-2", Method::PUT, &path, json!({})).await.status, 200);
    assert_eq!(api.delete(&format!("/{leads}")).await.status, 204);
    send(&api, "acc-2", Method::PUT, &path, json!({})).await.refused(403, "FORBIDDEN");

    let id = AccountId::parse("acc-1").unwrap();
    let deleted = version(i64::MAX / 2);
    api.store.delete_account(&event_source(), &id, deleted).await.unwrap();
    send(&api, "acc-1", Method::PUT, &path, json!({})).await.refused(403, "FORBIDDEN");
    let returned = shared::domain::Account { version: version(i64::MAX / 2 + 1), ..account("acc-1") };
    api.store.put_account(&event_source(), &returned).await.unwrap();
    send(&api, "acc-1", Method::PUT, &path, json!({})).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn manager_does_not_change_a_privileged_group_or_one_nested_in_it() {
    let api = Api::start().await;
    let (group, other) = managed(&api).await;
    api.nest(&other, &group).await;
    api.patch(&format!("/{other}"), json!({ "is_privileged": true })).await.ok();
    let answer = send(&api, "acc-1", Method::PUT, &format!("/{group}/members/acc-3"), json!({})).await;
    assert!(
        answer.refused(403, "FORBIDDEN").ends_with(&format!("the group is nested in the privileged group {other}"))
    );
    assert_eq!(api.membership(&group, "acc-3").await, None);
}

#[tokio::test]
async fn account_of_the_caller_is_in_the_claim_of_the_configuration() {
    let role = Role::parse("Reader").unwrap();
    let api = Api::start_configured(|config| {
        config.account_claim = "account_id".into();
        config.policy.read_roles = vec![role];
    })
    .await;
    let (group, _) = managed(&api).await;
    // The claim is missing: `sub` is not looked at.
    send(&api, "acc-1", Method::PUT, &format!("/{group}/members/acc-3"), json!({})).await.refused(403, "FORBIDDEN");
}

/// Only a caller without the role costs a request more, or two where groups manage.
#[tokio::test]
async fn manager_costs_one_request_more() {
    let api = Api::start().await;
    let (group, _) = managed(&api).await;
    managing_group(&api, &group).await;
    let path = format!("/{group}/members/acc-3");
    for (sub, reads) in [("acc-1", 2), ("acc-2", 3)] {
        api.recorder.take();
        assert_eq!(send(&api, sub, Method::PUT, &path, json!({})).await.status, 200);
        let operations: Vec<String> = operations(&api.recorder.take()).into_iter().map(str::to_owned).collect();
        assert_eq!(operations.iter().filter(|it| *it == "BatchGetItem").count(), reads, "{operations:?}");
        assert_eq!(api.delete(&path).await.status, 204);
    }
    api.recorder.take();
    api.put(&path, Value::Null).await.ok();
    assert_eq!(operations(&api.recorder.take()), ["BatchGetItem", "TransactWriteItems"]);
}
