//! The requests that Okta and Microsoft Entra were seen to send, one test each.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{created, get, group, listed, members, patch, post, put, request, user};
use crate::harness::{Answer, Api};

const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

#[tokio::test]
async fn entra_tests_the_connection_with_a_user_that_does_not_exist() {
    let api = Api::start().await;
    let answer = get(&api, "/Users?filter=userName+eq+%225a1b6a3e-0000-4f0f-9a54-9d2c8e1b7a10%22").await;
    assert_eq!(listed(&answer, "id"), (0, Vec::new()));
    assert_eq!(answer.body["startIndex"], json!(1));
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
}

#[tokio::test]
async fn entra_finds_a_group_by_its_name_without_reading_members() {
    let api = Api::start().await;
    let id = group(&api, "Finance").await;
    group(&api, "Finance East").await;
    api.recorder.take();
    for name in ["Finance", "FINANCE"] {
        let path = format!("/Groups?excludedAttributes=members&filter=displayName eq \"{name}\"");
        let answer = get(&api, &path).await;
        assert_eq!(listed(&answer, "id"), (1, vec![id.clone()]), "exact, without case");
        assert!(answer.body["Resources"][0].get("members").is_none());
        let requests = api.recorder.take();
        assert_eq!(requests.len(), 2, "one Query for the name, one BatchGetItem for the group: {requests:?}");
    }
}

#[tokio::test]
async fn entra_creates_a_group_with_an_unknown_schema_and_meta() {
    let api = Api::start().await;
    let answer = post(
        &api,
        "/Groups",
        json!({
            "schemas": [GROUP_SCHEMA, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
            "displayName": "Sales",
            "meta": { "resourceType": "Group", "location": "elsewhere", "version": "x" },
        }),
    )
    .await;
    let id = created(&answer);
    assert_eq!(answer.body["schemas"], json!([GROUP_SCHEMA]));
    assert_eq!(answer.body["externalId"], json!("8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159"));
    assert_eq!(answer.body["meta"]["location"], json!(format!("{}/scim/v2/Groups/{id}", api.base)));
    assert_eq!(answer.header("etag"), answer.body["meta"]["version"].as_str());
}

#[tokio::test]
async fn entra_adds_a_member_with_an_empty_reference() {
    let api = Api::start().await;
    let (team, anna) = (group(&api, "Team").await, user(&api, "anna").await);
    let operations = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": anna }] }]);
    let answer = patch(&api, &format!("/Groups/{team}"), operations).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(members(&api, &team).await, [anna]);
}

#[tokio::test]
async fn removal_with_values_removes_only_these() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let operations = json!([{ "op": "Remove", "path": "members", "value": [{ "value": ids[0] }] }]);
    assert_eq!(patch(&api, &format!("/Groups/{team}"), operations).await.status, StatusCode::NO_CONTENT);
    assert_eq!(members(&api, &team).await, [ids[1].clone()]);
}

#[tokio::test]
async fn removal_by_a_filter_in_the_path() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let path = format!("members[value eq \"{}\"]", ids[0]);
    let answer = patch(&api, &format!("/Groups/{team}"), json!([{ "op": "remove", "path": path }])).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(members(&api, &team).await, [ids[1].clone()]);
}

#[tokio::test]
async fn entra_deactivates_a_user_with_a_text() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    for (text, active) in [("False", false), ("True", true), ("false", false)] {
        let operations = json!([{ "op": "Replace", "path": "active", "value": text }]);
        let answer = patch(&api, &format!("/Users/{anna}"), operations).await;
        assert_eq!((answer.status, &answer.body["active"]), (StatusCode::OK, &json!(active)));
    }
    let account = api.get(&format!("/api/v1/accounts/{anna}")).await.ok();
    assert_eq!(account["status"], json!("inactive"));
}

