//! The Groups API on one machine. Routes, functions, their environment, the token issuer and the table are read from
//! `template.yaml`, the file that deploys it.

pub mod activity;
pub mod authorizers;
pub mod bus;
pub mod data_file;
pub mod demo;
pub mod development_key;
pub mod docs;
mod embedded;
pub mod event;
pub mod functions;
pub mod gateway;
mod host;
pub mod jwt;
pub mod local_endpoints;
pub mod openapi;
pub mod pattern;
pub mod poller;
pub mod queue_poller;
pub mod request_log;
pub mod scheduler;
pub mod table;
pub mod table_stream;
pub mod template;
pub mod verify;

use std::fmt;

/// An error of the local API, as one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub String);

impl Problem {
    /// A problem: the step that failed and its cause.
    pub fn new(failed: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{failed}: {cause}"))
    }
}
