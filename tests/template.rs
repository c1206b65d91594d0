//! The template against the code: routes are functions, and policies hold what the functions do, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use groups_local::functions::{APPLY_EVENTS, FUNCTIONS, PROPAGATE, PUBLISH_EVENTS, check_routes};
use groups_local::pattern::matches;
use groups_local::template::{Template, document};
use reqwest::Method;
use serde_json::{Value, json};

use shared::domain::{Account, Change, GroupId};

use crate::harness::exchange::{T3, request_event};
use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::recorder::permissions;
use crate::harness::schemas::schemas;
use crate::harness::workspace::{resource_of, root};
use crate::harness::{Answer, Api, account, administer, ingest, longest_name, now, template, version};

#[test]
fn every_route_has_its_function_and_every_function_its_route() {
    check_routes(template()).unwrap();
    let mut without = template().clone();
    without.routes.retain(|route| route.function != "get-member");
    assert_eq!(
        check_routes(&without).unwrap_err().to_string(),
        "template.yaml has no route to the function get-member"
    );
    let mut stray = template().clone();
    stray.routes[0].function = "no-such-function".into();
    let told = check_routes(&stray).unwrap_err().to_string();
    assert!(told.ends_with("to no-such-function, which is no function here"), "{told}");
}

#[test]
fn functions_are_packages_of_the_same_name() {
    let folder = root().join("functions");
    let folders: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let names =
        FUNCTIONS.iter().map(|function| function.name).chain([APPLY_EVENTS.name, PROPAGATE.name, PUBLISH_EVENTS.name]);
    assert_eq!(folders, names.map(str::to_owned).collect());
}

#[test]
fn functions_are_linked_alike() {
    for entry in std::fs::read_dir(root().join("functions")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("\nbuild = \"../../infra/build.rs\"\n"), "{}", manifest.display());
    }
}

#[test]
fn a_template_that_does_not_say_what_it_must_is_refused_in_one_line() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for (from, to) in [
        ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"),
        ("AWS::Serverless::HttpApi", "AWS::Serverless::Api"),
        ("Binary: get-group", "Binaries: get-group"),
        ("Timeout: 10", "Timeouts: 10"),
        ("Role: !GetAtt GetGroupRole.Arn", "Roles: 1"),
        ("PolicyDocument:\n            Version", "Document:\n            Version"),
    ] {
        let told = Template::parse(&text.replace(from, to)).unwrap_err().to_string();
        assert!(told.starts_with("template.yaml lacks") && told.lines().count() == 1, "{told}");
    }
    assert!(Template::parse("a: [").unwrap_err().to_string().starts_with("template.yaml is not YAML"));
}

