//! `/openapi.yaml`, and `/docs`: a page to read it on and to try calls. On this machine only.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Response};

use crate::Problem;
use crate::openapi;
use crate::template::Template;

const PAGE: &str = include_str!("docs.html");
/// Where the page has the document.
const PLACE: &str = "\"the document\"";
/// The page needs nothing from elsewhere, and asks nobody but this server.
const ONLY_OURS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:",
);

/// The document and its page.
pub struct Docs {
    yaml: Bytes,
    page: Bytes,
}

impl Docs {
    /// Of the API that the template describes.
    ///
    /// # Errors
    /// As [`openapi::document`].
    pub fn new(template: &Template) -> Result<Self, Problem> {
        // A `<` in a text must not end the script that it stands in.
        let document = openapi::document(template)?.to_string().replace('<', "\\u003c");
        Ok(Self { yaml: openapi::text(template)?.into(), page: PAGE.replace(PLACE, &document).into() })
    }

    /// Answers what came to one of the two paths; `None` for any other.
    #[must_use]
    pub fn respond(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        let (body, content_type) = match (method, path) {
            (&Method::GET, "/openapi.yaml") => (&self.yaml, "application/yaml"),
            (&Method::GET, "/docs") => (&self.page, "text/html; charset=utf-8"),
            _ => return None,
        };
        let mut response = Response::new(Body::from(body.clone()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, ONLY_OURS);
        Some(response)
    }
}
