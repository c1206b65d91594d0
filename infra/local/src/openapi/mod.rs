//! The API as an OpenAPI document. Routes come from the template, descriptions from the constants beside the handlers,
//! schemas from the wire types. Error examples are replies of the code. `openapi.yaml` is this document.

mod operations;
mod parameters;
mod responses;
mod schemas;
mod yaml;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::api::operation::Tag;

use crate::Problem;
use crate::functions::{ENDPOINTS, Endpoint};
use crate::template::{Route, Template};

/// Makes the document.
///
/// # Errors
/// The template routes to a function that is no endpoint.
pub fn document(template: &Template) -> Result<Value, Problem> {
    let paths = paths(template)?;
    let mut schemas = Value::Object(schemas::schemas());
    wrap_references(&mut schemas);
    let tags = Tag::ALL.map(|(tag, description)| json!({ "name": tag.name(), "description": description }));
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Groups API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Security and distribution groups and their membership, directly and through any number of nested groups.",
            "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Where this document is served." }],
        "security": [{ "Token": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters::parameters(),
            "headers": responses::headers(),
            "responses": responses::error_responses(),
            "securitySchemes": {
                "Token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the gateway trusts. The claim `sub` is the caller, `cognito:groups` holds the roles.",
                },
            },
        },
    }))
}

/// The operations of all routes, by path and method.
fn paths(template: &Template) -> Result<Map<String, Value>, Problem> {
    let mut paths = Map::new();
    let mut documented = BTreeSet::new();
    for route in template.documented_routes() {
        let path = paths.entry(&route.path).or_insert_with(|| json!({}));
        let method = route.method.to_lowercase();
        let mut operation = operations::operation(endpoint(route)?);
        // A further method of the same function: `patch-group` beside `update-group`.
        if !documented.insert(&route.function) {
            let (_, noun) = route.function.split_once('-').unwrap_or_default();
            operation["operationId"] = json!(format!("{method}-{noun}"));
        }
        path[method] = operation;
    }
    Ok(paths)
}

/// Wraps each reference that has a description beside it. OpenAPI allows the two together, but generators of clients ignore one of
/// them.
fn wrap_references(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.len() > 1
                && let Some(reference) = fields.remove("$ref")
            {
                fields.insert("allOf".into(), json!([{ "$ref": reference }]));
            }
            fields.values_mut().for_each(wrap_references);
        }
        Value::Array(items) => items.iter_mut().for_each(wrap_references),
        _ => {}
    }
}

/// Returns the document as YAML: the text that is checked in and served.
///
/// # Errors
/// As [`document`].
pub fn text(template: &Template) -> Result<String, Problem> {
    yaml::write(&document(template)?)
}

fn endpoint(route: &Route) -> Result<&'static Endpoint, Problem> {
    let found = ENDPOINTS.iter().find(|endpoint| endpoint.function.name == route.function);
    found.ok_or_else(|| Problem(format!("there is no operation of the function {}", route.function)))
}
