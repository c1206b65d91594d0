use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn a_deleted_group_is_gone_from_everywhere_at_once() {
    let api = Api::start().await;
    let (id, other) = (api.group("Gone").await, api.group("Stays").await);
    api.members(&id, 0..3).await;
    api.members(&other, 0..1).await;
    let answer = api.delete(&format!("/{id}")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));

    api.get(&format!("/{id}")).await.not_found();
    api.get(&format!("/{id}/members")).await.not_found();
    api.get(&format!("/{id}/members/acc-00000")).await.not_found();
    api.put(&format!("/{id}"), json!({ "name": "Back" })).await.not_found();
    api.put(&format!("/{id}"), json!({})).await.not_found();
    api.put(&format!("/{id}/members/acc-00000"), Value::Null).await.not_found();
    api.delete(&format!("/{id}/members/acc-00000")).await.not_found();
    api.patch(&format!("/{id}/members"), json!({ "remove": ["acc-00000"] })).await.not_found();
    api.delete(&format!("/{id}")).await.not_found();

    let ids = |groups: Vec<Value>| groups.into_iter().map(|group| group["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(api.walk("", "groups").await), [json!(other)]);
    assert_eq!(ids(api.walk("?search=gone", "groups").await), [] as [Value; 0]);
    assert_eq!(ids(api.walk("?member=acc-00000", "groups").await), [json!(other)]);
    assert_eq!(ids(api.walk("?member=acc-00001", "groups").await), [] as [Value; 0]);
}

#[tokio::test]
async fn if_match_guards_a_deletion() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let delete_if =
        |if_match: &str| Answer::to(api.request(Method::DELETE, &format!("/{id}")).header("If-Match", if_match));
    delete_if("\"2\"").await.refused(412, "PRECONDITION_FAILED");
    delete_if("W/\"1\"").await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(delete_if("nonsense").await.faults()[0].0, "If-Match");
    assert_eq!(api.get(&format!("/{id}")).await.status, 200);
    assert_eq!(delete_if("\"1\"").await.status, 204);
    delete_if("\"1\"").await.not_found();
    delete_if("*").await.not_found();
}

#[tokio::test]
async fn of_many_deletions_one_succeeds() {
    let api = Api::start().await;
    let path = format!("/{}", api.group("A").await);
    let answers = futures::future::join_all((0..20).map(|_| api.delete(&path))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 19);
}

#[tokio::test]
async fn what_does_not_exist_or_cannot_is_not_found() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        api.delete(&format!("/{id}")).await.not_found();
    }
}
