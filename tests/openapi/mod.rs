//! The OpenAPI document: it is complete, it is what is checked in, and it says what the API does. That every answer is as it
//! says, every test holds that asks the API (`harness/contract.rs`).

mod answers;
mod pages;
mod requests;

use std::collections::BTreeSet;

use groups_local::functions::FUNCTIONS;
use groups_local::openapi;
use groups_local::template;
use serde_json::Value;

use crate::harness::contract::{document, operations, resolve, validator};
use crate::harness::workspace::root;

/// With `UPDATE_GOLDEN=1` it is written anew.
#[test]
fn the_document_that_is_checked_in_is_current() {
    let text = openapi::text(crate::harness::template()).unwrap();
    let path = root().join("openapi.yaml");
    #[expect(clippy::disallowed_methods, reason = "whether to write the document anew is the reviewer's to say")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(text == std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes openapi.yaml anew");
    assert_eq!(template::document(&text).unwrap(), *document(), "as YAML it says the same");
}

#[test]
fn operations_are_the_routes_of_the_template_and_the_functions() {
    let told = |(method, path): (&str, &str), function: &str| format!("{method} {path} {function}");
    let operations = operations();
    let documented: BTreeSet<String> = operations
        .iter()
        .map(|((method, path), operation)| told((method, path), operation["operationId"].as_str().unwrap()))
        .collect();
    let routes = &crate::harness::template().routes;
    let routed = routes.iter().map(|route| told((&route.method, &route.path), &route.function)).collect();
    assert_eq!(documented, routed);
    let functions: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let ids = operations.values().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(functions, ids);
}

#[test]
fn parameters_of_paths_are_described() {
    for ((method, path), operation) in operations() {
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().unwrap().iter().map(resolve);
        let described = parameters.filter(|it| it["in"] == "path" && it["required"] == Value::Bool(true));
        assert_eq!(in_path, described.map(|it| it["name"].as_str().unwrap()).collect(), "{method} {path}");
    }
}

/// But for 429 and 500, which a handler has no part in.
#[test]
fn statuses_are_those_that_handlers_name() {
    for operation in operations().values() {
        let function = operation["operationId"].as_str().unwrap();
        let source = std::fs::read_to_string(root().join(format!("functions/{function}/src/lib.rs"))).unwrap();
        let (_, named) = source.split_once("/// # Errors\n/// ").unwrap();
        let named: BTreeSet<&str> = named.split_once(".\n").unwrap().0.split(", ").collect();
        let documented = operation["responses"].as_object().unwrap().keys().map(String::as_str);
        let documented = documented.filter(|status| !status.starts_with('2') && !["429", "500"].contains(status));
        assert_eq!(named, documented.collect(), "{function}");
    }
}

#[test]
fn links_lead_to_operations_with_parameters_that_they_have() {
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

/// Every schema, parameter, header and body has an example that fits, where it has one.
#[test]
fn examples_are_as_described() {
    let mut seen = 0;
    each_with_examples(document(), &mut |schema, examples| {
        let schema = validator(schema);
        for example in examples {
            let faults: Vec<String> = schema.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{example}: {faults:?}");
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

/// Nothing of the schemas is in what is deployed: no function asks for them.
#[test]
fn binaries_of_functions_have_no_schemas() {
    for function in FUNCTIONS {
        let binary = std::fs::read(crate::harness::workspace::binary(function.name)).unwrap();
        let text = b"an ETag, up to 20 of them, or *";
        let has = |text: &[u8]| binary.windows(text.len()).any(|some| some == text);
        assert!(!has(b"What came of one id."), "{} describes its answers", function.name);
        let reads = ["update-group", "delete-group"].contains(&function.name);
        assert_eq!(has(text), reads, "what is looked for would be found");
    }
}
