//! Bodies of requests: JSON objects, whose attribute names have any case (RFC 7643, section 2.1).

use serde_json::{Map, Value, json};
use shared::http::{Request, request};

use crate::error::ScimError;

/// The largest body, in bytes: some 10,000 members fit.
const MAX_BYTES: usize = 1024 * 1024;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// Returns the body of a request.
pub(crate) fn object(request: &Request) -> Result<Object, ScimError> {
    let body = request::json_body_up_to(request, MAX_BYTES)?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ScimError::bad_request("invalidSyntax", "the body must be a JSON object")),
        Err(error) => Err(ScimError::bad_request("invalidSyntax", format!("the body is not JSON: {error}"))),
    }
}

/// Returns an attribute. `null` counts as absent (RFC 7643, section 2.5).
pub(crate) fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let found = object
        .get(name)
        .or_else(|| object.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// Whether the object has the attribute, be it `null`.
pub(crate) fn has(object: &Object, name: &str) -> bool {
    object.keys().any(|other| other.eq_ignore_ascii_case(name))
}

/// Returns an attribute that is a text.
pub(crate) fn text<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, ScimError> {
    let Some(value) = get(object, name) else { return Ok(None) };
    let text =
        value.as_str().ok_or_else(|| ScimError::bad_request("invalidValue", format!("{name} must be a text")))?;
    Ok(Some(text))
}

/// Returns a truth value. Microsoft Entra sends it as a text with a capital.
pub(crate) fn truth(name: &str, value: &Value) -> Result<bool, ScimError> {
    let of_text = |text: &str| match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let truth = value.as_bool().or_else(|| value.as_str().and_then(of_text));
    truth.ok_or_else(|| ScimError::bad_request("invalidValue", format!("{name} must be true or false")))
}

/// The values of an attribute: a list of objects, one object, or the plain `value` of one.
pub(crate) fn objects(value: &Value) -> Result<Vec<Object>, ScimError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => Ok(values.iter().map(objects).collect::<Result<Vec<_>, _>>()?.concat()),
        Value::Object(object) => Ok(vec![object.clone()]),
        Value::String(text) => Ok(vec![Object::from_iter([("value".to_owned(), json!(text))])]),
        _ => Err(ScimError::bad_request("invalidValue", "value must be a list of objects, each with a value")),
    }
}

/// The ids of the members in a value. Other parts of a member are ignored.
pub(crate) fn member_ids(value: &Value) -> Result<Vec<String>, ScimError> {
    let must_be =
        || ScimError::bad_request("invalidValue", "members must be a list of objects, each with the value of an id");
    let id = |object: Object| text(&object, "value")?.map(str::to_owned).ok_or_else(must_be);
    objects(value)?.into_iter().map(id).collect()
}
