//! The house rules, checked on the text of the sources: imports, key spelling, names, length and language.

mod dialect;
mod imports;
mod rust;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::harness::workspace::root;
use rust::{code, definitions, without_literals};

/// Files past 500 lines, each with the reason why it is not split.
const LONG_FILES: &[(&str, &str)] = &[];

/// Type names that are defined more than once in `shared` and `infra/local`, each with the reason.
const SHARED_NAMES: &[(&str, &str)] = &[];

/// Functions that no caller reaches: AWS invokes them with events.
const EVENT_FUNCTIONS: [&str; 4] = ["apply-events", "expire-members", "propagate", "publish-events"];

/// Files that pause, each with the reason.
const SLEEPS: &[(&str, &str)] = &[
    ("shared/src/aws/retry.rs", "the backoff between two attempts"),
    ("tests/harness/contention.rs", "latency is what it models"),
];

/// A source file. The path is relative to the workspace.
#[derive(Debug, Clone)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the file is a unit-test module.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Whether the file belongs to this test, which spells out the forbidden words.
    fn is_tidy(&self) -> bool {
        self.path == "tests/tidy.rs" || self.path.starts_with("tests/tidy/")
    }
}

/// Reads the files below a folder of the workspace with this extension, sorted by path.
fn files(folder: &str, extension: &str) -> Vec<Source> {
    fn collect(folder: &Path, extension: &str, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, extension, found);
            } else if path.extension().is_some_and(|it| it == extension) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap();
                found.push(Source::new(relative, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Reads every Rust file of the workspace.
fn sources() -> Vec<Source> {
    let sources: Vec<Source> =
        ["shared", "functions", "infra", "tests", "benches"].iter().flat_map(|folder| files(folder, "rs")).collect();
    assert!(sources.len() > 150, "only {} files were found", sources.len());
    sources
}

/// Reads the `lib.rs` of every function.
fn functions() -> Vec<Source> {
    let functions: Vec<Source> =
        files("functions", "rs").into_iter().filter(|source| source.path.ends_with("/src/lib.rs")).collect();
    assert!(functions.len() > 10, "only {} functions were found", functions.len());
    functions
}

#[test]
fn only_keys_spells_keys_and_attributes() {
    let prefixes =
        ["GROUP#", "MEMBER#", "TRAIL#", "CHILD#", "NAME#", "ACCOUNT#", "JOB#", "JOBS#", "SEARCH#", "IDEMPOTENCY#"];
    let keys = fs::read_to_string(root().join("shared/src/store/keys/attribute.rs")).unwrap();
    let (_, names) = keys.split_once("fn as_str").unwrap();
    let attributes: Vec<&str> = names.split_once("\n    }").unwrap().0.split('"').skip(1).step_by(2).collect();
    assert!(attributes.contains(&"PK") && attributes.contains(&"expires_at") && attributes.len() > 10);

    for source in sources() {
        let path = &source.path;
        let is_keys = path == "shared/src/store/keys.rs" || path.starts_with("shared/src/store/keys/");
        if is_keys || path.starts_with("tests/") {
            continue;
        }
        let code = code(&source.text);
        for prefix in prefixes {
            assert!(!code.contains(&format!("\"{prefix}")), "{path} spells {prefix}");
        }
        for attribute in attributes.iter().filter(|_| path.starts_with("shared/src/store")) {
            assert!(!code.contains(&format!("\"{attribute}\"")), "{path} spells the attribute {attribute}");
        }
    }
}

#[test]
fn no_file_has_a_name_without_meaning() {
    for source in sources() {
        let name = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        assert!(!["utils", "helpers", "common", "manager", "data", "info"].contains(&name), "{}", source.path);
    }
}

/// A file may be long if it belongs together. Clippy limits the length of functions.
#[test]
fn files_past_500_lines_have_a_reason() {
    let sources = sources();
    let long: Vec<&Source> = sources.iter().filter(|source| source.lines() > 500).collect();
    for source in &long {
        let (path, lines) = (&source.path, source.lines());
        let has_reason = LONG_FILES.iter().any(|(allowed, _)| allowed == path);
        assert!(has_reason, "{path} has {lines} lines: split it, or add it to LONG_FILES with the reason");
    }
    for (path, _) in LONG_FILES {
        assert!(long.iter().any(|source| source.path == *path), "{path} is not long any more: remove it");
    }
}

/// A handler file has the handler, its parameters and its OpenAPI description.
#[test]
fn handlers_are_short() {
    for source in functions() {
        assert!(source.lines() <= 110, "{} has {} lines: it does more than an endpoint", source.path, source.lines());
    }
}

#[test]
fn nothing_sleeps_and_no_test_is_ignored_or_left_undone() {
    for source in sources().iter().filter(|source| !source.is_tidy()) {
        for word in ["thread::sleep", "#[ignore", "todo!(", "unimplemented!(", "TODO", "FIXME"] {
            assert!(!source.text.contains(word), "{} has {word}", source.path);
        }
        let sleeps = source.text.contains("sleep(");
        assert!(!sleeps || SLEEPS.iter().any(|(path, _)| *path == source.path), "{} sleeps", source.path);
    }
}

/// Returns the first argument of every call of a method of `store` in this code.
fn store_calls(code: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let argument = |(at, _): (usize, &str)| {
        let is_whole_word = !code[..at].ends_with(is_word);
        let method = code[at..].strip_prefix("store")?.trim_start().strip_prefix('.')?.trim_start();
        let arguments = method.trim_start_matches(is_word).strip_prefix('(')?;
        let end = arguments.find([',', ')']).unwrap_or(arguments.len());
        is_whole_word.then(|| arguments[..end].trim().to_owned())
    };
    code.match_indices("store").filter_map(argument).collect()
}

/// `&granted` proves that the handler has authorized the caller.
#[test]
fn every_store_call_of_a_handler_passes_the_grant() {
    let mut endpoints = 0;
    for source in files("functions/scim/src", "rs") {
        for argument in store_calls(&without_literals(&source.text)) {
            let is_grant = argument.trim_start_matches('&').starts_with("granted");
            assert!(is_grant, "{} calls the store with another first argument: {argument}", source.path);
        }
    }
    for source in functions() {
        let without_store = EVENT_FUNCTIONS.iter().chain(&["authorize-token", "reject-request", "scim"]);
        if without_store.into_iter().any(|name| source.path == format!("functions/{name}/src/lib.rs")) {
            continue;
        }
        let calls = store_calls(&without_literals(&source.text));
        assert!(!calls.is_empty(), "{} calls no method of the store", source.path);
        for argument in calls {
            assert_eq!(argument, "&granted", "{} calls the store with another first argument", source.path);
        }
        endpoints += 1;
    }
    assert!(endpoints >= 13, "only {endpoints} endpoints were found");
}

#[test]
fn store_calls_are_found_in_any_layout() {
    let code = "app.store.get(&granted, 1); store\n .list(&other); (&app.store, x); restore.all(1); app.store.scan()";
    assert_eq!(store_calls(code), ["&granted", "&other", ""]);
}

/// Returns every type name that more than one of the files defines, with these files.
fn duplicate_types(sources: &[Source]) -> BTreeMap<String, Vec<&str>> {
    let mut paths: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for name in definitions(&source.text) {
            paths.entry(name).or_default().push(&source.path);
        }
    }
    assert!(!paths.is_empty());
    paths.into_iter().filter(|(_, paths)| paths.len() > 1).collect()
}

#[test]
fn no_type_name_is_defined_twice() {
    let sources = [files("shared/src", "rs"), files("infra/local/src", "rs")].concat();
    assert!(sources.iter().map(|source| definitions(&source.text).len()).sum::<usize>() > 100);
    let duplicates = duplicate_types(&sources);
    let unexplained: Vec<_> =
        duplicates.iter().filter(|(name, _)| !SHARED_NAMES.iter().any(|(allowed, _)| allowed == name)).collect();
    assert!(unexplained.is_empty(), "defined twice; rename one, or add it to SHARED_NAMES: {unexplained:#?}");
    for (name, _) in SHARED_NAMES {
        assert!(duplicates.contains_key(*name), "{name} is defined once: remove it from SHARED_NAMES");
    }
}

#[test]
fn duplicate_type_is_found_and_associated_type_is_not() {
    let sources = [
        Source::new("a.rs", "pub struct Page { }\nimpl Iterator for Page { type Item = u8; }"),
        Source::new("b.rs", "pub(crate) enum Page { A }\nimpl Iterator for Other { type Item = u8; }"),
        Source::new("c.rs", "// struct Page;\nconst TEXT: &str = \"struct Page;\"; fn f() { struct Page; }"),
    ];
    assert_eq!(duplicate_types(&sources), BTreeMap::from([("Page".to_owned(), vec!["a.rs", "b.rs"])]));
}
