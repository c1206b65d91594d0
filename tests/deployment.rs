//! What is said of deploying: the README's parameters and the stages of `samconfig.toml` are the template's.

use std::collections::BTreeSet;
use std::fs;

use groups_local::template::document;
use serde_json::Value;

use crate::harness::workspace::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn parameters() -> Value {
    document(&read("template.yaml")).unwrap()["Parameters"].clone()
}

/// Each parameter, and the variable that it becomes, has its row; defaults are as shown.
#[test]
fn the_readme_has_every_parameter_and_variable() {
    let (readme, template) = (read("README.md"), document(&read("template.yaml")).unwrap());
    let documents = readme + &read("docs/deploy.md");
    let rows: Vec<Vec<&str>> = documents
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells.len() == 6)
        .collect();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let quoted = format!("`{name}`");
        let row = rows.iter().find(|row| row[1].split(", ").any(|one| one == quoted));
        let row = row.unwrap_or_else(|| panic!("the README has no row for {name}"));
        let place = row[1].split(", ").position(|one| one == quoted).unwrap();
        let shown = row[3].split(", ").nth(place).unwrap_or("").trim_matches('`').to_owned();
        let default = &parameter["Default"];
        assert_eq!(shown, default.as_str().map_or_else(|| default.to_string().replace("null", ""), str::to_owned));
    }
    for variable in crate::harness::template().environment.keys() {
        assert!(rows.iter().any(|row| row[2] == format!("`{variable}`")), "the README has no row for {variable}");
    }
}

/// A stage gives what has no default, and nothing that is no parameter or may not be so.
#[test]
fn stages_give_parameters_that_there_are() {
    let (config, parameters) = (read("samconfig.toml"), parameters());
    let all = parameters.as_object().unwrap();
    let needed = all.iter().filter(|(_, parameter)| parameter["Default"].is_null()).map(|(name, _)| name.as_str());
    let needed: BTreeSet<&str> = needed.collect();
    for stage in ["staging", "production"] {
        let section = config.split(&format!("[{stage}.deploy.parameters]")).nth(1).unwrap();
        let section = section.split("\n[").next().unwrap();
        for said in ["\"CAPABILITY_IAM\", \"CAPABILITY_AUTO_EXPAND\"", "resolve_s3 = true", &format!("stage={stage}")] {
            assert!(section.contains(said), "{stage} lacks {said}");
        }
        let given: Vec<(&str, &str)> = section
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")?.split_once('='))
            .collect();
        for (name, value) in &given {
            let allowed = &all.get(*name).unwrap_or_else(|| panic!("{name} is no parameter"))["AllowedValues"];
            let is = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned) == *value;
            assert!(allowed.as_array().is_none_or(|values| values.iter().any(is)), "{name} may not be {value}");
        }
        let names: BTreeSet<&str> = given.iter().map(|(name, _)| *name).collect();
        assert!(names.is_superset(&needed), "{stage} lacks one of {needed:?}");
        let confirms = section.contains("confirm_changeset = true");
        assert_eq!(confirms, stage == "production");
    }
}
