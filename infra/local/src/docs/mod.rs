//! `/openapi.yaml` and `/openapi.json`; `/docs`, which shows the document in Swagger UI and sends calls. Only the local server has
//! them. `swagger-ui` holds files of the npm package `swagger-ui-dist` 5.35.0, without the references to source maps.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, Response};

use crate::Problem;
use crate::openapi;
use crate::template::Template;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page and its parts: path, content type and content.
const PAGES: [(&str, &str, &[u8]); 4] = [
    ("/docs", HTML, include_bytes!("page.html")),
    ("/docs/page.js", SCRIPT, include_bytes!("page.js")),
    ("/docs/swagger-ui-bundle.js", SCRIPT, include_bytes!("swagger-ui/swagger-ui-bundle.js")),
    ("/docs/swagger-ui.css", STYLE, include_bytes!("swagger-ui/swagger-ui.css")),
];

/// The page loads from this server and calls this server only. Its icons are data.
const SAME_ORIGIN_ONLY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The document, in both forms.
pub struct Docs {
    yaml: Bytes,
    json: Bytes,
}

impl Docs {
    /// Makes the document from the template.
    ///
    /// # Errors
    /// As [`openapi::document`].
    pub fn new(template: &Template) -> Result<Self, Problem> {
        let (yaml, json) = (openapi::text(template)?, openapi::document(template)?.to_string());
        Ok(Self { yaml: yaml.into(), json: json.into() })
    }

    /// Replies to a request for the document, the page or a part of it; `None` for any other.
    #[must_use]
    pub fn respond(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        if method != Method::GET {
            return None;
        }
        let (content_type, body) = match path {
            "/openapi.yaml" => ("application/yaml", self.yaml.clone()),
            "/openapi.json" => ("application/json", self.json.clone()),
            path => {
                let (_, content_type, content) = PAGES.iter().find(|(page, _, _)| *page == path)?;
                (*content_type, Bytes::from_static(content))
            }
        };
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_SECURITY_POLICY, SAME_ORIGIN_ONLY);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(response)
    }
}
