//! What no change of the templates may take away. Each rule is held here, in every `cargo test`, and by AWS's own tool from
//! `infra/rules`, in the gate; each is shown to find what it is there to find.

mod removals;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use groups_local::template::document;
use serde_json::{Value, json};

use crate::harness::workspace::{given, root};
use removals::{REMOVALS, Removal};

/// A rule: its name, what it is over (a resource, or an event of a function), and whether that is as it must be.
type Rule = (&'static str, &'static str, fn(&Value) -> bool);

const FILES: [&str; 2] = ["template.yaml", "infra/monitoring.yaml"];

/// The same names as in `infra/rules/stack.guard`.
const RULES: [Rule; 27] = [
    ("role_names_its_actions", "AWS::IAM::Role", |role| {
        let named = |one: &Value| one["Action"].as_array().is_some_and(|actions| !actions.iter().any(has_wildcard));
        role["ManagedPolicyArns"].is_null() && statements(role).iter().all(named)
    }),
    ("role_names_its_resources", "AWS::IAM::Role", |role| {
        let named = |one: &Value| one["Resource"].is_object() && !has_wildcard(&one["Resource"]["Fn::Sub"]);
        statements(role).iter().all(named)
    }),
    ("role_is_for_lambda_alone", "AWS::IAM::Role", |role| {
        role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == json!({ "Service": "lambda.amazonaws.com" })
    }),
    ("table_can_be_restored", "AWS::DynamoDB::Table", |table| {
        is_on_by_default(&table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
    }),
    ("table_refuses_to_be_deleted", "AWS::DynamoDB::Table", |table| {
        is_on_by_default(&table["DeletionProtectionEnabled"])
    }),
    ("table_outlives_the_stack", "AWS::DynamoDB::Table", |table| {
        table["DeletionPolicy"] == "Retain" && table["UpdateReplacePolicy"] == "Retain"
    }),
    ("table_is_encrypted", "AWS::DynamoDB::Table", |table| {
        table["SSESpecification"]["SSEEnabled"] == true && table["SSESpecification"]["SSEType"] == "KMS"
    }),
    ("log_ends", "AWS::Logs::LogGroup", |log| !log["RetentionInDays"].is_null()),
    ("audit_outlives_the_stack", "AWS::Events::Archive", |archive| archive["DeletionPolicy"] == "RetainExceptOnCreate"),
    ("queue_is_encrypted", "AWS::SQS::Queue", |queue| queue["SqsManagedSseEnabled"] == true),
    ("queue_keeps_fourteen_days", "AWS::SQS::Queue", |queue| queue["MessageRetentionPeriod"] == 1_209_600),
    ("queue_policy_names_who_sends", "AWS::SQS::QueuePolicy", |policy| {
        let named = |one: &Value| {
            let source = &one["Condition"]["ArnEquals"]["aws:SourceArn"];
            one["Principal"]["Service"] == "events.amazonaws.com" && source.is_object()
        };
        policy["PolicyDocument"]["Statement"].as_array().unwrap().iter().all(named)
    }),
    ("function_has_its_role", "AWS::Serverless::Function", |function| {
        function["Role"]["Fn::GetAtt"].is_string() && function["Policies"].is_null()
    }),
    ("function_has_its_log", "AWS::Serverless::Function", |function| {
        function["LoggingConfig"]["LogGroup"]["Ref"].is_string()
    }),
    ("function_ends", "Globals", |globals| globals["Timeout"].as_u64().is_some_and(|seconds| seconds <= 60)),
    ("route_wants_a_token", "HttpApi", |route| route["Auth"].is_null() && route["ApiId"]["Ref"].is_string()),
    ("stream_source_bisects", "DynamoDB", |source| source["BisectBatchOnFunctionError"] == true),
    ("stream_source_tells_failures_one_by_one", "DynamoDB", tells_failures),
    ("stream_source_gives_up_within_the_day", "DynamoDB", |source| {
        source["MaximumRecordAgeInSeconds"].as_u64().is_some_and(|seconds| seconds < 86_400)
    }),
    ("stream_source_keeps_what_it_gives_up", "DynamoDB", |source| {
        source["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"].is_string()
    }),
    ("queue_source_tells_failures_one_by_one", "SQS", tells_failures),
    ("queue_source_keeps_what_it_gives_up", "SQS", |source| source["Redrive"]["deadLetterTargetArn"].is_object()),
    ("api_wants_tokens", "AWS::Serverless::HttpApi", |api| {
        let jwt = &api["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"];
        api["Auth"]["DefaultAuthorizer"] == "Jwt" && jwt["issuer"].is_object() && jwt["audience"][0].is_object()
    }),
    ("api_is_throttled", "AWS::Serverless::HttpApi", |api| {
        let settings = &api["DefaultRouteSettings"];
        !settings["ThrottlingRateLimit"].is_null() && !settings["ThrottlingBurstLimit"].is_null()
    }),
    ("api_has_an_access_log", "AWS::Serverless::HttpApi", |api| api["AccessLogSettings"]["DestinationArn"].is_object()),
    ("alarm_says_what_nothing_means", "AWS::CloudWatch::Alarm", |alarm| alarm["TreatMissingData"].is_string()),
    ("alarm_tells_somebody", "AWS::CloudWatch::Alarm", |alarm| {
        ["AlarmActions", "OKActions"].iter().all(|actions| alarm[actions]["Fn::If"].is_array())
    }),
];

/// What rules are over, by type: resources, functions' events, and what holds for all functions.
fn parts(text: &str) -> Vec<(String, Value)> {
    let document = document(text).unwrap();
    let mut parts = vec![("Globals".to_owned(), document["Globals"]["Function"].clone())];
    parts.retain(|(_, globals)| !globals.is_null());
    for resource in document["Resources"].as_object().unwrap().values() {
        let mut part = resource["Properties"].clone();
        for attribute in ["DeletionPolicy", "UpdateReplacePolicy"] {
            part[attribute] = resource[attribute].clone();
        }
        for event in part["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            parts.push((kind(event), event["Properties"].clone()));
        }
        parts.push((kind(resource), part));
    }
    for part in &mut parts {
        follow(&document, &mut part.1);
    }
    parts
}

fn kind(value: &Value) -> String {
    value["Type"].as_str().unwrap().to_owned()
}

/// Puts in place of what decides a rule elsewhere what is there: defaults of parameters, and the queue of a source.
fn follow(document: &Value, part: &mut Value) {
    for switch in ["/DeletionProtectionEnabled", "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"] {
        if let Some(value) = part.pointer_mut(switch) {
            let parameter = value["Ref"].as_str().unwrap_or_default();
            *value = document["Parameters"][parameter]["Default"].clone();
        }
    }
    if let Some(queue) = part["Queue"]["Fn::GetAtt"].as_str().and_then(|name| name.strip_suffix(".Arn")) {
        part["Redrive"] = document["Resources"][queue]["Properties"]["RedrivePolicy"].clone();
    }
}

/// The rules that a file breaks.
fn broken(text: &str) -> BTreeSet<&'static str> {
    let parts = parts(text);
    let breaks = |(_, over, holds): &&Rule| parts.iter().any(|(kind, part)| kind == over && !holds(part));
    RULES.iter().filter(breaks).map(|(name, ..)| *name).collect()
}

