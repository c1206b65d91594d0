//! The wire types: request bodies, read field by field, and response bodies, in the shapes of `openapi.yaml`.

pub mod accounts;
pub mod fields;
pub mod history;
pub mod managers;
pub mod operation;
pub mod requests;
pub mod responses;
pub mod schema;

pub use fields::{FieldError, Fields, ValidationErrors};
pub use requests::RequestedAccount;
