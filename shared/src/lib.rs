//! Code that all functions of the Groups API share: domain types, authorization, wire types, store, and the frame that
//! runs a handler. `ARCHITECTURE.md` has the map.

pub mod api;
pub mod app;
pub mod authz;
pub mod aws;
pub mod bus;
pub mod config;
pub mod domain;
pub mod events;
pub mod http;
pub mod propagation;
pub mod store;
pub mod telemetry;
pub mod verify;
