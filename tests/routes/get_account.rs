use serde_json::json;

use crate::harness::Api;
use crate::harness::exchange::{T2, account_event};

#[tokio::test]
async fn account_is_returned_as_last_described_with_its_number_of_groups() {
    let api = Api::start().await;
    assert!(api.hand(&[account_event("Created", "acc-1", "ada", T2)]).await.is_empty());
    let [parent, child] = super::chain(&api, ["Parent", "Child"]).await;
    api.put(&format!("/{child}/members/acc-1"), json!(null)).await.ok();

    let account = api.get("/api/v1/accounts/acc-1").await.ok();

    let email = account["email"].as_str().unwrap();
    let expected = json!({
        "id": "acc-1", "name": "ada", "email": email, "status": "active",
        "updated_at": "2024-01-15T10:30:00Z", "group_count": 2,
    });
    assert_eq!(account, expected);
    assert_eq!(api.delete(&format!("/{parent}")).await.status, 204);
    assert_eq!(api.get("/api/v1/accounts/acc-1").await.ok()["group_count"], 1);
}

#[tokio::test]
async fn unknown_and_deleted_accounts_are_404() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    assert!(api.hand(&[account_event("Deleted", "acc-1", "", "2026-01-01T00:00:00Z")]).await.is_empty());
    for id in ["acc-1", "acc-9"] {
        let message = api.get(&format!("/api/v1/accounts/{id}")).await.not_found().to_owned();
        assert_eq!(message, format!("the account {id} does not exist"));
    }
    let hint = "the account a@b does not exist; an e-mail address is no id; the list of accounts finds it with ?email=";
    assert_eq!(api.get("/api/v1/accounts/a@b").await.not_found(), hint);
}
