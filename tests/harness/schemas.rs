//! Reads the JSON schemas of published events in `docs/events`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use super::workspace::root;

/// Returns the schemas by kind of event (`detail-type`).
pub fn schemas() -> &'static BTreeMap<String, Validator> {
    static SCHEMAS: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let files = std::fs::read_dir(root().join("docs/events")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let schema = |path: std::path::PathBuf| {
            let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let kind = schema["properties"]["detail-type"]["const"].as_str().unwrap().to_owned();
            let file = kind.to_lowercase().replace(' ', "-");
            assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("{file}.schema.json"));
            let options = jsonschema::options().should_validate_formats(true);
            (kind, options.build(&schema).unwrap())
        };
        paths.map(schema).collect()
    })
}

/// Whether the event matches the schema of its kind.
pub fn is_valid(event: &Value) -> bool {
    let schema = event["detail-type"].as_str().and_then(|kind| schemas().get(kind));
    schema.is_some_and(|schema| schema.is_valid(event))
}

/// Asserts that the event matches the schema of its kind.
#[track_caller]
pub fn assert_valid(event: &Value) {
    let kind = event["detail-type"].as_str().unwrap();
    let errors: Vec<String> = schemas()[kind].iter_errors(event).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{event}: {errors:?}");
}
