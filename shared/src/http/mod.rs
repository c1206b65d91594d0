//! Between API Gateway and the handlers: what a request says, what an answer looks like, and the one table that turns
//! what went wrong into a status.

pub mod error;
pub mod reply;
pub mod request;

pub use error::ApiError;
pub use lambda_http::{Request, Response};
pub use reply::Reply;

/// An answer as the gateway takes it.
pub type HttpResponse = Response<lambda_http::Body>;
