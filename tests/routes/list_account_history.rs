use serde_json::{Value, json};

use super::chain;
use crate::harness::Api;
use crate::harness::exchange::{T3, account_event};
use crate::harness::faults::Faults;
use crate::harness::pump::drain_all;

const PATH: &str = "/api/v1/accounts/acc-1/history";

/// An account that was added to "Child", nested in "Parent", and deleted.
async fn deleted_account() -> (Api, String, String) {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    api.accounts(&["acc-1", "acc-2"]).await;
    let [parent, child] = chain(&api, ["Parent", "Child"]).await;
    for account in ["acc-1", "acc-2"] {
        api.put(&format!("/{child}/members/{account}"), Value::Null).await.ok();
    }
    assert!(api.hand(&[account_event("Deleted", "acc-1", "", T3)]).await.is_empty());
    drain_all(&api).await;
    (api, parent, child)
}

#[tokio::test]
async fn changes_of_all_memberships_are_listed_also_of_a_deleted_account() {
    let (api, parent, child) = deleted_account().await;
    let history = api.all_items(&format!("{PATH}?limit=1"), "history").await;
    let mut changes: Vec<(&str, &str, &str)> = history
        .iter()
        .map(|entry| {
            assert_eq!(entry["account_id"], "acc-1");
            let text = |field: &str| entry[field].as_str().unwrap();
            (text("group_id"), text("change"), text("actor"))
        })
        .collect();
    // Changes of one second are in the order of their groups.
    changes.sort_unstable();
    let mut expected = [
        (parent.as_str(), "member_added", "alice"),
        (&parent, "member_removed", "accounts"),
        (&child, "member_added", "alice"),
        (&child, "member_removed", "accounts"),
    ];
    expected.sort_unstable();
    assert_eq!(changes, expected);
    for since in ["2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        assert_eq!(api.get(&format!("{PATH}?since={since}")).await.ok()["history"], json!([]));
    }
    let all = api.get(&format!("{PATH}?since=0000-01-01T00:00:00Z")).await.ok();
    assert_eq!(all["history"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn invalid_queries_are_refused_and_unknown_accounts_not_found() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    assert_eq!(api.get(PATH).await.ok()["history"], json!([]), "an account without changes");
    let refused = async |query: &str| api.get(&format!("{PATH}?{query}")).await.field_errors();
    let error = |field: &str, reason: &str| [(field.to_owned(), reason.to_owned())];
    assert_eq!(refused("since=now").await, error("since", "is not a time in RFC 3339"));
    assert_eq!(refused("limit=0").await, error("limit", "is less than 1"));
    assert_eq!(refused("after=x").await, error("after", "is not a cursor of this list"));
    assert_eq!(refused("at=2024-01-15T10:30:00Z").await.len(), 1);
    for unknown in ["acc-9", "a@b", "a%20b"] {
        api.get(&format!("/api/v1/accounts/{unknown}/history")).await.not_found();
    }
}
