//! JSON as YAML, for people to read.

use saphyr::{Scalar, Yaml, YamlEmitter};
use serde_json::Value;

use crate::Problem;

/// What comes first, and in this order; everything else follows by name.
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

/// The document. Every text is in quotes: not every reader knows that `no` is a word.
pub(super) fn write(document: &Value) -> Result<String, Problem> {
    let mut text = String::from("# Made from the code by `cargo local openapi`.\n");
    let mut emitter = YamlEmitter::new(&mut text);
    emitter.quoted_value(true);
    emitter.dump(&of(document)).map_err(|error| Problem::new("cannot write YAML", error))?;
    text.push('\n');
    Ok(text)
}

fn of(value: &Value) -> Yaml<'_> {
    let scalar = match value {
        Value::Array(items) => return Yaml::Sequence(items.iter().map(of).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields
                .sort_by_key(|(name, _)| (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), *name));
            return Yaml::Mapping(fields.into_iter().map(|(name, value)| (text(name), of(value))).collect());
        }
        Value::String(value) => return text(value),
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Scalar::Integer(number),
            None => Scalar::FloatingPoint(number.as_f64().unwrap_or_default().into()),
        },
    };
    Yaml::Value(scalar)
}

fn text(text: &str) -> Yaml<'_> {
    Yaml::Value(Scalar::String(text.into()))
}
