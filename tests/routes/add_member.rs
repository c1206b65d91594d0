use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, IMPOSSIBLE_GROUPS, NO_GROUP, account, event_source, percent_encoded, version};

#[tokio::test]
async fn account_becomes_direct_member() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-123"]).await;

    let answer = api.put(&format!("/{engineering}/members/acc-123"), Value::Null).await;

    assert_eq!(answer.header("membership-settled"), Some("true"));
    let added_date = answer.body["added_date"].clone();
    assert_eq!(added_date.as_str().unwrap().len(), 20);
    let expected = json!({
        "id": "acc-123", "name": "name.of.acc-123", "email": "acc-123@company.com", "membership_type": "direct",
        "added_date": added_date, "status": "active",
    });
    assert_eq!(answer.ok(), expected);
    let group = api.get(&format!("/{engineering}")).await;
    assert_eq!(group.header("etag"), Some("\"1-1\""), "members do not change the group's version");
    let group = group.ok();
    assert_eq!((&group["member_count"], &group["direct_member_count"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn adding_a_member_again_changes_nothing() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;
    let member = format!("/{engineering}/members/acc-1");

    let first = api.put(&member, Value::Null).await.ok();

    assert_eq!(api.put(&member, Value::Null).await.ok(), first);
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(1));
}

#[tokio::test]
async fn email_address_in_place_of_an_account_id_is_pointed_out() {
    let api = Api::start().await;
    let id = api.group("Engineering").await;
    let answer = api.put(&format!("/{id}/members/ada@corp.example"), Value::Null).await;
    let expected = "the account ada@corp.example does not exist; an e-mail address is no id; the list of accounts finds it with ?email=";
    assert_eq!(answer.not_found(), expected);
}

#[tokio::test]
async fn unknown_account_is_named_in_the_404() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;

    let answer = api.put(&format!("/{engineering}/members/acc-9"), Value::Null).await;
    assert_eq!(answer.not_found(), "the account acc-9 does not exist");
    let answer = api.put(&format!("/{engineering}/members/a%20b"), Value::Null).await;
    assert_eq!(answer.not_found(), "the account a b does not exist");

    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(0));
}

#[tokio::test]
async fn deleted_account_cannot_be_added() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;
    let deleted = account("acc-1");
    assert!(api.store.delete_account(&event_source(), &deleted.id, version(2)).await.unwrap());

    let answer = api.put(&format!("/{engineering}/members/acc-1"), Value::Null).await;

    assert_eq!(answer.not_found(), "the account acc-1 does not exist");
}

#[tokio::test]
async fn account_ids_may_have_128_characters_and_any_visible_ascii() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let longest = "a".repeat(128);
    for id in [longest.as_str(), "auth0|123", "CORP\\user", "a@b.c", "~!$&'()*+,;=:", "{}[]\"<>^`"] {
        api.accounts(&[id]).await;
        let encoded = percent_encoded(id);
        assert_eq!(api.put(&format!("/{engineering}/members/{encoded}"), Value::Null).await.ok()["id"], json!(id));
        assert_eq!(api.get(&format!("/{engineering}/members/{encoded}")).await.ok()["id"], json!(id));
    }
}

#[tokio::test]
async fn body_must_be_empty_or_an_empty_object() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;
    let member = format!("/{engineering}/members/acc-1");

    let errors = api.put(&member, json!({ "added_date": "2024-01-10T00:00:00Z" })).await.field_errors();
    assert_eq!(errors, [("added_date".to_owned(), "is not known here".to_owned())]);
    let send = |body: String, content_type: &str| {
        Answer::to(api.request(Method::PUT, &member).header("content-type", content_type).body(body))
    };
    send("{}".into(), "text/plain").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    send(" ".repeat(131_073), "application/json").await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(api.get(&format!("/{engineering}")).await.ok()["member_count"], json!(0));
    assert_eq!(send("{}".into(), "application/json").await.status, 200);
}

#[tokio::test]
async fn unknown_group_is_404() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    for id in [&[NO_GROUP], IMPOSSIBLE_GROUPS.as_slice()].concat() {
        let answer = api.put(&format!("/{id}/members/acc-1"), Value::Null).await;
        assert_eq!(answer.not_found(), "the group does not exist");
    }
}
