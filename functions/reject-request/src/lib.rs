//! `$default`: every request that no other route takes.
//!
//! 404 for a path that no route has, suggesting one where only a slash at the end is too many; 405 with `Allow` for a method that
//! the path lacks. Any authenticated caller, or those in `READ_ROLES`. 204 with `Allow` for `OPTIONS`, without a token.

use shared::app::{App, Function};
use shared::authz::Read;
use shared::http::{ApiError, Method, Reply, Request};

/// This function.
pub const FUNCTION: Function = Function::new("reject-request", |app, request| Box::pin(handler(app, request)));

/// The paths of all routes, each with its methods. A segment in braces is a parameter.
pub const PATHS: [(&str, &str); 6] = [
    ("/api/v1/groups", "GET, HEAD, POST"),
    ("/api/v1/groups/{id}", "DELETE, GET, HEAD, PUT"),
    ("/api/v1/groups/{id}/groups", "GET, HEAD"),
    ("/api/v1/groups/{id}/groups/{childId}", "DELETE, PUT"),
    ("/api/v1/groups/{id}/members", "GET, HEAD, PATCH"),
    ("/api/v1/groups/{id}/members/{accountId}", "DELETE, GET, HEAD, PUT"),
];

/// Handles a request.
pub async fn handler(app: &App, request: Request) -> Result<Reply, ApiError> {
    let path = request.uri().path();
    // A browser sends it without a token, before a request of a page from another origin.
    let is_preflight = request.method() == Method::OPTIONS;
    if !is_preflight {
        app.authorize::<Read>(&request)?;
    }
    if let Some(methods) = methods(path) {
        let refused = ApiError::MethodNotAllowed(methods.to_owned());
        return if is_preflight { Ok(Reply::allow(methods)) } else { Err(refused) };
    }
    let trimmed = path.trim_end_matches('/');
    Err(ApiError::NoRoute(methods(trimmed).map(|_| trimmed.to_owned())))
}

fn methods(path: &str) -> Option<&'static str> {
    let is_match = |route: &str| {
        let (route, path) = (route.split('/'), path.split('/'));
        route.clone().count() == path.clone().count()
            && route.zip(path).all(|(part, text)| part == text || (part.starts_with('{') && !text.is_empty()))
    };
    PATHS.iter().find(|(route, _)| is_match(route)).map(|(_, methods)| *methods)
}
