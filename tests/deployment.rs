//! The template's parameters against the table in docs/deploy.md and the stages of `samconfig.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use groups_local::template::document;
use serde_json::Value;

use crate::harness::Api;
use crate::harness::tokens::token;
use crate::harness::workspace::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn parameters() -> Value {
    document(&read("template.yaml")).unwrap()["Parameters"].clone()
}

/// Each parameter and each variable has a row, and each row shows the right default.
#[test]
fn readme_lists_every_parameter_and_variable() {
    let (readme, template) = (read("README.md"), document(&read("template.yaml")).unwrap());
    let documents = readme + &read("docs/deploy.md");
    let rows: Vec<Vec<&str>> = documents
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells.len() == 6)
        .collect();
    let parameters = template["Parameters"].as_object().unwrap();
    let variables = &crate::harness::template().environment;
    assert!(!parameters.is_empty() && !variables.is_empty());
    for (name, parameter) in parameters {
        let quoted = format!("`{name}`");
        let row = rows.iter().find(|row| row[1].split(", ").any(|one| one == quoted));
        let row = row.unwrap_or_else(|| panic!("docs/deploy.md has no row for {name}"));
        let place = row[1].split(", ").position(|one| one == quoted).unwrap();
        let shown = row[3].split(", ").nth(place).unwrap_or("").trim_matches('`').to_owned();
        let default = &parameter["Default"];
        assert_eq!(shown, default.as_str().map_or_else(|| default.to_string().replace("null", ""), str::to_owned));
    }
    for variable in variables.keys() {
        assert!(rows.iter().any(|row| row[2] == format!("`{variable}`")), "docs/deploy.md has no row for {variable}");
    }
}

/// On a common bus, staging would publish on production's and apply its events.
#[test]
fn each_stage_has_a_bus_of_its_own() {
    let config = read("samconfig.toml");
    let buses: Vec<&str> =
        config.lines().filter_map(|line| line.trim().strip_prefix("\"EventBusName=")?.strip_suffix("\",")).collect();
    assert_eq!(buses, ["groups-staging", "groups-production"]);
}

/// A stage sets every parameter without a default, only parameters of the template, and only allowed values.
#[test]
fn stages_set_valid_parameters() {
    let (config, parameters) = (read("samconfig.toml"), parameters());
    let all = parameters.as_object().unwrap();
    let required = all.iter().filter(|(_, parameter)| parameter["Default"].is_null()).map(|(name, _)| name.as_str());
    let required: BTreeSet<&str> = required.collect();
    assert!(!required.is_empty());
    for stage in ["staging", "production"] {
        let section = config.split(&format!("[{stage}.deploy.parameters]")).nth(1).unwrap();
        let section = section.split("\n[").next().unwrap();
        for line in ["\"CAPABILITY_IAM\", \"CAPABILITY_AUTO_EXPAND\"", "resolve_s3 = true", &format!("stage={stage}")] {
            assert!(section.contains(line), "{stage} lacks {line}");
        }
        let overrides: Vec<(&str, &str)> = section
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")?.split_once('='))
            .collect();
        for (name, value) in &overrides {
            let allowed = &all.get(*name).unwrap_or_else(|| panic!("{name} is no parameter"))["AllowedValues"];
            let is = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned) == *value;
            assert!(allowed.as_array().is_none_or(|values| values.iter().any(is)), "{name} may not be {value}");
        }
        let names: BTreeSet<&str> = overrides.iter().map(|(name, _)| *name).collect();
        assert!(names.is_superset(&required), "{stage} lacks one of {required:?}");
        let asks_for_confirmation = section.contains("confirm_changeset = true");
        assert_eq!(asks_for_confirmation, stage == "production");
    }
}

fn smoke(url: &str, token: &str) -> (bool, String) {
    let output = Command::new(root().join("infra/smoke")).args([url, token]).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke_test_passes_on_a_working_api_and_leaves_nothing() {
    let api = Api::start().await;
    let url = format!("{}/api/v1/groups", api.base);
    assert_eq!(smoke(&url, &token("alice", &["Administrator"])), (true, String::new()));
    assert!(api.all_items("", "groups").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke_test_names_the_first_wrong_answer() {
    let api = Api::start().await;
    let url = format!("{}/api/v1/groups", api.base);
    let (passes, reason) = smoke(&url, &token("bob", &[]));
    assert!(!passes && reason.contains("403 instead of 201"), "{reason}");
    // An API without routes, as one whose import failed.
    let (passes, reason) = smoke(&format!("{}/openapi.yaml", api.base), "any");
    assert!(!passes && reason.contains("200 instead of 401"), "{reason}");
}
