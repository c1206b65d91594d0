//! Every answer that the document has is one that the API gives.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::authz::Role;

use crate::harness::contract::operations;
use crate::harness::{Answer, Api, NO_GROUP, token};

/// Those of a gateway that throttles, of a fault of ours and of a table that is busy: `faults.rs` has them.
const ELSEWHERE: [&str; 3] = ["429", "500", "503"];

/// A group with a member, and one nested in it with another: what every operation can be asked about.
async fn world(api: &Api) -> (String, String) {
    let (id, child) = (api.group("Above").await, api.group("Below").await);
    api.nest(&id, &child).await;
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    for path in [format!("/{id}/members/acc-1"), format!("/{child}/members/acc-2")] {
        api.put(&path, Value::Null).await.ok();
    }
    (id, child)
}

/// A body that the operation takes.
fn body(function: &str) -> Option<Value> {
    match function {
        "create-group" | "update-group" => Some(json!({ "name": "A" })),
        "change-members" => Some(json!({ "add": ["acc-3"] })),
        "add-member" | "nest-group" => Some(json!({})),
        _ => None,
    }
}

/// Asks in every way there is to be refused, and last in one that is not; gives the statuses.
async fn statuses(api: &Api, method: &Method, path: &str, function: &str) -> BTreeSet<String> {
    let (id, child) = world(api).await;
    let filled = |path: &str, id: &str| {
        let path = path.strip_prefix("/api/v1/groups").unwrap();
        path.replace("{id}", id).replace("{childId}", &child).replace("{accountId}", "acc-1")
    };
    let (path, nowhere) = (filled(path, &id), filled(path, NO_GROUP));
    let with_body = |request: RequestBuilder| match body(function) {
        Some(body) => request.json(&body),
        None => request,
    };
    let ask = |path: &str| api.request(method.clone(), path);
    let mallory = token("mallory", &["Auditor"]);
    let requests = [
        with_body(api.request_as(None, method.clone(), &path)),
        with_body(api.request_as(Some(&mallory), method.clone(), &path)),
        with_body(ask(&nowhere)),
        // Before any that deletes what it is about.
        with_body(ask(&path)).header("If-Match", "\"99\""),
        with_body(ask(&format!("{path}?member=acc-404"))),
        with_body(ask(&format!("{path}?unknown=1"))),
        ask(&path).header("If-Match", "nonsense").json(&json!({ "unknown": 1 })),
        ask(&path).header("Content-Type", "text/plain").body("text"),
        ask(&path).header("Content-Type", "application/json").body(" ".repeat(65 * 1_024)),
        with_body(ask(&path)).header("Idempotency-Key", "k"),
        ask(&path).header("Idempotency-Key", "k").json(&json!({ "name": "Another" })),
        with_body(ask(&path.replace("acc-1", "acc-2"))),
        with_body(ask(&path.replace(&child, &id))),
    ];
    let mut given = BTreeSet::new();
    for request in requests {
        given.insert(Answer::to(request).await.status.as_str().to_owned());
    }
    given
}

#[tokio::test]
async fn every_answer_of_the_document_is_given() {
    let role = Role::parse("Reader").unwrap();
    let api = Api::start_configured(|config| config.policy.read_roles = vec![role]).await;
    for ((method, path), operation) in operations() {
        let function = operation["operationId"].as_str().unwrap();
        let given = statuses(&api, &method.parse().unwrap(), &path, function).await;
        let documented = operation["responses"].as_object().unwrap().keys().map(String::as_str);
        let documented: BTreeSet<String> =
            documented.filter(|status| !ELSEWHERE.contains(status)).map(str::to_owned).collect();
        assert_eq!(given, documented, "{function}");
    }
}
