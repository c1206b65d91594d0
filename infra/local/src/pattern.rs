//! Event patterns, as far as the template's filters use them (Amazon EventBridge User Guide, "Comparison operators"). A
//! field matches one of the alternatives in its list: a value, a prefix, or anything but a value.

use serde_json::Value;

/// Whether the event matches the pattern.
#[must_use]
pub fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| matches(pattern, &event[name.as_str()])),
        Value::Array(alternatives) => alternatives.iter().any(|alternative| is_alternative(alternative, event)),
        _ => false,
    }
}

fn is_alternative(alternative: &Value, value: &Value) -> bool {
    if let Some(prefix) = alternative["prefix"].as_str() {
        return value.as_str().is_some_and(|text| text.starts_with(prefix));
    }
    match alternative.get("anything-but") {
        Some(other) => !value.is_null() && value != other,
        None => alternative == value,
    }
}
