//! The OpenAPI document is complete, checked in and consistent with the code. In addition, `harness/contract.rs` checks
//! every reply that a test receives against it.

mod pages;
mod requests;
mod responses;

use std::collections::BTreeSet;

use groups_local::functions::{ENDPOINTS, Endpoint, FUNCTIONS};
use groups_local::openapi;
use groups_local::template;
use serde_json::Value;

use crate::harness::contract::{document, operations, resolve, validator};
use crate::harness::workspace::root;

/// `UPDATE_GOLDEN=1` rewrites it.
#[test]
fn checked_in_document_is_current() {
    let text = openapi::text(crate::harness::template()).unwrap();
    let path = root().join("openapi.yaml");
    #[expect(clippy::disallowed_methods, reason = "the developer decides whether to rewrite the document")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(text == std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 rewrites openapi.yaml");
    assert_eq!(template::document(&text).unwrap(), *document(), "the YAML is the same document");
}

#[test]
fn operations_match_routes_and_functions() {
    let line = |(method, path): (&str, &str), function: &str| format!("{method} {path} {function}");
    let operations = operations();
    let documented: BTreeSet<String> = operations
        .iter()
        .map(|((method, path), operation)| line((method, path), operation["operationId"].as_str().unwrap()))
        .collect();
    let routes = crate::harness::template().documented_routes();
    // The second route of a function has an id of its own.
    let id = |method: &str, function: &str| match (method, function) {
        ("PATCH", "update-group") => "patch-group".to_owned(),
        _ => function.to_owned(),
    };
    let routed = routes.map(|route| line((&route.method, &route.path), &id(&route.method, &route.function))).collect();
    assert_eq!(documented, routed);
    let ids: BTreeSet<&str> = operations.values().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len());
    assert!(FUNCTIONS.iter().all(|function| ids.contains(function.name)));
}

/// The most used generator of clients ignores the fields beside a reference, and makes one type of a schema and a parameter of the
/// same name.
#[test]
fn document_is_one_that_generators_of_clients_understand() {
    fn references(value: &Value, count: &mut usize) {
        match value {
            Value::Object(fields) => {
                assert!(!fields.contains_key("$ref") || fields.len() == 1, "{value}");
                *count += usize::from(fields.contains_key("$ref"));
                fields.values().for_each(|field| references(field, count));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, count)),
            _ => {}
        }
    }
    let mut count = 0;
    references(document(), &mut count);
    assert!(count > 100, "{count} references");
    let components = &document()["components"];
    let names = |kind: &str| components[kind].as_object().unwrap().keys().collect::<BTreeSet<_>>();
    assert!(names("schemas").is_disjoint(&names("parameters")));
    assert!(!names("schemas").iter().any(|name| name.as_str() == "Error"));
    assert!(components["schemas"]["ErrorCode"]["enum"].as_array().unwrap().len() > 10);
}

#[test]
fn path_parameters_are_documented() {
    let operations = operations();
    assert_eq!(operations.len(), FUNCTIONS.len() + 1, "one function has two routes");
    for ((method, path), operation) in operations {
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().unwrap().iter().map(resolve);
        let described = parameters.filter(|it| it["in"] == "path" && it["required"] == Value::Bool(true));
        assert_eq!(in_path, described.map(|it| it["name"].as_str().unwrap()).collect(), "{method} {path}");
    }
}

#[test]
fn links_use_parameters_of_their_operation() {
    let operations = operations();
    let mut seen = 0;
    for operation in operations.values() {
        for response in operation["responses"].as_object().unwrap().values().map(resolve) {
            for link in response["links"].as_object().into_iter().flatten().map(|(_, link)| link) {
                let to = operations.values().find(|it| it["operationId"] == link["operationId"]).unwrap();
                let parameters: Vec<&Value> = to["parameters"].as_array().unwrap().iter().map(resolve).collect();
                for parameter in link["parameters"].as_object().unwrap().keys() {
                    let (place, name) = parameter.split_once('.').unwrap();
                    assert!(parameters.iter().any(|it| it["in"] == place && it["name"] == name), "{link}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 40, "the links were found");
}

/// Examples of schemas, parameters, headers and bodies.
#[test]
fn examples_match_their_schemas() {
    let mut seen = 0;
    each_with_examples(document(), &mut |schema, examples| {
        let schema = validator(schema);
        for example in examples {
            let errors: Vec<String> = schema.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{example}: {errors:?}");
            seen += 1;
        }
    });
    assert!(seen > 50, "{seen} examples were found");
}

fn each_with_examples(value: &Value, check: &mut impl FnMut(&Value, &[&Value])) {
    if let Value::Object(fields) = value {
        let schema = fields.get("schema");
        if let (Some(schema), Some(example)) = (schema, fields.get("example")) {
            check(schema, &[example]);
        }
        match fields.get("examples") {
            Some(Value::Object(examples)) => {
                let examples: Vec<&Value> = examples.values().map(|example| &example["value"]).collect();
                check(schema.unwrap(), &examples);
            }
            Some(Value::Array(examples)) => check(value, &examples.iter().collect::<Vec<_>>()),
            _ => {}
        }
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| each_with_examples(field, check)),
        Value::Array(items) => items.iter().for_each(|item| each_with_examples(item, check)),
        _ => {}
    }
}

/// Descriptions of endpoints and of schemas are constants that no function refers to, so they are not deployed.
#[test]
fn function_binaries_contain_no_descriptions() {
    let schema = document()["components"]["schemas"]["Outcome"]["description"].as_str().unwrap();
    for Endpoint { function, operation } in ENDPOINTS {
        let binary = std::fs::read(crate::harness::workspace::binary(function.name)).unwrap();
        let binary = String::from_utf8_lossy(&binary);
        let has = |text: &str| binary.contains(text);
        assert!(!has(schema), "{} contains a schema", function.name);
        assert!(!has(operation.description), "{} contains its description", function.name);
        let reads_if_match = !["get-member", "get-account", "check-memberships"].contains(&function.name)
            && !function.name.starts_with("list-")
            && !function.name.ends_with("-manager");
        assert_eq!(has("an ETag, up to 20 of them, or *"), reads_if_match, "the search finds texts that are there");
    }
}
