//! Between API Gateway and the handlers: reading requests, building replies, and the one table from errors to statuses.

pub mod condition;
pub mod error;
pub mod reply;
pub mod request;

pub use error::ApiError;
pub use lambda_http::http::{HeaderMap, Method, StatusCode, header};
pub use lambda_http::{Request, Response};
pub use reply::Reply;

/// A response in the type that the runtime hands to API Gateway.
pub type HttpResponse = Response<lambda_http::Body>;
