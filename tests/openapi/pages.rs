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

#[tokio::test]
async fn document_is_also_served_as_json() {
    let api = Api::start().await;
    let (status, content_type, json) = get(&api, "/openapi.json").await;
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), *document());
}

/// The page works without a network. `tests/clients/docs_page.mjs` opens it in a browser.
#[tokio::test]
async fn page_loads_its_parts_from_this_server_only() {
    let api = Api::start().await;
    let (status, content_type, page) = get(&api, "/docs").await;
    assert_eq!((status, content_type.as_str()), (200, "text/html; charset=utf-8"));
    let parts: Vec<&str> = page.split(['"']).filter(|text| text.starts_with('/')).collect();
    assert_eq!(parts, ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/page.js"]);
    for part in parts {
        assert_eq!(get(&api, part).await.0, 200, "{part}");
    }
    let own = [page, get(&api, "/docs/page.js").await.2].concat();
    assert!(!own.contains("http:") && !own.contains("https:"));
    let response = Client::new().get(format!("{}/docs", api.base)).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
}

/// Its licence asks for that (Apache License 2.0, section 4).
#[test]
fn vendored_page_comes_with_its_licence_and_notice() {
    let folder = root().join("infra/local/src/docs/swagger-ui");
    let has = |file: &str, text: &str| std::fs::read_to_string(folder.join(file)).unwrap().contains(text);
    assert!(
        has("LICENSE", "Apache License")
            && has("NOTICE", "SmartBear")
            && has("swagger-ui-bundle.js.LICENSE.txt", "MIT")
    );
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
