//! What keeps the house in order: which room may know which, who may spell a key, and what no file may be called.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::workspace::root;

/// The rooms of `shared`, with those that each may use.
const ROOMS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("authz", &["domain"]),
    ("api", &["domain"]),
    ("config", &["authz"]),
    ("http", &["api", "authz", "domain"]),
    ("aws", &["config", "domain"]),
    ("bus", &["aws", "config", "domain"]),
    ("store", &["authz", "aws", "config", "domain", "telemetry"]),
    ("events", &["api", "authz", "bus", "domain", "store"]),
    ("propagation", &["authz", "domain", "store"]),
    ("telemetry", &["domain"]),
    ("verify", &["domain", "propagation", "store"]),
    ("app", &["api", "authz", "aws", "bus", "config", "domain", "http", "propagation", "store", "telemetry"]),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    ["shared", "functions", "infra", "tests", "benches"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root()).unwrap().to_owned(), text)
        })
        .collect()
}

/// The code of a file, without its comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn dependencies_point_one_way() {
    let mut seen = 0;
    for (path, text) in sources() {
        let Ok(inside) = path.strip_prefix("shared/src") else { continue };
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let Some((_, may_use)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            assert_eq!(room, "lib", "{room} is a room without rules: add it to ROOMS");
            continue;
        };
        for used in code(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(used == room || may_use.contains(&used.as_str()), "{} may not use {used}", path.display());
            seen += 1;
        }
        for (package, room_of) in [
            ("aws_sdk_dynamodb", "store"),
            ("serde_dynamo", "store"),
            ("aws_sdk_eventbridge", "bus"),
            ("aws_sdk_sqs", "bus"),
            ("aws_types", "aws"),
        ] {
            let imports = code(&text).contains(package);
            assert!(!imports || room == room_of, "{} imports {package}; only {room_of} may", path.display());
        }
        let pure = ["domain", "authz", "api"].contains(&room);
        let impure = ["async fn", "tokio", "lambda_http"].iter().find(|word| code(&text).contains(**word));
        assert!(!(pure && impure.is_some()), "{} is to be pure but has {}", path.display(), impure.unwrap_or(&""));
    }
    assert!(seen > 20, "the rooms were found");
}

#[test]
fn keys_alone_spells_keys_and_attributes() {
    let prefixes =
        ["GROUP#", "MEMBER#", "TRAIL#", "CHILD#", "NAME#", "ACCOUNT#", "JOB#", "SEARCH#", "IDEMPOTENCY#", "GSI1"];
    let keys = fs::read_to_string(root().join("shared/src/store/keys/attribute.rs")).unwrap();
    let (_, names) = keys.split_once("fn as_str").unwrap();
    let attributes: Vec<&str> = names.split_once("\n    }").unwrap().0.split('"').skip(1).step_by(2).collect();
    assert!(attributes.contains(&"PK") && attributes.contains(&"expires_at") && attributes.len() > 10);
    for (path, text) in sources() {
        if path.ends_with("store/keys.rs") || path.ends_with("store/keys/attribute.rs") || path.starts_with("tests") {
            continue;
        }
        for prefix in prefixes {
            assert!(!code(&text).contains(&format!("\"{prefix}")), "{} spells {prefix}", path.display());
        }
        for attribute in attributes.iter().filter(|_| path.starts_with("shared/src/store")) {
            let spelled = code(&text).contains(&format!("\"{attribute}\""));
            assert!(!spelled, "{} spells the attribute {attribute}", path.display());
        }
    }
}

#[test]
fn files_are_named_for_what_is_in_them_and_are_short() {
    for (path, text) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!["utils", "helpers", "common", "manager", "data", "info"].contains(&name), "{}", path.display());
        assert!(text.lines().count() <= 400, "{} asks to be two", path.display());
    }
}

#[test]
fn handlers_are_short() {
    for (path, text) in sources() {
        if path.starts_with("functions") && path.ends_with("lib.rs") {
            assert!(text.lines().count() <= 110, "{} is more than an endpoint and its description", path.display());
        }
    }
}

#[test]
fn nothing_waits_by_sleeping_or_is_left_undone() {
    for (path, text) in sources() {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for word in ["thread::sleep", "#[ignore", "todo!(", "unimplemented!(", "TODO", "FIXME"] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
        // The one pause is between two attempts.
        let sleeps = text.contains("sleep(");
        assert!(!sleeps || path.ends_with("aws/retry.rs"), "{} sleeps", path.display());
    }
}