#[tokio::test]
async fn entra_patches_with_dotted_names_and_no_path() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let value = json!({
        "displayName": "Anna Berg", "name.givenName": "Anna", "userName": "anna.berg",
        "emails[type eq \"work\"].value": "anna@example.com",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Sales",
    });
    let answer = patch(&api, &format!("/Users/{anna}"), json!([{ "op": "replace", "value": value }])).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.body["userName"], json!("anna.berg"));
    assert_eq!(answer.body["emails"], json!([{ "value": "anna@example.com", "type": "work", "primary": true }]));
}

#[tokio::test]
async fn entra_filters_by_a_value_without_quotes() {
    let api = Api::start().await;
    let id = created(&post(&api, "/Users", json!({ "userName": "j", "externalId": "jyoung" })).await);
    assert_eq!(listed(&get(&api, "/Users?filter=externalId eq jyoung").await, "id"), (1, vec![id]));
    assert_eq!(listed(&get(&api, "/Users?filter=externalId eq JYOUNG").await, "id").0, 0, "external ids have a case");
    assert_eq!(listed(&get(&api, "/Users?filter=externalId eq jyo").await, "id").0, 0, "never a part");
}

#[tokio::test]
async fn okta_looks_a_user_up_in_a_page() {
    let api = Api::start().await;
    let id = user(&api, "a@b.example").await;
    let answer = get(&api, "/Users?filter=userName%20eq%20%22a%40b.example%22&startIndex=1&count=100").await;
    assert_eq!(listed(&answer, "id"), (1, vec![id]));
    for number in ["totalResults", "startIndex", "itemsPerPage"] {
        assert_eq!(answer.body[number], json!(1));
    }
}

#[tokio::test]
async fn okta_creates_a_group_without_members() {
    let api = Api::start().await;
    let body = json!({ "schemas": [GROUP_SCHEMA], "displayName": "Okta", "members": [] });
    let answer = post(&api, "/Groups", body).await;
    created(&answer);
    assert_eq!((&answer.body["displayName"], &answer.body["members"]), (&json!("Okta"), &json!([])));
    assert!(answer.body.get("externalId").is_none());
}

#[tokio::test]
async fn okta_repeats_the_id_of_the_group() {
    let api = Api::start().await;
    let team = group(&api, "Team").await;
    for name in ["Teams", "Teams", "Team"] {
        let operations = json!([{ "op": "replace", "value": { "id": team, "displayName": name } }]);
        assert_eq!(patch(&api, &format!("/Groups/{team}"), operations).await.status, StatusCode::NO_CONTENT);
        assert_eq!(get(&api, &format!("/Groups/{team}")).await.body["displayName"], json!(name));
    }
}

#[tokio::test]
async fn operations_of_a_patch_apply_in_order() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let clara = user(&api, "clara").await;
    let (remove, add) = ("remove", "add");
    let path = |id: &str| json!(format!("members[value eq \"{id}\"]"));
    let operations = json!([
        { "op": remove, "path": path(&ids[0]) },
        { "op": add, "path": "members", "value": [{ "value": clara }, { "value": ids[0] }] },
        { "op": remove, "path": path(&ids[1]) },
        { "op": add, "path": "members", "value": [{ "value": ids[1] }] },
        { "op": remove, "path": path(&ids[1]) },
    ]);
    assert_eq!(patch(&api, &format!("/Groups/{team}"), operations).await.status, StatusCode::NO_CONTENT);
    let mut expected = vec![ids[0].clone(), clara];
    expected.sort();
    assert_eq!(members(&api, &team).await, expected);
}

