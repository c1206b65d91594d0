//! The OpenAPI document, as what every answer of the API must be.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::template;

/// Headers that say something of an answer: none of them comes where the document has none.
const HEADERS: [&str; 5] = ["etag", "location", "membership-settled", "retry-after", "www-authenticate"];

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| groups_local::openapi::document(template()).unwrap())
}

/// What a reference stands for.
pub fn resolve(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Holds values to a schema of the document. Fields that it has not are refused: answers may get more, but not unsaid.
pub fn validator(schema: &Value) -> Validator {
    let mut components = document()["components"]["schemas"].clone();
    for schema in components.as_object_mut().unwrap().values_mut().filter(|schema| schema["type"] == "object") {
        schema["additionalProperties"] = json!(false);
    }
    let mut root = schema.clone();
    root["components"] = json!({ "schemas": components });
    jsonschema::options().should_validate_formats(true).build(&root).unwrap()
}

/// Every operation, by method and path.
pub fn operations() -> BTreeMap<(String, String), &'static Value> {
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'static Value)| {
        let told = |(method, operation): (&String, _)| ((method.to_uppercase(), path.clone()), operation);
        item.as_object().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// An answer as the document has it.
struct Documented {
    body: Option<Validator>,
    headers: BTreeMap<String, Header>,
}

struct Header {
    is_required: bool,
    is_text: bool,
    value: Validator,
}

impl Documented {
    fn of(response: &Value) -> Self {
        let response = resolve(response);
        let body = response["content"].as_object().map(|content| validator(&content["application/json"]["schema"]));
        let header = |(name, header): (&String, &Value)| {
            let header = resolve(header);
            let (schema, is_required) = (&header["schema"], header["required"] == json!(true));
            let value = jsonschema::validator_for(schema).unwrap();
            (name.to_lowercase(), Header { is_required, is_text: schema["type"] == "string", value })
        };
        Self { body, headers: response["headers"].as_object().into_iter().flatten().map(header).collect() }
    }

    fn assert(&self, what: &str, headers: &HeaderMap, body: &Value) {
        match &self.body {
            Some(schema) => {
                if !schema.is_valid(body) {
                    let faults: Vec<String> = schema.iter_errors(body).map(|error| error.to_string()).collect();
                    panic!("{what}: {faults:?} of {body}");
                }
                assert!(headers["content-type"].to_str().unwrap().starts_with("application/json"), "{what}");
            }
            None => assert!(body.is_null(), "{what} has a body: {body}"),
        }
        for name in HEADERS {
            let (header, value) = (self.headers.get(name), headers.get(name));
            let Some(value) = value.map(|value| value.to_str().unwrap()) else {
                assert!(!header.is_some_and(|header| header.is_required), "{what} has no {name}");
                continue;
            };
            let header = header.unwrap_or_else(|| panic!("{what} has {name}, which the document has not"));
            let read = if header.is_text { json!(value) } else { serde_json::from_str(value).unwrap() };
            assert!(header.value.is_valid(&read), "{what}: {name} is {value}");
        }
    }
}

/// Holds an answer to what the document says of it; does nothing where no operation was asked.
#[track_caller]
pub fn assert_documented(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &Value) {
    static ANSWERS: OnceLock<BTreeMap<(String, String), BTreeMap<u16, Documented>>> = OnceLock::new();
    let all = ANSWERS.get_or_init(|| {
        let answers = |operation: &Value| {
            let responses = operation["responses"].as_object().unwrap().iter();
            responses.map(|(status, response)| (status.parse().unwrap(), Documented::of(response))).collect()
        };
        operations().into_iter().map(|(route, operation)| (route, answers(operation))).collect()
    });
    let of_route = all.iter().find(|((of_method, of_path), _)| of_method == method && is_of(of_path, path));
    let Some((_, answers)) = of_route else { return };
    let what = format!("{method} {path}, {status}");
    answers.get(&status).unwrap_or_else(|| panic!("{what} is not in the document")).assert(&what, headers, body);
}

/// Whether a path is one of a route's.
fn is_of(route: &str, path: &str) -> bool {
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    let fits = route.by_ref().zip(path.by_ref()).all(|(of_route, part)| {
        let is_parameter = of_route.starts_with('{') && !part.is_empty();
        is_parameter || of_route == part
    });
    fits && route.next().is_none() && path.next().is_none()
}
