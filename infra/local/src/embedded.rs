//! The embedded table behind a port that no web page can use.
//!
//! The emulator's own server lets every page of a browser read and change the table (`access-control-allow-origin: *`). This one
//! refuses requests with an `Origin`, which browsers send, and those for another host, by which a page rebinds its own name to
//! this machine.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;

use crate::host;

/// The prefixes of `x-amz-target`: of DynamoDB and of its streams.
const TARGETS: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// Serves the table until the runtime shuts down.
pub(crate) async fn serve(listener: TcpListener, database: Database) {
    let router = Router::new().fallback(respond).with_state(database);
    let _ = axum::serve(listener, router).await;
}

async fn respond(State(database): State<Database>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    if !host::is_local(&headers) {
        return answer(StatusCode::FORBIDDEN, error("AccessDeniedException", "not for web pages"));
    }
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = TARGETS.iter().find_map(|prefix| target.strip_prefix(prefix));
    if !headers.contains_key(AUTHORIZATION) {
        return answer(StatusCode::BAD_REQUEST, error("MissingAuthenticationTokenException", "is not signed"));
    }
    let run = operation.and_then(|operation| call(&database, operation, &body));
    match run {
        Some(Ok(text)) => answer(StatusCode::OK, text),
        Some(Err(error)) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            answer(status, error.to_json())
        }
        None => answer(StatusCode::BAD_REQUEST, error("UnknownOperationException", "is no operation here")),
    }
}

/// Runs one operation; `None` for one that neither the store, the local server nor a test uses.
fn call(db: &Database, operation: &str, body: &[u8]) -> Option<Result<String, DynoxideError>> {
    Some(match operation {
        "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
        "CreateTable" => run(body, |request| db.create_table(request)),
        "DeleteItem" => run(body, |request| db.delete_item(request)),
        "DescribeStream" => run(body, |request| db.describe_stream(request)),
        "DescribeTable" => run(body, |request| db.describe_table(request)),
        "GetItem" => run(body, |request| db.get_item(request)),
        "GetRecords" => run(body, |request| db.get_records(request)),
        "GetShardIterator" => run(body, |request| db.get_shard_iterator(request)),
        "ListStreams" => run(body, |request| db.list_streams(request)),
        "ListTables" => run(body, |request| db.list_tables(request)),
        "PutItem" => run(body, |request| db.put_item(request)),
        "Query" => run(body, |request| db.query(request)),
        "Scan" => run(body, |request| db.scan(request)),
        "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
        "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
        "UpdateItem" => run(body, |request| db.update_item(request)),
        "UpdateTable" => run(body, |request| db.update_table(request)),
        "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
        _ => return None,
    })
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_slice(body);
    let request = request.map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    Ok(serde_json::to_string(&operation(request)?).unwrap_or_default())
}

fn error(name: &str, message: &str) -> String {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": message }).to_string()
}

fn answer(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
