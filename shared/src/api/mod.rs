//! What goes over the wire: requests read field by field, responses in the shape of the contract.

pub mod fields;
pub mod operation;
pub mod requests;
pub mod responses;
pub mod schema;

pub use fields::{FieldError, Fields, ValidationErrors};
pub use requests::RequestedAccount;
