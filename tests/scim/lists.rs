//! Lists, searches and discovery.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{created, get, group, listed, post, refused, request, user};
use crate::harness::{Answer, Api};

#[tokio::test]
async fn pages_by_number_have_an_exact_total() {
    let api = Api::start().await;
    for name in ["d", "a", "c", "b", "e"] {
        user(&api, name).await;
    }
    for (query, expected) in [
        ("", vec!["a", "b", "c", "d", "e"]),
        ("?startIndex=2&count=2", vec!["b", "c"]),
        ("?startIndex=5&count=10", vec!["e"]),
        ("?startIndex=6", vec![]),
        ("?startIndex=-3&count=1", vec!["a"]),
        ("?count=0", vec![]),
        ("?count=-1", vec![]),
        ("?sortBy=id&unknown=1&count=1", vec!["a"]),
        ("?startIndex=9223372036854775807", vec![]),
    ] {
        let answer = get(&api, &format!("/Users{query}")).await;
        assert_eq!(listed(&answer, "userName"), (5, expected.into_iter().map(str::to_owned).collect()), "{query}");
    }
    for query in ["startIndex=x", "count=1.5", "count="] {
        let answer = get(&api, &format!("/Users?{query}")).await;
        assert!(refused(&answer, 400, Some("invalidValue")).contains("must be a whole number"), "{query}");
    }
}

#[tokio::test]
async fn pages_by_cursor_have_every_resource_once() {
    let api = Api::start().await;
    for number in 0..7 {
        user(&api, &format!("user{number}")).await;
        group(&api, &format!("group{number}")).await;
    }
    for (path, attribute) in [("/Users", "userName"), ("/Groups", "displayName")] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = get(&api, &format!("{path}?count=3&cursor={cursor}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            assert!(answer.body.get("startIndex").is_none());
            let page = answer.body["Resources"].as_array().unwrap().clone();
            found.extend(page.iter().map(|it| it[attribute].as_str().unwrap().to_owned()));
            match answer.body["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
            assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)), "{cursor}");
        }
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(found.is_sorted());
    }
    for path in ["/Users?cursor=x", "/Groups?cursor=eA", "/Users?filter=id eq \"a\"&cursor=x"] {
        refused(&get(&api, path).await, 400, Some("invalidCursor"));
    }
}

/// The path of the users that a filter selects.
fn filtered(filter: &str) -> String {
    let encoded: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/Users?filter={encoded}")
}

#[tokio::test]
async fn filters_can_be_joined_and_never_match_a_part() {
    let api = Api::start().await;
    let body = json!({ "userName": "anna", "externalId": "e-1", "emails": [{ "value": "anna@example.com" }] });
    let anna = created(&post(&api, "/Users", body).await);
    let other = json!({ "userName": "anna2", "externalId": "e-1", "emails": [{ "value": "Anna@example.com" }] });
    let other = created(&post(&api, "/Users", other).await);
    let both = vec![anna.clone(), other.clone()];
    for (filter, mut expected) in [
        (format!("id eq \"{anna}\""), vec![anna.clone()]),
        ("userName eq \"ANNA\"".to_owned(), vec![anna.clone()]),
        ("userName eq \"ann\"".to_owned(), vec![]),
        ("externalId eq \"e-1\"".to_owned(), both.clone()),
        ("externalId eq \"e-1\" and userName eq \"anna2\"".to_owned(), vec![other.clone()]),
        ("(externalId eq \"e-1\") and (userName eq \"anna2\" and id eq \"x\")".to_owned(), vec![]),
        ("emails.value eq \"ANNA@example.com\"".to_owned(), both.clone()),
        ("emails eq \"anna@example.com\"".to_owned(), both.clone()),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName EQ \"anna\"".to_owned(), vec![anna.clone()]),
        ("userName eq \"a\\\"b\"".to_owned(), vec![]),
        ("displayName eq \"anna\"".to_owned(), vec![]),
        ("externalId eq \"\"".to_owned(), vec![]),
        (format!("id eq \"{anna}\" and userName eq \"anna2\""), vec![]),
    ] {
        let (total, mut found) = listed(&get(&api, &filtered(&filter)).await, "id");
        found.sort();
        expected.sort();
        assert_eq!((total, found), (expected.len() as u64, expected), "{filter}");
    }
    for filter in [
        "userName sw \"a\"",
        "userName co \"a\"",
        "userName ne \"a\"",
        "userName pr",
        "not (userName eq \"a\")",
        "title eq \"a\"",
        "userName eq \"a\" or userName eq \"b\"",
        "active eq true",
        "emails[type eq \"work\"]",
        "userName",
        "userName eq",
        "(userName eq \"a\"",
        "members.value eq \"a\"",
        "userName eq 5",
        "userName eq \"a",
        "",
        "\u{fc}\"",
    ] {
        let answer = get(&api, &filtered(filter)).await;
        let detail = refused(&answer, 400, Some("invalidFilter"));
        assert!(detail.starts_with("filter ") && detail.ends_with(" eq \"jane@example.com\""), "{filter}: {detail}");
    }
}

