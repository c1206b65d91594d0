//! An endpoint's description as an "Operation Object" of OpenAPI.

use serde_json::{Map, Value, json};
use shared::api::operation::{Access, Content, OperationLink, Success};
use shared::http::reply::PREVIEW_MEDIA_TYPE;

use super::{parameters, responses, schemas};
use crate::functions::Endpoint;

/// Statuses of error replies that every endpoint can have: no valid token, a missing role, the gateway's throttling, an
/// internal error, a busy table.
const EVERYWHERE: [u16; 5] = [401, 403, 429, 500, 503];

/// Returns the endpoint's operation.
pub(super) fn operation(Endpoint { function, operation }: &Endpoint) -> Value {
    let access = match operation.access {
        Access::Readers => "Any authenticated caller, or those in `READ_ROLES`.",
        Access::Administrators => "Administrators only.",
        Access::Managers => "Administrators, and managers of the group.",
    };
    let reference = |name: &&str| json!({ "$ref": format!("#/components/parameters/{}", parameters::key(name)) });
    let mut responses = Map::new();
    responses.insert(operation.success.status.to_string(), success(&operation.success, operation.links));
    if operation.parameters.contains(&"DryRun") {
        add_preview(&mut responses);
    }
    for status in EVERYWHERE.iter().chain(operation.errors) {
        responses.insert(status.to_string(), responses::reference(*status));
    }
    let mut object = json!({
        "operationId": function.name,
        "tags": [operation.tag.name()],
        "summary": operation.summary,
        "description": format!("{} {access}", operation.description),
        "parameters": operation.parameters.iter().map(reference).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(body) = &operation.request_body {
        object["requestBody"] = json!({ "required": body.required, "content": content(&body.content) });
    }
    object
}

fn success(success: &Success, links: &[OperationLink]) -> Value {
    let mut response = json!({ "description": success.description });
    let header = |name: &&str| ((*name).to_owned(), responses::header(name));
    if !success.headers.is_empty() {
        response["headers"] = success.headers.iter().map(header).collect::<Map<_, _>>().into();
    }
    if let Some(body) = &success.content {
        response["content"] = content(body);
    }
    if !links.is_empty() {
        response["links"] = links.iter().map(link).collect::<Map<_, _>>().into();
    }
    response
}

/// Adds the reply to a dry run, which has a media type of its own.
fn add_preview(responses: &mut Map<String, Value>) {
    let reply =
        responses.entry("200").or_insert_with(|| json!({ "description": "Of a dry run: the effects.", "content": {} }));
    reply["content"][PREVIEW_MEDIA_TYPE] = typed(&Content::PREVIEW);
}

fn content(content: &Content) -> Value {
    json!({ "application/json": typed(content) })
}

fn typed(content: &Content) -> Value {
    let example: Value = serde_json::from_str(content.example).unwrap_or_default();
    json!({ "schema": schemas::reference(content.schema), "example": example })
}

/// A link, by the name of the endpoint that it leads to.
fn link(link: &OperationLink) -> (String, Value) {
    let parameter = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
    let parameters: Map<_, _> = link.parameters.iter().map(parameter).collect();
    (link.operation.to_owned(), json!({ "operationId": link.operation, "parameters": parameters }))
}
