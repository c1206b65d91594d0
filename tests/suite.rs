//! The only test binary. Most tests call the API over HTTP, on a real emulator of DynamoDB: the embedded one, or that at
//! `DYNAMODB_ENDPOINT=http://127.0.0.1:8000`.

mod harness;

mod authorization;
mod binaries;
mod budget;
mod canaries;
mod cargo_local;
mod concurrency;
mod config;
mod contention;
mod cursors;
mod deployment;
mod endpoints;
mod faults;
mod gateway;
mod group_fields;
mod guards;
mod history;
mod hostile;
mod intake;
mod model;
mod monitoring;
mod openapi;
mod preconditions;
mod propagation;
mod publishing;
mod readme;
mod requests;
mod restore;
mod routes;
mod search;
mod stream;
mod template;
mod tidy;
mod tokens;
