//! The table: embedded or at another endpoint, created from the template's properties.

use std::fmt::Display;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TimeToLiveSpecification,
};
use dynoxide::Database;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{Problem, embedded};

/// Starts the embedded table and returns its URL. Without a file, its data is deleted when the runtime shuts down.
///
/// # Errors
/// The file is no data file of a table, or no port is free.
pub async fn start_embedded(file: Option<&Path>) -> Result<String, Problem> {
    let cannot_start = |error: &dyn Display| Problem::new("cannot start the embedded table", error);
    let (database, folder) = match file {
        Some(path) => {
            let cannot_open = format!("cannot open the data file {}", path.display());
            (open(path).map_err(|why| Problem::new(cannot_open, why))?, None)
        }
        None => {
            // It contains account names and addresses.
            let owner_only = std::fs::Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().permissions(owner_only).tempdir();
            let folder = folder.map_err(|error| cannot_start(&error))?;
            let database = open(&folder.path().join("table.db")).map_err(|error| cannot_start(&error))?;
            (database, Some(folder))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| cannot_start(&error))?;
    let address = listener.local_addr().map_err(|error| cannot_start(&error))?;
    tokio::spawn(async move {
        embedded::serve(listener, database).await;
        drop(folder);
    });
    Ok(format!("http://{address}"))
}

fn open(path: &Path) -> Result<Database, String> {
    let text = path.to_str().ok_or("its name is not UTF-8")?;
    let is_new = std::fs::metadata(path).map_or(true, |file| file.is_file() && file.len() == 0);
    if !is_new {
        check(path).map_err(|_| "it is damaged, or no data file of this server's".to_owned())?;
    }
    let database = Database::new(text).map_err(|error| error.to_string())?;
    index_stream(path).map_err(|error| error.to_string())?;
    Ok(database)
}

/// Reads the whole file and looks for the emulator's tables. The emulator itself would find damage only when it reads it.
fn check(path: &Path) -> rusqlite::Result<()> {
    let file = rusqlite::Connection::open(path)?;
    let found: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    file.query_row("SELECT count(*) FROM _tables", [], |_| Ok(()))?;
    if found == "ok" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
}

/// Adds an index to the emulator's stream records. The emulator numbers a record by the largest number so far; without
/// the index, each write takes longer than the one before (docs/decisions/0005).
fn index_stream(path: &Path) -> rusqlite::Result<()> {
    rusqlite::Connection::open(path)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS groups_local_stream_order
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Checks the URL of `--endpoint-url`.
///
/// # Errors
/// It is not an http URL.
pub fn check_url(url: &str) -> Result<&str, Problem> {
    let uri =
        url.parse::<axum::http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
    uri.map(|_| url).ok_or_else(|| Problem(format!("--endpoint-url {url} is not an http URL")))
}

/// Creates the table with the template's properties, unless one of that name exists. Returns whether it was created.
///
/// # Errors
/// The endpoint refuses or is not DynamoDB.
pub async fn create(client: &Client, name: &str, properties: &Value) -> Result<bool, Problem> {
    let unreadable = |error| Problem::new("template.yaml describes no table", error);
    let request = request(client, properties).map_err(unreadable)?;
    match request.table_name(name).send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
            return Ok(false);
        }
        Err(error) => {
            let why = error.code().map_or("it does not answer as DynamoDB does", |code| code).to_owned();
            return Err(Problem::new("cannot create the table", why));
        }
    }
    if let Some(attribute) = properties["TimeToLiveSpecification"]["AttributeName"].as_str() {
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let request = client.update_time_to_live().table_name(name);
        let sent = request.time_to_live_specification(specification.map_err(unreadable)?).send().await;
        sent.map_err(|error| Problem::new("cannot set the table's time to live", error.code().unwrap_or("no answer")))?;
    }
    Ok(true)
}

/// The properties of a table whose stream is not enabled yet.
#[must_use]
pub fn without_stream(properties: &Value) -> Value {
    let mut properties = properties.clone();
    properties["StreamSpecification"] = Value::Null;
    properties
}

/// Enables the stream that the properties have, on a table that was created without it. Does nothing when the table has one.
///
/// # Errors
/// The endpoint refuses.
pub async fn enable_stream(client: &Client, name: &str, properties: &Value) -> Result<(), Problem> {
    let table = client.describe_table().table_name(name).send().await;
    let table =
        table.map_err(|error| Problem::new("cannot describe the table", error.code().unwrap_or("no answer")))?;
    if table.table().is_some_and(|table| table.stream_specification().is_some()) {
        return Ok(());
    }
    let stream =
        stream_specification(properties).map_err(|error| Problem::new("template.yaml has no stream", error))?;
    let sent = client.update_table().table_name(name).set_stream_specification(stream).send().await;
    sent.map_err(|error| Problem::new("cannot enable the table's stream", error.code().unwrap_or("no answer")))?;
    Ok(())
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
    request = request.set_stream_specification(stream_specification(properties)?);
    Ok(request)
}

fn stream_specification(properties: &Value) -> Result<Option<StreamSpecification>, BuildError> {
    let view = properties["StreamSpecification"]["StreamViewType"].as_str().map(StreamViewType::from);
    view.map(|view| StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build()).transpose()
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
