use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP, account, ingest, percent_encoded, version};

#[tokio::test]
async fn an_account_becomes_a_member() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-123"]).await;
    let answer = api.put(&format!("/{id}/members/acc-123"), Value::Null).await;
    assert_eq!(answer.header("membership-settled"), Some("true"));
    let added_date = answer.body["added_date"].clone();
    assert_eq!(added_date.as_str().unwrap().len(), 20);
    let expected = json!({
        "id": "acc-123", "name": "name.of.acc-123", "email": "acc-123@company.com", "membership_type": "direct",
        "added_date": added_date, "status": "active",
    });
    assert_eq!(answer.ok(), expected);
    let group = api.get(&format!("/{id}")).await;
    assert_eq!(group.header("etag"), Some("\"1\""), "members leave the version alone");
    let group = group.ok();
    assert_eq!((&group["member_count"], &group["direct_member_count"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn adding_again_changes_nothing() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let path = format!("/{id}/members/acc-1");
    let first = api.put(&path, Value::Null).await.ok();
    assert_eq!(api.put(&path, Value::Null).await.ok(), first);
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(1));
}

#[tokio::test]
async fn an_account_nobody_told_of_is_named() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let answer = api.put(&format!("/{id}/members/acc-9"), Value::Null).await;
    assert_eq!(answer.not_found(), "the account acc-9 does not exist");
    let answer = api.put(&format!("/{id}/members/a%20b"), Value::Null).await;
    assert_eq!(answer.not_found(), "the account a b does not exist");
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn an_account_that_is_gone_cannot_be_added() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let gone = account("acc-1");
    assert!(api.store.delete_account(&ingest(), &gone.id, version(2)).await.unwrap());
    let answer = api.put(&format!("/{id}/members/acc-1"), Value::Null).await;
    assert_eq!(answer.not_found(), "the account acc-1 does not exist");
}

#[tokio::test]
async fn the_longest_and_the_oddest_ids_fit() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let longest = "a".repeat(128);
    for odd in [longest.as_str(), "auth0|123", "CORP\\user", "a@b.c", "~!$&'()*+,;=:", "{}[]\"<>^`"] {
        api.accounts(&[odd]).await;
        let encoded = percent_encoded(odd);
        assert_eq!(api.put(&format!("/{id}/members/{encoded}"), Value::Null).await.ok()["id"], json!(odd));
        assert_eq!(api.get(&format!("/{id}/members/{encoded}")).await.ok()["id"], json!(odd));
    }
}

#[tokio::test]
async fn there_is_nothing_to_say_in_the_body() {
    let api = Api::start().await;
    let id = api.group("A").await;
    api.accounts(&["acc-1"]).await;
    let path = format!("/{id}/members/acc-1");
    let faults = api.put(&path, json!({ "added_date": "2024-01-10T00:00:00Z" })).await.faults();
    assert_eq!(faults, [("added_date".to_owned(), "is not known here".to_owned())]);
    let send = |body: String, content_type: &str| {
        Answer::to(api.request(Method::PUT, &path).header("content-type", content_type).body(body))
    };
    send("{}".into(), "text/plain").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    send(" ".repeat(65_537), "application/json").await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(api.get(&format!("/{id}")).await.ok()["member_count"], json!(0));
    assert_eq!(send("{}".into(), "application/json").await.status, 200);
}

#[tokio::test]
async fn no_group_takes_no_members() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.put(&format!("/{id}/members/acc-1"), Value::Null).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}
