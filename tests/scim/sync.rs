//! A whole directory is pushed twice, and a large group is filled.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{created, get, group, listed, members, patch, post, put, user};
use crate::harness::{Answer, Api, variable};

/// Pushes one resource as identity providers do in a full cycle: looks for it, then creates or replaces it.
async fn push(api: &Api, kind: &str, key: &str, body: &Value) -> Answer {
    let filter = format!("/{kind}?attributes=id&filter={key} eq \"{}\"", body[key].as_str().unwrap());
    let (total, found) = listed(&get(api, &filter).await, "id");
    match total {
        0 => {
            let answer = post(api, &format!("/{kind}"), body.clone()).await;
            created(&answer);
            answer
        }
        _ => {
            let answer = put(api, &format!("/{kind}/{}", found[0]), body.clone()).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            answer
        }
    }
}

/// The users and groups of a company, each group with ten members.
async fn push_all(api: &Api, users: usize, groups: usize) {
    let mut ids = Vec::new();
    for number in 0..users {
        let name = format!("user{number:04}@example.com");
        let emails = json!([{ "value": name, "type": "work", "primary": true }]);
        let body = json!({ "userName": name, "externalId": format!("e-{number}"), "active": number % 10 != 0, "emails": emails });
        ids.push(push(api, "Users", "userName", &body).await.body["id"].clone());
    }
    for number in 0..groups {
        let members: Vec<Value> =
            (0..10).map(|member| json!({ "value": ids[(number * 7 + member) % users] })).collect();
        let body = json!({ "displayName": format!("Group {number:03}"), "members": members });
        push(api, "Groups", "displayName", &body).await;
    }
}

/// `GROUPS_TEST_SYNC=10` pushes ten times as many: 5,000 users and 500 groups.
#[tokio::test]
async fn second_sync_of_a_directory_writes_nothing() {
    let factor = usize::try_from(variable("GROUPS_TEST_SYNC").unwrap_or(1)).unwrap();
    let (users, groups) = (500 * factor, 50 * factor);
    let api = Api::start().await;
    push_all(&api, users, groups).await;
    let rows = api.store.scan().await.unwrap();
    api.recorder.take();
    push_all(&api, users, groups).await;
    let requests = api.recorder.take();
    let writes =
        requests.iter().filter(|request| !["GetItem", "BatchGetItem", "Query"].contains(&request.operation.as_str()));
    assert_eq!(writes.count(), 0);
    assert_eq!(api.store.scan().await.unwrap().len(), rows.len());
    assert_eq!(listed(&get(&api, "/Users?count=1").await, "id").0, users as u64);
    assert_eq!(listed(&get(&api, "/Groups?count=1&excludedAttributes=members").await, "id").0, groups as u64);
    // For each user a search and a read; for each group a search and reads of the group, its members and its nested groups.
    let per_user = requests.len() / (users + groups);
    assert!(per_user <= 5, "{} requests", requests.len());
}

/// 2,900 members arrive in one request, a hundred are replaced in one, and all leave in one.
#[tokio::test]
async fn large_group_is_replaced_as_a_difference() {
    let api = Api::start().await;
    let team = group(&api, "All").await;
    let ids: Vec<String> = (0..3_000).map(|number| format!("acc-{number:05}")).collect();
    for some in ids.chunks(500) {
        api.accounts(&some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let body = |ids: &[String]| {
        let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        json!({ "displayName": "All", "members": members })
    };
    let path = format!("/Groups/{team}?excludedAttributes=members");
    for (ids, most_writes) in [(&ids[..2_900], 150), (&ids[100..], 12), (&ids[100..], 0), (&[], 150)] {
        api.recorder.take();
        let answer = put(&api, &path, body(ids)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let requests = api.recorder.take();
        let writes = requests.iter().filter(|request| request.operation == "TransactWriteItems").count();
        println!("{} members: {} requests, {writes} transactions", ids.len(), requests.len());
        assert!(writes <= most_writes, "{writes} transactions");
        assert_eq!(members(&api, &team).await, ids);
    }
    let anna = user(&api, "anna").await;
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": anna }] }]);
    assert_eq!(patch(&api, &path, add).await.status, StatusCode::NO_CONTENT);
}
