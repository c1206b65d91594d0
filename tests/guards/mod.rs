//! The rules of `infra/rules`, and changes of the templates that must break them.
//!
//! AWS's `cfn-guard` evaluates the rules. `CFN_GUARD` names its binary; the gate installs it and sets the variable. Without it,
//! tests that need the tool do nothing, except in CI, where they fail. `cfn-guard` is no dependency of this package: it brings
//! some hundred crates and turns on serde_json's `preserve_order` for the whole workspace.

mod removals;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::workspace::{given, root};
use removals::{REMOVALS, Removal};

const TEMPLATES: [&str; 2] = ["template.yaml", "infra/monitoring.yaml"];

fn templates() -> Vec<String> {
    TEMPLATES.map(|path| fs::read_to_string(root().join(path)).unwrap()).into()
}

/// The template that a removal changes, after the change.
fn changed((rule, from, to): &Removal) -> String {
    let text = templates().into_iter().find(|text| text.contains(from));
    text.unwrap_or_else(|| panic!("{rule}: no template contains {from}")).replacen(from, to, 1)
}

/// Names of the rules in `infra/rules/stack.guard`.
fn rules() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("infra/rules/stack.guard")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("rule ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

fn tool() -> Option<PathBuf> {
    let tool = given("CFN_GUARD");
    assert!(tool.is_some() || given("CI").is_none(), "CFN_GUARD does not name cfn-guard");
    tool
}

/// The verdict of `cfn-guard` on one template. A rule that applies to no resource is in neither set.
struct Verdict {
    kept: BTreeSet<String>,
    broken: BTreeSet<String>,
}

/// Evaluates all rules against each of the templates, in order.
fn evaluate(tool: PathBuf, templates: &[String]) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in templates.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:03}.yaml")), text).unwrap();
    }
    let mut command = Command::new(tool);
    command.args(["validate", "--structured", "--show-summary", "none", "--output-format", "json", "--alphabetical"]);
    command.arg("--rules").arg(root().join("infra/rules")).arg("--data").arg(folder.path());
    let output = command.output().unwrap();
    let reports: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reports.len(), templates.len());
    let verdict = |(number, report): (usize, &Value)| {
        assert!(report["name"].as_str().unwrap().ends_with(&format!("{number:03}.yaml")));
        let names = |list: &str, pointer: &str| {
            let rules = report[list].as_array().unwrap().iter();
            rules.map(|rule| rule.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
        };
        Verdict { kept: names("compliant", ""), broken: names("not_compliant", "/Rule/name") }
    };
    reports.iter().enumerate().map(verdict).collect()
}

#[test]
fn every_rule_has_a_removal() {
    let with_removal: BTreeSet<String> = REMOVALS.iter().map(|(rule, ..)| (*rule).to_owned()).collect();
    assert_eq!(with_removal, rules());
    for removal in &REMOVALS {
        assert!(!templates().contains(&changed(removal)), "{removal:?} changes nothing");
    }
}

#[test]
fn templates_keep_every_rule() {
    let Some(tool) = tool() else { return };
    let verdicts = evaluate(tool, &templates());
    for (template, verdict) in TEMPLATES.iter().zip(&verdicts) {
        assert_eq!(verdict.broken, BTreeSet::new(), "{template}");
    }
    // A rule that applies to neither template would never fail.
    let kept: BTreeSet<String> = verdicts.into_iter().flat_map(|verdict| verdict.kept).collect();
    assert_eq!(kept, rules());
}

#[test]
fn every_removal_breaks_its_rule() {
    let Some(tool) = tool() else { return };
    let changed: Vec<String> = REMOVALS.iter().map(changed).collect();
    for (removal, verdict) in REMOVALS.iter().zip(evaluate(tool, &changed)) {
        assert!(verdict.broken.contains(removal.0), "{removal:?} breaks {:?}", verdict.broken);
    }
}