#[tokio::test]
async fn replacing_members_leaves_exactly_these() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let clara = user(&api, "clara").await;
    let path = format!("/Groups/{team}");
    let value = json!([{ "value": ids[1] }, { "value": clara }]);
    let mut expected = vec![ids[1].clone(), clara.clone()];
    expected.sort();
    for operation in [
        json!({ "op": "replace", "path": "members", "value": value }),
        json!({ "op": "replace", "value": { "members": value } }),
    ] {
        assert_eq!(patch(&api, &path, json!([operation])).await.status, StatusCode::NO_CONTENT);
        assert_eq!(members(&api, &team).await, expected);
    }
    let many: Vec<Value> = {
        let mut all = Vec::new();
        for number in 0..256 {
            all.push(json!({ "value": user(&api, &format!("user{number}")).await, "display": "x" }));
        }
        all
    };
    let operations = json!([{ "op": "replace", "path": "members", "value": many }]);
    assert_eq!(patch(&api, &path, operations).await.status, StatusCode::NO_CONTENT);
    assert_eq!(members(&api, &team).await.len(), 256);
    let none = json!([{ "op": "replace", "path": "members", "value": [] }]);
    assert_eq!(patch(&api, &path, none).await.status, StatusCode::NO_CONTENT);
    assert_eq!(members(&api, &team).await, [""; 0]);
}

#[tokio::test]
async fn custom_applications_of_okta_put_whole_resources() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let body = json!({ "id": team, "displayName": "Renamed", "members": [{ "value": ids[0] }] });
    let answer = put(&api, &format!("/Groups/{team}"), body).await;
    assert_eq!((answer.status, &answer.body["displayName"]), (StatusCode::OK, &json!("Renamed")));
    assert_eq!(answer.body["members"][0]["value"], json!(ids[0]));
    assert_eq!(answer.body["members"].as_array().unwrap().len(), 1);

    let body = json!({ "userName": "anna", "active": false, "emails": [{ "value": "a@b", "primary": true }] });
    let answer = put(&api, &format!("/Users/{}", ids[0]), body).await;
    assert_eq!((answer.status, &answer.body["active"]), (StatusCode::OK, &json!(false)));
    assert_eq!(answer.body["emails"][0]["value"], json!("a@b"));
}

#[tokio::test]
async fn adding_a_member_twice_and_removing_one_who_is_none_succeed() {
    let api = Api::start().await;
    let (team, ids) = team_of_two(&api).await;
    let revision = api.get(&format!("/{team}")).await.header("etag").unwrap().to_owned();
    for operation in [
        json!({ "op": "add", "path": "members", "value": [{ "value": ids[0] }, { "value": ids[0] }] }),
        json!({ "op": "remove", "path": "members[value eq \"nobody\"]" }),
        json!({ "op": "remove", "path": "members", "value": [{ "value": "no id/at all" }] }),
    ] {
        assert_eq!(patch(&api, &format!("/Groups/{team}"), json!([operation])).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(members(&api, &team).await.len(), 2);
    assert_eq!(api.get(&format!("/{team}")).await.header("etag"), Some(&*revision), "nothing was written");
}

#[tokio::test]
async fn unknown_parts_of_a_member_are_ignored() {
    let api = Api::start().await;
    let (team, anna) = (group(&api, "Team").await, user(&api, "anna").await);
    let member = json!({ "value": anna, "display": "Anna", "type": "Robot", "color": { "red": 1 } });
    let operations = json!([{ "op": "add", "path": "members", "value": [member] }]);
    let path = format!("/Groups/{team}");
    // With the attributes named, a patch answers with them.
    let body = json!({ "Operations": operations });
    let request = request(&api, Method::PATCH, &format!("{path}?attributes=members")).body(body.to_string());
    let answer = Answer::to(request).await;
    let location = format!("{}/scim/v2/Users/{anna}", api.base);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.body["members"], json!([{ "value": anna, "type": "User", "$ref": location }]));
    assert!(answer.body.get("displayName").is_none());
}

/// Creates a group with two members. Returns its id and theirs.
async fn team_of_two(api: &Api) -> (String, Vec<String>) {
    let ids = vec![user(api, "anna").await, user(api, "bert").await];
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let team = created(&post(api, "/Groups", json!({ "displayName": "Team", "members": members })).await);
    (team, ids)
}
