//! The Groups API on one machine, made from the files that deploy it: `template.yaml` says which routes there are, which
//! functions answer them, what their environment is, who issues tokens and what the table looks like.

pub mod bus;
pub mod demo;
pub mod development_key;
pub mod docs;
pub mod event;
pub mod functions;
pub mod gateway;
pub mod jwt;
pub mod machine;
pub mod openapi;
pub mod pattern;
pub mod poller;
pub mod queue_poller;
pub mod table;
pub mod table_stream;
pub mod template;
pub mod verify;

use std::fmt;

/// Why the local API cannot start, or cannot do what it was asked: one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub String);

impl Problem {
    /// What could not be done, and why.
    pub fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}