#[tokio::test]
async fn searches_of_one_type_and_of_all() {
    let api = Api::start().await;
    let anna = user(&api, "anna").await;
    let team = group(&api, "Team").await;
    let all = post(&api, "/.search", json!({ "count": 10 })).await;
    assert_eq!(listed(&all, "id"), (2, vec![anna.clone(), team.clone()]));
    let second = post(&api, "/.search", json!({ "startIndex": 2, "attributes": ["displayName"] })).await;
    assert_eq!(listed(&second, "id"), (2, vec![team.clone()]));
    assert!(second.body["Resources"][0].get("meta").is_none());
    let found =
        post(&api, "/.search", json!({ "filter": format!("id eq \"{team}\""), "excludedAttributes": ["members"] }))
            .await;
    assert_eq!(listed(&found, "id"), (1, vec![team.clone()]));
    assert!(found.body["Resources"][0].get("members").is_none());
    let users = post(&api, "/Users/.search", json!({ "filter": "userName eq \"anna\"" })).await;
    assert_eq!(listed(&users, "id"), (1, vec![anna]));
    assert_eq!(listed(&post(&api, "/Groups/.search", json!({ "count": "1" })).await, "id"), (1, vec![team]));
    refused(&post(&api, "/.search", json!({ "cursor": "" })).await, 400, Some("invalidCursor"));
}

#[tokio::test]
async fn attributes_are_chosen_by_the_client() {
    let api = Api::start().await;
    let body = json!({ "userName": "anna", "emails": [{ "value": "a@b" }] });
    let anna = created(&post(&api, "/Users", body).await);
    let keys = async |query: &str| {
        let answer = get(&api, &format!("/Users/{anna}?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.body
    };
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let expected = json!({ "id": anna, "schemas": schemas, "userName": "anna" });
    assert_eq!(keys("attributes=USERNAME").await, expected);
    assert_eq!(keys("attributes=urn:ietf:params:scim:schemas:core:2.0:User:userName").await, expected);
    assert_eq!(keys("attributes=emails.value").await["emails"], json!([{ "value": "a@b" }]));
    let less = keys("excludedAttributes=meta,emails.type,id").await;
    assert!(less.get("meta").is_none() && less["emails"][0].get("type").is_none());
    assert_eq!(less["id"], json!(anna), "always returned");
    let both = get(&api, "/Users?attributes=id&excludedAttributes=meta").await;
    refused(&both, 400, Some("invalidValue"));
}

#[tokio::test]
async fn server_describes_itself() {
    let api = Api::start().await;
    let config = get(&api, "/ServiceProviderConfig").await;
    assert_eq!(config.header("content-type"), Some("application/scim+json"));
    assert_eq!((&config.body["patch"]["supported"], &config.body["bulk"]["supported"]), (&json!(true), &json!(false)));
    assert_eq!(config.body["pagination"]["cursor"], json!(true));
    assert_eq!(listed(&get(&api, "/ResourceTypes").await, "id"), (2, vec!["User".into(), "Group".into()]));
    let (_, schemas) = listed(&get(&api, "/Schemas").await, "id");
    assert_eq!(schemas.len(), 2);
    for id in schemas {
        let schema = get(&api, &format!("/Schemas/{id}")).await;
        assert_eq!(schema.body["meta"]["location"], json!(format!("{}/scim/v2/Schemas/{id}", api.base)));
        let names: Vec<&Value> = schema.body["attributes"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
        assert!(!names.is_empty());
    }
    refused(&get(&api, "/Schemas/x").await, 404, None);
    let head = Answer::to(request(&api, Method::HEAD, "/ResourceTypes/User")).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
}
