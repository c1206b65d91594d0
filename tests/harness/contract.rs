//! Checks answers of the API against the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::template;

/// Headers that belong to the contract. An answer has only those that the document describes for it.
const HEADERS: [&str; 5] = ["etag", "location", "membership-settled", "retry-after", "www-authenticate"];

/// Returns the OpenAPI document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| groups_local::openapi::document(template()).unwrap())
}

/// Returns the part of the document that `$ref` points to, or the value itself without one.
pub fn resolve(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Compiles a schema of the document. Refuses fields that the schema lacks: a new field needs a description.
pub fn validator(schema: &Value) -> Validator {
    let mut components = document()["components"]["schemas"].clone();
    for schema in components.as_object_mut().unwrap().values_mut().filter(|schema| schema["type"] == "object") {
        schema["additionalProperties"] = json!(false);
    }
    let mut root = schema.clone();
    root["components"] = json!({ "schemas": components });
    jsonschema::options().should_validate_formats(true).build(&root).unwrap()
}

/// Returns every operation by method and path.
pub fn operations() -> BTreeMap<(String, String), &'static Value> {
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'static Value)| {
        let entry = |(method, operation): (&String, _)| ((method.to_uppercase(), path.clone()), operation);
        item.as_object().unwrap().iter().map(entry).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// An answer as the document describes it.
struct Documented {
    /// The body's schema, by media type.
    bodies: BTreeMap<String, Validator>,
    /// The codes of the examples, for an error.
    codes: BTreeSet<String>,
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
        let content = response["content"].as_object().into_iter().flatten();
        let bodies = content.map(|(media_type, content)| (media_type.clone(), validator(&content["schema"]))).collect();
        let examples = response["content"]["application/json"]["examples"].as_object().into_iter().flatten();
        let codes = examples.filter_map(|(_, example)| example["value"]["error"]["code"].as_str().map(str::to_owned));
        let codes = codes.collect();
        let header = |(name, header): (&String, &Value)| {
            let header = resolve(header);
            let (schema, is_required) = (&header["schema"], header["required"] == json!(true));
            let value = jsonschema::validator_for(schema).unwrap();
            (name.to_lowercase(), Header { is_required, is_text: schema["type"] == "string", value })
        };
        Self { bodies, codes, headers: response["headers"].as_object().into_iter().flatten().map(header).collect() }
    }

    fn assert(&self, answer: &str, headers: &HeaderMap, body: &Value) {
        let media_type = headers.get("content-type").and_then(|value| value.to_str().ok()?.split(';').next());
        match media_type {
            Some(media_type) => {
                let schema = self.bodies.get(media_type);
                let schema = schema.unwrap_or_else(|| panic!("{answer} has {media_type}, which the document lacks"));
                if !schema.is_valid(body) {
                    let errors: Vec<String> = schema.iter_errors(body).map(|error| error.to_string()).collect();
                    panic!("{answer}: {errors:?} of {body}");
                }
                let code = body["error"]["code"].as_str();
                assert!(code.is_none_or(|code| self.codes.contains(code)), "{answer}: {code:?}");
            }
            None => assert!(
                body.is_null() && self.bodies.is_empty(),
                "{answer} has the body {body}, and the document {:?}",
                self.bodies.keys()
            ),
        }
        for name in HEADERS {
            let (header, value) = (self.headers.get(name), headers.get(name));
            let Some(value) = value.map(|value| value.to_str().unwrap()) else {
                assert!(!header.is_some_and(|header| header.is_required), "{answer} has no {name}");
                continue;
            };
            let header = header.unwrap_or_else(|| panic!("{answer} has {name}, which the document lacks"));
            let read = if header.is_text { json!(value) } else { serde_json::from_str(value).unwrap() };
            assert!(header.value.is_valid(&read), "{answer}: {name} is {value}");
        }
    }
}

/// Asserts that the document describes this answer. Ignores paths that are no operation of the document, and methods that a
/// path lacks.
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
    let operation =
        all.iter().find(|((operation_method, route), _)| operation_method == method && matches_route(route, path));
    let Some((_, answers)) = operation else { return };
    let answer = format!("{method} {path}, {status}");
    answers.get(&status).unwrap_or_else(|| panic!("{answer} is not in the document")).assert(&answer, headers, body);
}

/// Whether a path matches a route, whose parameters are in braces.
fn matches_route(route: &str, path: &str) -> bool {
    let (route, path): (Vec<&str>, Vec<&str>) = (route.split('/').collect(), path.split('/').collect());
    let is_match =
        |(expected, part): (&&str, &&str)| expected == part || (expected.starts_with('{') && !part.is_empty());
    route.len() == path.len() && route.iter().zip(&path).all(is_match)
}
