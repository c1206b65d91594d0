//! Every endpoint has all its parts. A failure names the missing ones, for all endpoints at once (CONTRIBUTING.md, "Add an
//! endpoint").

use std::collections::BTreeSet;
use std::fs;

use groups_local::functions::{
    APPLY_EVENTS, AUTHORIZE_TOKEN, ENDPOINTS, EXPIRE_MEMBERS, PROPAGATE, PUBLISH_EVENTS, REJECT_REQUEST, SCIM,
};
use groups_local::template::document;

use crate::harness::template;
use crate::harness::workspace::root;

/// Functions that have a folder in `functions`, but no endpoint: event-triggered ones, that of the catch-all route, the Lambda
/// authorizer, and the one of another protocol.
pub(crate) const WITHOUT_ENDPOINT: [&str; 7] = [
    APPLY_EVENTS.name,
    AUTHORIZE_TOKEN.name,
    EXPIRE_MEMBERS.name,
    PROPAGATE.name,
    PUBLISH_EVENTS.name,
    REJECT_REQUEST.name,
    SCIM.name,
];

/// Whether the endpoint of this name has a part.
type HasPart = fn(&str) -> bool;

/// The parts of an endpoint.
const PARTS: [(&str, HasPart); 8] = [
    ("its folder functions/<name>", |name| root().join("functions").join(name).join("src/lib.rs").is_file()),
    ("its line in infra/local/src/functions.rs", |name| ENDPOINTS.iter().any(|it| it.function.name == name)),
    ("its route in template.yaml", |name| template().routes.iter().any(|route| route.function == name)),
    ("its operation in openapi.yaml (UPDATE_GOLDEN=1)", is_documented),
    ("its recorded event tests/events/<name>.json", |name| root().join(format!("tests/events/{name}.json")).is_file()),
    ("its tests in tests/routes/<name>.rs", |name| root().join(format!("tests/routes/{}.rs", module(name))).is_file()),
    ("its line in tests/routes/mod.rs", |name| has(&["tests/routes/mod.rs"], &format!("mod {};\n", module(name)))),
    ("its row in the table of routes in README.md or docs", |name| {
        let documents = documents();
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        has(&documents, &format!("functions/{name}/src/lib.rs) |"))
    }),
];

fn is_documented(name: &str) -> bool {
    let text = fs::read_to_string(root().join("openapi.yaml")).unwrap();
    let document = document(&text).unwrap();
    let mut paths = document["paths"].as_object().unwrap().values();
    paths.any(|path| path.as_object().unwrap().values().any(|operation| operation["operationId"] == name))
}

/// The README and the documents beside it, without the decisions, which stay as they were written.
fn documents() -> Vec<String> {
    let names =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let documents = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    documents.chain(["README.md".to_owned()]).collect()
}

fn has(paths: &[&str], text: &str) -> bool {
    paths.iter().any(|path| fs::read_to_string(root().join(path)).unwrap().contains(text))
}

fn module(function: &str) -> String {
    function.replace('-', "_")
}

fn missing_parts(name: &str) -> Vec<String> {
    PARTS.iter().filter(|(_, is_there)| !is_there(name)).map(|(part, _)| format!("{name} lacks {part}")).collect()
}

#[test]
fn every_endpoint_has_all_its_parts() {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let listed = ENDPOINTS.iter().map(|endpoint| endpoint.function.name.to_owned());
    let routed = template().routes.iter().map(|route| route.function.clone());
    let mut names: BTreeSet<String> = folders.chain(listed).chain(routed).collect();
    names.retain(|name| !WITHOUT_ENDPOINT.contains(&name.as_str()));
    assert!(names.len() >= 13, "the endpoints were found");

    let missing: Vec<String> = names.iter().flat_map(|name| missing_parts(name)).collect();

    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_missing_part_is_named() {
    let missing = missing_parts("no-such-endpoint");

    assert_eq!(missing.len(), PARTS.len(), "{missing:?}");
    assert_eq!(missing[0], "no-such-endpoint lacks its folder functions/<name>");
}
