//! The schemas of all bodies, collected from their types.

use schemars::generate::SchemaSettings;
use schemars::transform::RestrictFormats;
use serde_json::{Map, Value, json};
use shared::api::accounts::{
    AccountGroupsResponse, AccountResponse, AccountsResponse, MembershipChecksResponse, PathsResponse,
};
use shared::api::history::HistoryResponse;
use shared::api::managers::ManagersResponse;
use shared::api::requests::{
    AddMemberRequest, ChangeMembersRequest, CheckMembershipsRequest, CreateGroupRequest, UpdateGroupRequest,
};
use shared::api::responses::{
    ErrorResponse, GroupResponse, GroupsResponse, MemberResponse, MembersResponse, OutcomesResponse, PreviewResponse,
};
use shared::api::schema::EmptyRequest;

/// Every schema, by its name.
pub(super) fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    // Formats such as `uint64` are the crate's own and mean nothing to other readers.
    let mut formats = RestrictFormats::default();
    formats.infer_from_meta_schema = false;
    formats.allowed_formats.insert("date-time".into());
    let mut generator = settings.with_transform(formats).into_generator();
    generator.subschema_for::<CreateGroupRequest>();
    generator.subschema_for::<UpdateGroupRequest>();
    generator.subschema_for::<AddMemberRequest>();
    generator.subschema_for::<ChangeMembersRequest>();
    generator.subschema_for::<EmptyRequest>();
    generator.subschema_for::<GroupResponse>();
    generator.subschema_for::<GroupsResponse>();
    generator.subschema_for::<MemberResponse>();
    generator.subschema_for::<MembersResponse>();
    generator.subschema_for::<OutcomesResponse>();
    generator.subschema_for::<AccountResponse<'_>>();
    generator.subschema_for::<AccountsResponse<'_>>();
    generator.subschema_for::<AccountGroupsResponse<'_>>();
    generator.subschema_for::<CheckMembershipsRequest>();
    generator.subschema_for::<MembershipChecksResponse<'_>>();
    generator.subschema_for::<PathsResponse<'_>>();
    generator.subschema_for::<HistoryResponse<'_>>();
    generator.subschema_for::<ManagersResponse<'_>>();
    generator.subschema_for::<PreviewResponse<'_>>();
    generator.subschema_for::<ErrorResponse>();
    let mut schemas = generator.take_definitions(true);
    schemas.insert(
        "GatewayError".into(),
        json!({
            "description": "A reply of the gateway itself, before a function is called or in its place.",
            "type": "object",
            "required": ["message"],
            "properties": { "message": { "type": "string" } },
        }),
    );
    schemas
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
