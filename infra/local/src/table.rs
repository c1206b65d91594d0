//! The table: embedded, or elsewhere by its URL; made as the template says.

use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
};
use dynoxide::Database;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Problem;

/// Starts the embedded table, in memory or in a file, and gives its URL. It lives as long as the process.
///
/// # Errors
/// The file cannot be read as a table's, or there is no port.
pub async fn start_embedded(file: Option<&Path>) -> Result<String, Problem> {
    let database = match file {
        None => Database::memory().map_err(|error| Problem::new("cannot start the embedded table", error)),
        Some(path) => {
            let what = format!("cannot open the data file {}", path.display());
            let text = path
                .to_str()
                .ok_or_else(|| Problem::new(&what, "its name is not UTF-8"))?;
            Database::new(text).map_err(|error| Problem::new(&what, error))
        }
    }?;
    let no_port = |error| Problem::new("cannot start the embedded table", error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    tokio::spawn(dynoxide::server::serve_with_shutdown(
        listener,
        database,
        std::future::pending(),
    ));
    Ok(format!("http://{address}"))
}

/// Makes the table as the template's properties say, unless there is one of that name. Gives whether it was made.
///
/// # Errors
/// What is at the endpoint refuses, or is not DynamoDB.
pub async fn create(client: &Client, name: &str, properties: &Value) -> Result<bool, Problem> {
    let unreadable = |error| Problem::new("template.yaml describes no table", error);
    let request = request(client, properties).map_err(unreadable)?;
    match request.table_name(name).send().await {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_in_use_exception()) =>
        {
            return Ok(false);
        }
        Err(error) => {
            let why = error
                .code()
                .map_or("it does not answer as DynamoDB does", |code| code)
                .to_owned();
            return Err(Problem::new("cannot create the table", why));
        }
    }
    if let Some(attribute) = properties["TimeToLiveSpecification"]["AttributeName"].as_str() {
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(attribute)
            .build();
        let request = client.update_time_to_live().table_name(name);
        let sent = request
            .time_to_live_specification(specification.map_err(unreadable)?)
            .send()
            .await;
        sent.map_err(|error| {
            Problem::new(
                "cannot set the table's time to live",
                error.code().unwrap_or("no answer"),
            )
        })?;
    }
    Ok(true)
}

fn request(client: &Client, properties: &Value) -> Result<CreateTableFluentBuilder, BuildError> {
    let mut request = client.create_table().billing_mode(BillingMode::PayPerRequest);
    request = request.set_key_schema(Some(key_schema(&properties["KeySchema"])?));
    for attribute in list(&properties["AttributeDefinitions"]) {
        let definition = AttributeDefinition::builder()
            .attribute_name(text(&attribute["AttributeName"]))
            .attribute_type(ScalarAttributeType::from(text(&attribute["AttributeType"])))
            .build()?;
        request = request.attribute_definitions(definition);
    }
    for index in list(&properties["GlobalSecondaryIndexes"]) {
        let kind = ProjectionType::from(text(&index["Projection"]["ProjectionType"]));
        let index = GlobalSecondaryIndex::builder()
            .index_name(text(&index["IndexName"]))
            .set_key_schema(Some(key_schema(&index["KeySchema"])?))
            .projection(Projection::builder().projection_type(kind).build())
            .build()?;
        request = request.global_secondary_indexes(index);
    }
    if let Some(view) = properties["StreamSpecification"]["StreamViewType"].as_str() {
        let stream = StreamSpecification::builder().stream_enabled(true);
        request = request.stream_specification(stream.stream_view_type(StreamViewType::from(view)).build()?);
    }
    Ok(request)
}

fn key_schema(schema: &Value) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |element: &Value| {
        KeySchemaElement::builder()
            .attribute_name(text(&element["AttributeName"]))
            .key_type(KeyType::from(text(&element["KeyType"])))
            .build()
    };
    list(schema).map(element).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
