use reqwest::Method;
use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::recorder::operations;
use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP};

const PATH: &str = "/api/v1/accounts/acc-1/check";

async fn check(api: &Api, ids: &[&str]) -> Vec<Value> {
    let body = api.post(PATH, json!({ "group_ids": ids })).await.ok();
    body["checks"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_id_has_its_result_in_the_order_sent() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [parent, child] = chain(&api, ["Parent", "Child"]).await;
    let [other] = groups(&api, ["Other"]).await;
    api.put(&format!("/{child}/members/acc-1"), Value::Null).await.ok();

    let capitals = child.to_uppercase();
    let found = check(&api, &[&other, &parent, &child, NO_GROUP, "nonsense", &child, &capitals]).await;

    let member = |id: &str, kind| json!({ "group_id": id, "is_member": true, "membership_type": kind });
    let none = |id: &str| json!({ "group_id": id, "is_member": false });
    let (direct, again) = (member(&child, "direct"), member(&child, "direct"));
    let expected = [
        none(&other),
        member(&parent, "indirect"),
        direct,
        none(NO_GROUP),
        none("nonsense"),
        again,
        member(&capitals, "direct"),
    ];
    assert_eq!(found, expected);
    assert_eq!(check(&api, &[]).await, [json!(null); 0]);
}

#[tokio::test]
async fn deleted_group_has_no_members() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [team] = groups(&api, ["Team"]).await;
    api.put(&format!("/{team}/members/acc-1"), Value::Null).await.ok();
    let deleted = api.delete(&format!("/{team}")).await;
    assert_eq!((deleted.status.as_u16(), deleted.header("membership-settled")), (204, Some("true")));
    assert_eq!(check(&api, &[&team]).await[0]["is_member"], false);
}

#[tokio::test]
async fn readers_may_check_and_nothing_changes() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let reader = crate::harness::token("bob", &[]);
    api.recorder.take();
    let body = json!({ "group_ids": [NO_GROUP] });
    Answer::to(api.request_as(Some(&reader), Method::POST, PATH).json(&body)).await.ok();
    let requests = api.recorder.take();
    let sent = operations(&requests);
    assert!(sent.len() == 2 && sent.iter().all(|it| ["BatchGetItem", "GetItem"].contains(it)), "{sent:?}");
}

#[tokio::test]
async fn invalid_bodies_and_unknown_accounts_are_refused() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let many = vec![NO_GROUP; 501];
    for (body, field) in [
        (json!({}), "group_ids"),
        (json!({ "group_ids": many }), "group_ids"),
        (json!({ "group_ids": "grp" }), "group_ids"),
        (json!({ "group_ids": [1] }), "group_ids"),
        (json!({ "group_ids": [], "groups": [] }), "groups"),
        (json!([]), "body"),
    ] {
        assert_eq!(api.post(PATH, body).await.field_errors()[0].0, field);
    }
    assert_eq!(check(&api, &many[..500]).await.len(), 500);
    let body = json!({ "group_ids": IMPOSSIBLE_GROUPS });
    let message = "the account acc-9 does not exist";
    assert_eq!(api.post("/api/v1/accounts/acc-9/check", body).await.not_found(), message);
    let text = api.request(Method::POST, PATH).header("Content-Type", "text/plain").body("{}");
    Answer::to(text).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let large = api.request(Method::POST, PATH).header("Content-Type", "application/json").body(" ".repeat(131_073));
    Answer::to(large).await.refused(413, "PAYLOAD_TOO_LARGE");
}