/// Drives every function through everything it does to the table and compares what it asked for with its policy.
#[tokio::test]
async fn policies_allow_exactly_what_functions_do() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut needed: BTreeMap<&str, BTreeSet<(String, bool)>> = BTreeMap::new();
    let mut note = |function: &'static str, answer: Answer| {
        assert!(answer.status.is_success() || answer.status == 412, "{}", answer.text);
        needed.entry(function).or_default().extend(permissions(&api.recorder.take()));
        answer
    };
    let created = note("create-group", api.post("", json!({ "name": "A" })).await);
    let id = created.body["id"].as_str().unwrap().to_owned();
    let keyed = api.request(Method::POST, "").header("Idempotency-Key", "k").json(&json!({ "name": "B" }));
    note("create-group", Answer::to(keyed).await);
    // More than two transactions carry.
    let long = longest_name();
    let named = note("create-group", api.post("", json!({ "name": long })).await);
    let path = format!("/{}", named.body["id"].as_str().unwrap());
    for name in ["short", &long] {
        note("update-group", api.put(&path, json!({ "name": name })).await);
    }
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    note("add-member", api.put(&format!("/{id}/members/acc-1"), Value::Null).await);
    let ids = [id.clone(), api.group("Above").await, api.group("Further above").await];
    api.recorder.take();
    for pair in ids.windows(2) {
        note("nest-group", api.put(&format!("/{}/groups/{}", pair[1], pair[0]), Value::Null).await);
    }
    note("list-nested-groups", api.get(&format!("/{}/groups", ids[1])).await);
    note("change-members", api.patch(&format!("/{id}/members"), json!({ "add": ["acc-2", "acc-3"] })).await);
    note("change-members", api.patch(&format!("/{id}/members"), json!({ "remove": ["acc-3"] })).await);
    note("get-group", api.get(&format!("/{id}")).await);
    note("get-member", api.get(&format!("/{id}/members/acc-1")).await);
    for query in ["", "?search=a", "?member=acc-1"] {
        note("list-groups", api.get(query).await);
    }
    let page = note("list-members", api.get(&format!("/{id}/members?limit=1")).await).body;
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    note("list-members", api.get(&format!("/{id}/members?after={after}")).await);
    note("add-member", api.put(&format!("/{}/members/acc-1", ids[1]), Value::Null).await);
    note("remove-member", api.delete(&format!("/{id}/members/acc-1")).await);
    note("update-group", api.put(&format!("/{id}"), json!({})).await);
    note("update-group", api.put(&format!("/{id}"), json!({ "name": "C" })).await);
    let never = api.request(Method::DELETE, &format!("/{id}")).header("If-Match", "W/\"1\"");
    note("delete-group", Answer::to(never).await);
    note("unnest-group", api.delete(&format!("/{}/groups/{}", ids[1], ids[0])).await);
    note("delete-group", api.delete(&format!("/{id}")).await);
    // Left to the stream: a nesting, a member, an account with another name.
    let pair = [api.group("D").await, api.group("E").await].map(|id| GroupId::parse(&id).unwrap());
    api.recorder.take();
    api.store.nest_group(&administer(), &pair[0], &pair[1], now()).await.unwrap();
    let add = Change::Add(account("acc-2").id);
    api.store.change_member(&administer(), &pair[1], add, now()).await.unwrap();
    api.store.put_account(&ingest(), &Account { version: version(2), ..account("acc-2") }).await.unwrap();
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    needed.entry("propagate").or_default().extend(permissions(&api.recorder.take()));
    // What other systems ask for.
    let below = api.group("F").await;
    api.recorder.take();
    for (action, at) in [("add", "2024-03-01T00:00:00Z"), ("add", "2024-03-01T00:00:01Z"), ("remove", T3)] {
        let request = request_event(action, &below, "acc-2", at);
        assert!(api.hand(&[request, json!("no JSON")]).await.is_empty());
    }
    assert!(api.hand(&[request_event("remove", &below, "acc-2", "2024-03-01T00:00:02Z")]).await.is_empty());
    needed.entry("apply-events").or_default().extend(permissions(&api.recorder.take()));
    Pump::publishing(&api).await.drain(&api.outlet(&api.bus_endpoint())).await;
    assert!(api.recorder.take().is_empty(), "publishing asks nothing of the table");
    needed.entry("publish-events").or_default();
    // What settling asks for when somebody else changes the same member at the same moment.
    for (function, action) in [
        ("add-member", "dynamodb:DeleteItem"),
        ("remove-member", "dynamodb:ConditionCheckItem"),
        ("remove-member", "dynamodb:PutItem"),
    ] {
        needed.entry(function).or_default().insert((action.to_owned(), false));
    }

    let allowed: BTreeMap<&str, BTreeSet<(String, bool)>> =
        template().policies.iter().map(|(function, policy)| (function.as_str(), allowed(policy))).collect();
    assert_eq!(needed, allowed);
}

/// Every kind of event that comes in reaches the queue, none that goes out does; the audit trail has just those.
#[test]
fn rules_of_the_bus_take_the_events_they_are_for() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let resources = &document(&text).unwrap()["Resources"];
    let pattern = |resource: &str| &resources[resource]["Properties"]["EventPattern"];
    for kind in schemas().keys() {
        let comes_in = kind.starts_with("Account") || kind.ends_with("Requested");
        let event = |source: &str| json!({ "source": source, "detail-type": kind, "detail": {} });
        assert_eq!(matches(pattern("IncomingRule"), &event("hr")), comes_in, "{kind}");
        assert!(!matches(pattern("IncomingRule"), &event("groups")));
        for audit in ["AuditRule", "AuditArchive"] {
            assert!(matches(pattern(audit), &event("groups")) && !matches(pattern(audit), &event("hr")));
        }
    }
    assert_eq!(schemas().len(), 9);
}

