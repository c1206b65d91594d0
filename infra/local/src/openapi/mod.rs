//! The API as an OpenAPI document: routes are the template's, schemas those of the wire types, errors as the API answers
//! them; `operations.rs` has what a reader wants to know besides. `openapi.yaml` is this, written down.

mod answers;
mod links;
mod operations;
mod parameters;
mod schemas;
mod yaml;

use serde_json::{Map, Value, json};

use self::operations::{OPERATIONS, Operation, Success, Who};
use crate::Problem;
use crate::template::{Route, Template};

/// What every operation may answer besides: without a token that verifies, without the role, by the gateway's throttling,
/// by a fault of ours, by a table that is busy.
const EVERYWHERE: [u16; 5] = [401, 403, 429, 500, 503];

/// The document.
///
/// # Errors
/// The template has a route that no operation here is of.
pub fn document(template: &Template) -> Result<Value, Problem> {
    let mut paths = Map::new();
    for route in &template.routes {
        let path = paths.entry(&route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(of(route)?);
    }
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
        "tags": [
            { "name": "Groups", "description": "Groups, and lists of them." },
            { "name": "Members", "description": "Accounts in groups." },
            { "name": "Nesting", "description": "Groups in groups." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas::schemas(),
            "parameters": parameters::parameters(),
            "headers": answers::headers(),
            "responses": answers::refusals(),
            "securitySchemes": {
                "Token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the gateway is set up for. `sub` is the caller, the claim `cognito:groups` holds the roles.",
                },
            },
        },
    }))
}

/// The document as YAML: what is checked in and served.
///
/// # Errors
/// As [`document`].
pub fn text(template: &Template) -> Result<String, Problem> {
    yaml::write(&document(template)?)
}

fn of(route: &Route) -> Result<&'static Operation, Problem> {
    let found = OPERATIONS.iter().find(|operation| operation.function == route.function);
    found.ok_or_else(|| Problem(format!("there is no operation of the function {}", route.function)))
}

fn operation(operation: &Operation) -> Value {
    let who = match operation.who {
        Who::Anyone => "Any authenticated caller, or those in `READ_ROLES`.",
        Who::Administrators => "Administrators only.",
    };
    let reference = |name: &&str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let mut responses = Map::new();
    responses.insert(operation.success.status.to_string(), success(operation));
    for status in EVERYWHERE.iter().chain(operation.refusals) {
        let name = answers::name(*status);
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    let mut told = json!({
        "operationId": operation.function,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": format!("{} {who}", operation.description),
        "parameters": operation.parameters.iter().map(reference).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(body) = &operation.body {
        told["requestBody"] = json!({
            "required": body.required,
            "content": {
                "application/json": { "schema": schemas::reference(body.schema), "example": read(body.example) },
            },
        });
    }
    told
}

fn success(operation: &Operation) -> Value {
    let Success { status: _, description, headers, body } = operation.success;
    let mut told = json!({ "description": description });
    let reference = |name: &&str| ((*name).to_owned(), answers::header(name));
    if !headers.is_empty() {
        told["headers"] = headers.iter().map(reference).collect::<Map<_, _>>().into();
    }
    if let Some((schema, example)) = body {
        let content = json!({ "schema": schemas::reference(schema), "example": read(example) });
        told["content"] = json!({ "application/json": content });
    }
    if !operation.links.is_empty() {
        told["links"] = links::links(operation.links);
    }
    told
}

/// An example of `operations.rs`.
fn read(example: &str) -> Value {
    serde_json::from_str(example).unwrap_or_default()
}
