//! Sends requests to the API and checks every answer against the contract.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use super::contract::assert_documented;
use super::log::canary_in;

/// An answer of the API. `body` is null where the answer has none.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// Sends the request. Asserts that the answer is one that the OpenAPI document describes, and that an error leaks no
    /// canary.
    pub async fn to(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, url) = (request.method().clone(), request.url().clone());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let received = format!("{headers:?} {text}");
        let is_error = status.is_client_error() || status.is_server_error();
        assert!(!is_error || canary_in(&received).is_none(), "{received}");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        // RFC 7644 describes those of SCIM.
        if !url.path().contains("/scim/") {
            assert_documented(method.as_str(), url.path(), status.as_u16(), &headers, &body);
        }
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the body of a 200.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        self.body
    }

    /// Returns the fields of a 400 and the reason for each. Asserts the contract's envelope.
    pub fn field_errors(self) -> Vec<(String, String)> {
        self.refused(400, "VALIDATION_ERROR");
        let details = self.body["error"]["details"].as_array().expect("a validation error names the fields");
        assert!(!details.is_empty());
        let message = self.body["error"]["message"].as_str().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors: Vec<_> = details.iter().map(|error| (text(&error["field"]), text(&error["reason"]))).collect();
        for (field, _) in &errors {
            assert!(message.contains(&format!("{field} must be ")), "{message} names the valid values of {field}");
        }
        errors
    }

    /// Asserts this error in the contract's envelope. Returns its message.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status.as_u16(), self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        let error = self.body["error"].as_object().unwrap();
        assert!(error["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!(error.contains_key("details"), status == 400);
        assert_eq!(self.body.as_object().unwrap().len(), 1);
        error["message"].as_str().unwrap()
    }

    #[track_caller]
    pub fn not_found(&self) -> &str {
        self.refused(404, "NOT_FOUND")
    }
}
