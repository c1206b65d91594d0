//! Every status in the document occurs.

use std::collections::BTreeSet;

use groups_local::functions::ENDPOINTS;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::authz::Role;

use crate::harness::contract::operations;
use crate::harness::{Answer, Api, NO_GROUP, token};

/// A throttling gateway, an internal error, a busy table: `faults.rs` tests them.
const TESTED_ELSEWHERE: [&str; 3] = ["429", "500", "503"];

/// Creates a group with a member and a nested group, for requests of every operation.
async fn parent_and_child(api: &Api) -> (String, String) {
    let (id, child) = (api.group("Parent").await, api.group("Child").await);
    api.nest(&id, &child).await;
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    for path in [format!("/{id}/members/acc-1"), format!("/{id}/managers/acc-1"), format!("/{child}/members/acc-2")] {
        api.put(&path, Value::Null).await.ok();
    }
    (id, child)
}

/// A valid body for the operation, if it reads one: its example.
fn body(operation: &Value) -> Option<Value> {
    Some(operation["requestBody"]["content"]["application/json"]["example"].clone()).filter(|body| !body.is_null())
}

/// Sends the operation's request with every kind of error and without any; returns the statuses.
async fn statuses(api: &Api, method: &Method, path: &str, operation: &Value) -> BTreeSet<String> {
    let (id, child) = parent_and_child(api).await;
    let filled = |path: &str, id: &str| {
        path.replace("{id}", id)
            .replace("{childId}", &child)
            .replace("{accountId}", "acc-1")
            .replace("{managerId}", "acc-1")
    };
    let (path, unknown_group) = (filled(path, &id), filled(path, NO_GROUP));
    let with_body = |request: RequestBuilder| match body(operation) {
        Some(body) => request.json(&body),
        None => request,
    };
    let ask = |path: &str| api.request(method.clone(), path);
    let mallory = token("mallory", &["Auditor"]);
    let requests = [
        with_body(api.request_as(None, method.clone(), &path)),
        with_body(api.request_as(Some(&mallory), method.clone(), &path)),
        with_body(ask(&unknown_group)),
        with_body(ask(&format!("{path}?dry_run=true"))),
        // Before any request that can delete the group.
        with_body(ask(&path)).header("If-Match", "\"99-0\""),
        with_body(ask(&path)).header("If-None-Match", "*"),
        with_body(ask(&format!("{path}?member=acc-404"))),
        with_body(ask(&format!("{path}?unknown=1"))),
        ask(&path).header("If-Match", "nonsense").json(&json!({ "unknown": 1 })),
        ask(&path).json(&json!({ "external_id": "taken" })),
        ask(&path).header("Content-Type", "text/plain").body("text"),
        ask(&path).header("Content-Type", "application/json").body(" ".repeat(129 * 1_024)),
        with_body(ask(&path)).header("Idempotency-Key", "k"),
        ask(&path).header("Idempotency-Key", "k").json(&json!({ "name": "Another" })),
        ask(&path).json(&json!({ "starts_at": "2999-01-01T00:00:00Z" })),
        with_body(ask(&path.replace("acc-1", "acc-2"))),
        with_body(ask(&path.replace("acc-1", "acc-404"))),
        with_body(ask(&path.replace(&child, &id))),
    ];
    let mut statuses = BTreeSet::new();
    for request in requests {
        statuses.insert(Answer::to(request).await.status.as_str().to_owned());
    }
    statuses
}

#[tokio::test]
async fn every_documented_status_occurs() {
    let role = Role::parse("Reader").unwrap();
    let api = Api::start_configured(|config| config.policy.read_roles = vec![role]).await;
    api.post("", json!({ "name": "First", "external_id": "taken" })).await;
    let operations = operations();
    assert_eq!(operations.len(), ENDPOINTS.len() + 1, "one function has two routes");
    for ((method, path), operation) in operations {
        let function = operation["operationId"].as_str().unwrap();
        let found = statuses(&api, &method.parse().unwrap(), &path, operation).await;
        let documented = operation["responses"].as_object().unwrap().keys().map(String::as_str);
        // A hundred managers: `routes/add_manager.rs`.
        let is_tested_elsewhere =
            |status: &str| TESTED_ELSEWHERE.contains(&status) || (function, status) == ("add-manager", "409");
        let documented: BTreeSet<String> =
            documented.filter(|status| !is_tested_elsewhere(status)).map(str::to_owned).collect();
        assert_eq!(found, documented, "{function}");
    }
}
