//! The catch-all route: what no other route takes.

use std::collections::{BTreeMap, BTreeSet};

use groups_local::functions::PATHS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, NO_GROUP, template};

#[tokio::test]
async fn path_without_a_route_is_404_in_the_envelope_of_all_errors() {
    let api = Api::start().await;
    let id = api.group("Team").await;
    for path in [format!("/{id}/owners"), format!("/{id}/members/a/b"), "/a/b/c/d/e".into(), format!("//{id}")] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = Answer::to(api.request(method, &path)).await;
            assert_eq!(answer.refused(404, "NOT_FOUND"), "there is no such path", "{path}");
        }
    }
}

#[tokio::test]
async fn slash_at_the_end_is_named() {
    let api = Api::start().await;
    let id = api.group("Team").await;
    for path in [String::new(), format!("/{id}"), format!("/{id}/members"), format!("/{id}/members/acc-1")] {
        let answer = api.get(&format!("{path}/")).await;
        let expected = format!("there is no such path; did you mean /api/v1/groups{path}?");
        assert_eq!(answer.refused(404, "NOT_FOUND"), expected);
    }
}

#[tokio::test]
async fn method_that_a_path_lacks_is_405_with_those_it_has() {
    let api = Api::start().await;
    let id = api.group("Team").await;
    for (method, path, allow) in [
        (Method::PATCH, String::new(), "GET, HEAD, POST"),
        (Method::POST, format!("/{id}"), "DELETE, GET, HEAD, PATCH, PUT"),
        (Method::DELETE, format!("/{id}/members"), "GET, HEAD, PATCH"),
        (Method::PATCH, format!("/{id}/members/acc-1"), "DELETE, GET, HEAD, PUT"),
        (Method::PUT, format!("/{NO_GROUP}/groups"), "GET, HEAD"),
        (Method::GET, format!("/{id}/groups/{id}"), "DELETE, PUT"),
        (Method::TRACE, format!("/{id}"), "DELETE, GET, HEAD, PATCH, PUT"),
    ] {
        let answer = Answer::to(api.request(method, &path)).await;
        assert_eq!(answer.refused(405, "METHOD_NOT_ALLOWED"), format!("the path has no such method, only {allow}"));
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
}

/// A developer who has no token yet learns that the path is wrong.
#[tokio::test]
async fn unknown_path_needs_no_token() {
    let api = Api::start().await;
    for token in [None, Some("not a token")] {
        Answer::to(api.request_as(token, Method::GET, "/a/b")).await.refused(404, "NOT_FOUND");
        Answer::to(api.request_as(token, Method::PATCH, "")).await.refused(405, "METHOD_NOT_ALLOWED");
    }
    assert!(api.recorder.take().is_empty());
}

/// A browser asks before a request of a page from another origin, without a token.
#[tokio::test]
async fn options_answers_with_the_methods_of_the_path() {
    let api = Api::start().await;
    for token in [None, Some("not a token")] {
        let answer = Answer::to(api.request_as(token, Method::OPTIONS, &format!("/{NO_GROUP}"))).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, Some("DELETE, GET, HEAD, PATCH, PUT")));
        assert_eq!(Answer::to(api.request_as(token, Method::OPTIONS, "/a/b/c")).await.status, 404);
    }
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let api = Api::start().await;
    let id = api.group("Team").await;
    api.members(&id, 0..1).await;
    for path in [
        String::new(),
        "?limit=0".into(),
        format!("/{id}"),
        format!("/{NO_GROUP}"),
        format!("/{id}/members"),
        format!("/{id}/members/acc-00000"),
        format!("/{id}/members/acc-99999"),
        format!("/{id}/groups"),
    ] {
        let get = api.get(&path).await;
        let head = Answer::to(api.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(
            (head.header("etag"), head.header("content-type")),
            (get.header("etag"), get.header("content-type"))
        );
    }
}

#[tokio::test]
async fn group_id_in_capitals_finds_the_group() {
    let api = Api::start().await;
    let [id, child] = [api.group("Team").await, api.group("Child").await];
    api.accounts(&["acc-1"]).await;
    let (in_capitals, child) = (id.to_uppercase(), child.to_uppercase());
    assert_eq!(api.get(&format!("/{in_capitals}")).await.ok()["id"], json!(id));
    api.put(&format!("/{in_capitals}/members/acc-1"), Value::Null).await.ok();
    api.put(&format!("/{in_capitals}/groups/{child}"), Value::Null).await.ok();
    assert_eq!(api.get(&format!("/{id}")).await.ok()["nested_group_count"], json!(1));
}

#[test]
fn catch_all_function_knows_the_paths_and_methods_of_the_template() {
    let mut routes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for route in template().routes.iter().filter(|route| !route.is_greedy()) {
        routes.entry(&route.path).or_default().insert(&route.method);
    }
    let routes: Vec<(&str, String)> =
        routes.into_iter().map(|(path, methods)| (path, methods.into_iter().collect::<Vec<_>>().join(", "))).collect();
    let known: Vec<(&str, String)> = PATHS.iter().map(|(path, methods)| (*path, (*methods).to_owned())).collect();
    assert_eq!(known, routes);
}