fn files() -> [String; 2] {
    FILES.map(|path| fs::read_to_string(root().join(path)).unwrap())
}

/// The file that a removal is from, without what it removes.
fn without((rule, from, to): &Removal) -> String {
    let text = files().into_iter().find(|text| text.contains(from));
    text.unwrap_or_else(|| panic!("{rule}: no file has {from}")).replacen(from, to, 1)
}

#[test]
fn the_templates_keep_every_rule() {
    for text in files() {
        assert_eq!(broken(&text), BTreeSet::new());
    }
    let kinds: BTreeSet<String> = files().iter().flat_map(|text| parts(text)).map(|(kind, _)| kind).collect();
    for (name, over, _) in RULES {
        assert!(kinds.contains(over), "{name} is over nothing");
    }
}

#[test]
fn every_rule_finds_what_it_is_there_to_find() {
    for removal in &REMOVALS {
        assert!(broken(&without(removal)).contains(removal.0), "{removal:?}");
    }
    let names: BTreeSet<&str> = RULES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, REMOVALS.iter().map(|(rule, ..)| *rule).collect());
    let guard = fs::read_to_string(root().join("infra/rules/stack.guard")).unwrap();
    let named = guard.lines().filter_map(|line| line.strip_prefix("rule ")?.split(' ').next());
    assert_eq!(names, named.collect());
}

/// The same by AWS's own tool, where `CFN_GUARD` names it, as it does in the gate.
#[test]
fn cfn_guard_finds_the_same() {
    let Some(tool) = given("CFN_GUARD") else { return };
    let folder = tempfile::tempdir().unwrap();
    let texts = files().into_iter().chain(REMOVALS.iter().map(without));
    for (number, text) in texts.enumerate() {
        fs::write(folder.path().join(format!("{number:03}.yaml")), text).unwrap();
    }
    let mut command = Command::new(tool);
    command.args(["validate", "--structured", "--show-summary", "none", "--output-format", "json", "--alphabetical"]);
    command.arg("--rules").arg(root().join("infra/rules")).arg("--data").arg(folder.path());
    let output = command.output().unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), FILES.len() + REMOVALS.len());
    for (number, report) in found.iter().enumerate() {
        assert!(report["name"].as_str().unwrap().ends_with(&format!("{number:03}.yaml")));
        let rules = report["not_compliant"].as_array().unwrap().iter().map(|one| one["Rule"]["name"].as_str().unwrap());
        let rules: BTreeSet<&str> = rules.collect();
        match number.checked_sub(FILES.len()) {
            None => assert_eq!(rules, BTreeSet::new()),
            Some(removal) => assert!(rules.contains(REMOVALS[removal].0), "{:?}: {rules:?}", REMOVALS[removal]),
        }
    }
}

fn statements(role: &Value) -> Vec<Value> {
    let policies = role["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone()).collect()
}

fn has_wildcard(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.contains('*'))
}

fn is_on_by_default(switch: &Value) -> bool {
    switch == "true"
}

fn tells_failures(source: &Value) -> bool {
    source["FunctionResponseTypes"] == json!(["ReportBatchItemFailures"])
}
