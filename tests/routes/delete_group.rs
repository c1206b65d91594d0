use reqwest::Method;
use serde_json::{Value, json};

use super::groups;
use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP};

#[tokio::test]
async fn deleted_group_disappears_from_every_route_at_once() {
    let api = Api::start().await;
    let [deleted, kept] = groups(&api, ["Gone", "Stays"]).await;
    api.members(&deleted, 0..3).await;
    api.members(&kept, 0..1).await;

    let answer = api.delete(&format!("/{deleted}")).await;

    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    api.get(&format!("/{deleted}")).await.not_found();
    api.get(&format!("/{deleted}/members")).await.not_found();
    api.get(&format!("/{deleted}/members/acc-00000")).await.not_found();
    api.put(&format!("/{deleted}"), json!({ "name": "Back" })).await.not_found();
    api.put(&format!("/{deleted}"), json!({})).await.not_found();
    api.put(&format!("/{deleted}/members/acc-00000"), Value::Null).await.not_found();
    api.delete(&format!("/{deleted}/members/acc-00000")).await.not_found();
    api.patch(&format!("/{deleted}/members"), json!({ "remove": ["acc-00000"] })).await.not_found();
    api.delete(&format!("/{deleted}")).await.not_found();

    let ids = |groups: Vec<Value>| groups.into_iter().map(|group| group["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(api.all_items("", "groups").await), [json!(kept)]);
    assert_eq!(ids(api.all_items("?search=gone", "groups").await), [] as [Value; 0]);
    assert_eq!(ids(api.all_items("?member=acc-00000", "groups").await), [json!(kept)]);
    assert_eq!(ids(api.all_items("?member=acc-00001", "groups").await), [] as [Value; 0]);
}

/// Without a consumer of the stream: the call itself removes the edges, and the members its ancestors inherited.
#[tokio::test]
async fn deletion_shows_at_once_in_the_groups_above_and_below() {
    let api = Api::start().await;
    let [parent, deleted, child] = groups(&api, ["Parent", "Deleted", "Child"]).await;
    api.nest(&parent, &deleted).await;
    api.nest(&deleted, &child).await;
    api.members(&child, 0..2).await;
    api.members(&deleted, 2..3).await;

    let answer = api.delete(&format!("/{deleted}")).await;

    assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (204, Some("true")));
    let above = api.get(&format!("/{parent}")).await.ok();
    assert_eq!((&above["nested_group_count"], &above["member_count"]), (&json!(0), &json!(0)));
    assert_eq!(api.get(&format!("/{child}")).await.ok()["member_count"], json!(2));
    // The limit of nested groups counts those that are there.
    for number in 0..100 {
        api.nest(&parent, &api.group(&format!("Other {number:03}")).await).await;
    }
}

#[tokio::test]
async fn if_match_guards_a_deletion() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let delete_if = |if_match: &str| {
        Answer::to(api.request(Method::DELETE, &format!("/{engineering}")).header("If-Match", if_match))
    };

    delete_if("\"2-0\"").await.refused(412, "PRECONDITION_FAILED");
    delete_if("W/\"1-0\"").await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(delete_if("nonsense").await.field_errors()[0].0, "If-Match");
    assert_eq!(api.get(&format!("/{engineering}")).await.status, 200);
    assert_eq!(delete_if("\"1-0\"").await.status, 204);
    delete_if("\"1-0\"").await.not_found();
    delete_if("*").await.not_found();
}

#[tokio::test]
async fn one_of_many_concurrent_deletions_succeeds() {
    let api = Api::start().await;
    let path = format!("/{}", api.group("Engineering").await);

    let answers = futures::future::join_all((0..20).map(|_| api.delete(&path))).await;

    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 19);
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        api.delete(&format!("/{id}")).await.not_found();
    }
}
