//! Writes the document as YAML, with its fields in an order for readers.

use saphyr::{Scalar, Yaml, YamlEmitter};
use serde_json::Value;

use crate::Problem;

/// Fields that come first, in this order. All others follow by name.
const FIRST: [&str; 18] = [
    "openapi",
    "info",
    "servers",
    "security",
    "tags",
    "paths",
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "operationId",
    "name",
    "in",
    "summary",
    "description",
    "required",
    "type",
];

/// Returns the document as YAML. Every text is quoted: some readers take an unquoted `no` for a boolean.
pub(super) fn write(document: &Value) -> Result<String, Problem> {
    let mut text = String::from("# Generated from the code by `cargo local openapi`.\n");
    let mut emitter = YamlEmitter::new(&mut text);
    emitter.quoted_value(true);
    emitter.dump(&yaml(document)).map_err(|error| Problem::new("cannot write YAML", error))?;
    text.push('\n');
    Ok(text)
}

fn yaml(value: &Value) -> Yaml<'_> {
    let scalar = match value {
        Value::Array(items) => return Yaml::Sequence(items.iter().map(yaml).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields
                .sort_by_key(|(name, _)| (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), *name));
            return Yaml::Mapping(fields.into_iter().map(|(name, value)| (string(name), yaml(value))).collect());
        }
        Value::String(value) => return string(value),
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Scalar::Integer(number),
            None => Scalar::FloatingPoint(number.as_f64().unwrap_or_default().into()),
        },
    };
    Yaml::Value(scalar)
}

fn string(text: &str) -> Yaml<'_> {
    Yaml::Value(Scalar::String(text.into()))
}
