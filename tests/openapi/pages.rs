//! `cargo local` serves the document, shows it on a page and prints it.

use std::process::Command;

use reqwest::{Client, Method};

use crate::harness::contract::document;
use crate::harness::tokens::token;
use crate::harness::workspace::{binary, root};
use crate::harness::{Answer, Api};

async fn get(api: &Api, path: &str) -> (u16, String, String) {
    let response = Client::new().get(format!("{}{path}", api.base)).send().await.unwrap();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), content_type, response.text().await.unwrap())
}

#[tokio::test]
async fn document_is_served_without_a_token() {
    let api = Api::start().await;
    let checked_in = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    assert_eq!(get(&api, "/openapi.yaml").await, (200, "application/yaml".into(), checked_in));
}

/// The page works without a network.
#[tokio::test]
async fn page_contains_the_document_and_loads_nothing() {
    let api = Api::start().await;
    let (status, content_type, page) = get(&api, "/docs").await;
    assert_eq!((status, content_type.as_str()), (200, "text/html; charset=utf-8"));
    let (_, script) = page.split_once("const spec = ").unwrap();
    let (shown, script) = script.split_once(";\n").unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(shown).unwrap(), *document());
    assert!(!shown.contains('<'), "no text of the document can end the script");
    for external in ["http:", "https:", "//cdn", "src=", "@import", "innerHTML"] {
        assert!(!script.contains(external) && !page.replace(shown, "").contains(external), "{external}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_for_the_catch_all_route() {
    let api = Api::start().await;
    let token = token("alice", &[]);
    for (method, path) in [(Method::POST, "/docs"), (Method::GET, "/docs/"), (Method::PUT, "/openapi.yaml")] {
        let request = Client::new().request(method, format!("{}{path}", api.base)).bearer_auth(&token);
        Answer::to(request).await.refused(404, "NOT_FOUND");
    }
}

#[test]
fn cargo_local_prints_the_document() {
    let output = Command::new(binary("groups-local")).current_dir(root()).arg("openapi").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(output.stdout, std::fs::read(root().join("openapi.yaml")).unwrap());
}
