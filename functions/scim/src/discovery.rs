//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7643, sections 5 to 7; RFC 9865, section 4).

use serde_json::{Value, json};
use shared::http::{Reply, StatusCode};

use crate::call::{Call, Kind, MEDIA_TYPE};
use crate::error::ScimError;
use crate::list::{DEFAULT_COUNT, MAX_COUNT};

/// The schemas of users and groups: the attributes that are kept.
const SCHEMAS: &str = include_str!("schemas.json");

/// Returns one of the three documents, or one resource type or schema.
pub(crate) fn reply(call: &Call<'_>, segments: &[&str]) -> Result<Reply, ScimError> {
    call.read()?;
    let body = match segments {
        ["ServiceProviderConfig"] => service_provider_config(call),
        ["ResourceTypes"] => list(&resource_types(call)),
        ["ResourceTypes", id] => one(resource_types(call), id)?,
        ["Schemas"] => list(&schemas(call)),
        ["Schemas", id] => one(schemas(call), id)?,
        _ => return Err(ScimError::no_path()),
    };
    Ok(Reply::document(StatusCode::OK, MEDIA_TYPE, &body))
}

fn service_provider_config(call: &Call<'_>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A long-lived token, or a JWT of the identity provider below /api/v1/scim/v2",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", call.base),
        },
    })
}

fn resource_types(call: &Call<'_>) -> Vec<Value> {
    let of_kind = |kind: Kind| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": kind.name(),
            "name": kind.name(),
            "endpoint": format!("/{}", kind.endpoint()),
            "schema": kind.schema(),
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{}/ResourceTypes/{}", call.base, kind.name()),
            },
        })
    };
    vec![of_kind(Kind::User), of_kind(Kind::Group)]
}

fn schemas(call: &Call<'_>) -> Vec<Value> {
    // A test parses the file.
    let mut schemas: Vec<Value> = serde_json::from_str(SCHEMAS).unwrap_or_default();
    for schema in &mut schemas {
        let id = schema["id"].as_str().unwrap_or_default();
        schema["meta"] = json!({ "resourceType": "Schema", "location": format!("{}/Schemas/{id}", call.base) });
    }
    schemas
}

/// A list, which is never filtered and has one page (RFC 7644, section 4).
fn list(resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn one(resources: Vec<Value>, id: &str) -> Result<Value, ScimError> {
    let found = resources.into_iter().find(|resource| resource["id"] == id);
    found.ok_or_else(|| ScimError::no_resource("resource type or schema", id))
}
