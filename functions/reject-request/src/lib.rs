//! `$default`: every request that no other route takes.
//!
//! 404 for a path that no route has, suggesting one where only a slash at the end is too many; 405 with `Allow` for a method that
//! the path lacks; 204 with `Allow` for `OPTIONS`. Any caller, without a token.

use shared::app::Function;
use shared::http::{ApiError, Method, Reply, Request};

/// This function.
pub const FUNCTION: Function = Function::new("reject-request", |_, request| Box::pin(handler(request)));

/// The paths of all routes, each with its methods. A segment in braces is a parameter.
pub const PATHS: [(&str, &str); 16] = [
    ("/api/v1/accounts", "GET, HEAD"),
    ("/api/v1/accounts/{accountId}", "GET, HEAD"),
    ("/api/v1/accounts/{accountId}/check", "POST"),
    ("/api/v1/accounts/{accountId}/groups", "GET, HEAD"),
    ("/api/v1/accounts/{accountId}/history", "GET, HEAD"),
    ("/api/v1/groups", "GET, HEAD, POST"),
    ("/api/v1/groups/{id}", "DELETE, GET, HEAD, PATCH, PUT"),
    ("/api/v1/groups/{id}/groups", "GET, HEAD"),
    ("/api/v1/groups/{id}/groups/{childId}", "DELETE, PUT"),
    ("/api/v1/groups/{id}/history", "GET, HEAD"),
    ("/api/v1/groups/{id}/managers", "GET, HEAD"),
    ("/api/v1/groups/{id}/managers/{managerId}", "DELETE, GET, HEAD, PUT"),
    ("/api/v1/groups/{id}/members", "GET, HEAD, PATCH"),
    ("/api/v1/groups/{id}/members/{accountId}", "DELETE, GET, HEAD, PUT"),
    ("/api/v1/groups/{id}/members/{accountId}/paths", "GET, HEAD"),
    ("/api/v1/groups/{id}/parents", "GET, HEAD"),
];

/// Handles a request.
pub async fn handler(request: Request) -> Result<Reply, ApiError> {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    match methods(path) {
        Some(methods) if request.method() == Method::OPTIONS => Ok(Reply::allow(methods)),
        Some(methods) => Err(ApiError::MethodNotAllowed(methods.to_owned())),
        None => Err(ApiError::NoRoute(methods(trimmed).map(|_| trimmed.to_owned()))),
    }
}

fn methods(path: &str) -> Option<&'static str> {
    let is_match = |route: &str| {
        let (route, path) = (route.split('/'), path.split('/'));
        route.clone().count() == path.clone().count()
            && route.zip(path).all(|(part, text)| part == text || (part.starts_with('{') && !text.is_empty()))
    };
    PATHS.iter().find(|(route, _)| is_match(route)).map(|(_, methods)| *methods)
}