/// What functions may do besides: write to their own log, work through their source, send dead letters to their own queue,
/// and publish as nobody else.
#[test]
fn functions_may_do_besides_what_they_do() {
    let may = |actions: &[&str], resource: &str| json!({ "Effect": "Allow", "Action": actions, "Resource": { "Fn::GetAtt": resource } });
    let letters = |queue: &str| may(&["sqs:SendMessage"], &format!("{queue}.Arn"));
    let take = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
    let read =
        ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"].map(|what| format!("dynamodb:{what}"));
    let read = may(&read.each_ref().map(String::as_str), "Table.StreamArn");
    let bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}";
    let publish = json!({
        "Effect": "Allow", "Action": ["events:PutEvents"], "Resource": { "Fn::Sub": bus },
        "Condition": { "StringEquals": { "events:source": "groups" } },
    });
    for (function, policy) in &template().policies {
        let mut expected = match function.as_str() {
            "apply-events" => vec![letters("DeadLetters"), may(&take, "Incoming.Arn")],
            "propagate" => vec![read.clone(), letters("PropagateFailures")],
            "publish-events" => vec![publish.clone(), letters("PublishFailures"), read.clone()],
            _ => vec![],
        };
        let log = format!("{}Log.Arn", resource_of(function));
        expected.push(may(&["logs:CreateLogStream", "logs:PutLogEvents"], &log));
        let besides = |statement: &&Value| place(statement).is_none();
        let besides: Vec<Value> = policy.as_array().unwrap().iter().filter(besides).cloned().collect();
        assert_eq!(besides, expected, "{function}");
    }
}

/// A role that two functions share would allow each what the other does; one that somebody else may take, them.
#[test]
fn every_function_has_its_own_role_and_log() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let resources = &document(&text).unwrap()["Resources"];
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }],
    });
    let mut roles = resources.as_object().unwrap().values().filter(|one| one["Type"] == "AWS::IAM::Role").count();
    for function in template().policies.keys() {
        let name = resource_of(function);
        let properties = &resources[format!("{name}Function")]["Properties"];
        assert_eq!(properties["Role"], json!({ "Fn::GetAtt": format!("{name}Role.Arn") }));
        assert_eq!(properties["LoggingConfig"], json!({ "LogGroup": { "Ref": format!("{name}Log") } }));
        let role = resources[format!("{name}Role")]["Properties"].as_object().unwrap();
        assert_eq!(role.keys().collect::<Vec<_>>(), ["AssumeRolePolicyDocument", "Policies"]);
        assert_eq!((&role["AssumeRolePolicyDocument"], role["Policies"].as_array().unwrap().len()), (&trust, 1));
        roles -= 1;
    }
    assert_eq!(roles, 0, "there is a role of no function");
}

/// A line of the access log is JSON, whatever is not known, and has no path: paths name accounts.
#[test]
fn the_access_log_is_json_without_paths() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let settings = &document(&text).unwrap()["Resources"]["Api"]["Properties"]["AccessLogSettings"];
    let format = settings["Format"].as_str().unwrap();
    let line: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    assert!(!line.is_empty());
    assert!(line.values().all(|value| value.starts_with("$context.")) && !format.contains('\n'));
    for shows in ["path", "Path", "header", "query"] {
        assert!(!format.contains(shows), "{format}");
    }
}

/// The actions of a policy on the table, each with whether it is over the index.
fn allowed(policy: &Value) -> BTreeSet<(String, bool)> {
    let mut allowed = BTreeSet::new();
    for statement in policy.as_array().unwrap() {
        let Some(in_index) = place(statement) else { continue };
        assert_eq!(statement["Effect"], json!("Allow"));
        for action in statement["Action"].as_array().unwrap() {
            allowed.insert((action.as_str().unwrap().to_owned(), in_index));
        }
    }
    allowed
}

/// Whether a statement is over the index, if it is over the table or its index.
fn place(statement: &Value) -> Option<bool> {
    let places =
        [(json!({ "Fn::GetAtt": "Table.Arn" }), false), (json!({ "Fn::Sub": "${Table.Arn}/index/GSI1" }), true)];
    places.into_iter().find(|(resource, _)| statement["Resource"] == *resource).map(|(_, in_index)| in_index)
}
