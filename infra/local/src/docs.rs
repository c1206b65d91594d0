//! `/openapi.yaml`, `/openapi.json`, and `/docs`: a page that shows the document and sends calls. Only the local server has them.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Response};

use crate::Problem;
use crate::openapi;
use crate::template::Template;

const PAGE: &str = include_str!("docs.html");
/// The text of the page that the document replaces.
const PLACEHOLDER: &str = "\"the document\"";
/// The page loads nothing and calls this server only.
const SAME_ORIGIN_ONLY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:",
);

/// The document and its page.
pub struct Docs {
    yaml: Bytes,
    json: Bytes,
    page: Bytes,
}

impl Docs {
    /// Makes the document and its page from the template.
    ///
    /// # Errors
    /// As [`openapi::document`].
    pub fn new(template: &Template) -> Result<Self, Problem> {
        // A `<` in the document must not end the page's script.
        let json = openapi::document(template)?.to_string();
        let page = PAGE.replace(PLACEHOLDER, &json.replace('<', "\\u003c")).into();
        Ok(Self { yaml: openapi::text(template)?.into(), json: json.into(), page })
    }

    /// Replies to a request for one of the three paths; `None` for any other.
    #[must_use]
    pub fn respond(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        let (body, content_type) = match (method, path) {
            (&Method::GET, "/openapi.yaml") => (&self.yaml, "application/yaml"),
            (&Method::GET, "/openapi.json") => (&self.json, "application/json"),
            (&Method::GET, "/docs") => (&self.page, "text/html; charset=utf-8"),
            _ => return None,
        };
        let mut response = Response::new(Body::from(body.clone()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, SAME_ORIGIN_ONLY);
        Some(response)
    }
}
