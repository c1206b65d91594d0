//! The parameters `attributes` and `excludedAttributes` (RFC 7644, section 3.9).

use serde_json::Value;
use shared::http::{Request, request};

use crate::error::ScimError;

/// The attributes to return.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Projection {
    only: Vec<String>,
    without: Vec<String>,
}

/// Attributes that are always returned (RFC 7643, section 3.1).
const ALWAYS: [&str; 2] = ["schemas", "id"];

impl Projection {
    /// Returns the projection to these attributes, or to all but those. Names have any case; a schema's URN before a name is ignored.
    pub(crate) fn new<'a>(only: impl Iterator<Item = &'a str>, without: impl Iterator<Item = &'a str>) -> Self {
        let name = |text: &str| {
            let name = text.trim().rsplit_once(':').map_or(text.trim(), |(_, name)| name);
            name.to_ascii_lowercase()
        };
        Self { only: only.map(name).collect(), without: without.map(name).collect() }
    }

    /// Whether the client named the attributes to return.
    pub(crate) fn is_chosen(&self) -> bool {
        !self.only.is_empty()
    }

    /// Whether an attribute is returned, at least in part.
    pub(crate) fn includes(&self, attribute: &str) -> bool {
        let attribute = attribute.to_ascii_lowercase();
        let is_part = |name: &String| *name == attribute || name.starts_with(&format!("{attribute}."));
        (self.only.is_empty() || self.only.iter().any(is_part)) && !self.without.contains(&attribute)
    }

    /// Removes what is not to be returned.
    pub(crate) fn apply(&self, resource: &mut Value) {
        if let Value::Object(attributes) = resource {
            attributes.retain(|name, _| ALWAYS.contains(&name.as_str()) || self.includes(name));
            for (name, value) in attributes.iter_mut() {
                let path = |sub: &str| format!("{name}.{sub}").to_ascii_lowercase();
                let is_whole = self.only.is_empty() || self.only.contains(&name.to_ascii_lowercase());
                let keep = |sub: &str| {
                    (is_whole || ALWAYS.contains(&name.as_str()) || self.only.contains(&path(sub)))
                        && !self.without.contains(&path(sub))
                };
                retain(value, &keep);
            }
        }
    }
}

/// Returns the attributes that a query asks for.
pub(crate) fn projection(request: &Request) -> Result<Projection, ScimError> {
    let [only, without] = ["attributes", "excludedAttributes"].map(|name| request::query_parameter(request, name));
    if only.is_some() && without.is_some() {
        let detail = "attributes and excludedAttributes cannot be given together";
        return Err(ScimError::bad_request("invalidValue", detail));
    }
    let [only, without] = [&only, &without].map(|names| {
        let names = names.as_deref().unwrap_or_default().split(',');
        names.filter(|name| !name.trim().is_empty())
    });
    Ok(Projection::new(only, without))
}

/// Keeps sub-attributes of a value or, for a list, of each of its values.
fn retain(value: &mut Value, keep: &impl Fn(&str) -> bool) {
    match value {
        Value::Object(parts) => parts.retain(|name, _| keep(name)),
        Value::Array(values) => values.iter_mut().for_each(|value| retain(value, keep)),
        _ => {}
    }
}
