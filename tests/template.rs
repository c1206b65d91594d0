//! The template against the code: every route has a function, and policies allow exactly the requests of the functions.

use std::collections::{BTreeMap, BTreeSet};

use groups_local::functions::{FUNCTIONS, check_routes};
use groups_local::pattern::matches;
use groups_local::template::{Template, document};
use reqwest::Method;
use serde_json::{Value, json};

use shared::authz::Role;
use shared::domain::{Account, GroupId, MemberChange, Precondition};

use crate::endpoints::WITHOUT_ENDPOINT;
use crate::harness::clock::{TestClock, later};
use crate::harness::exchange::{T1, T2, T3, account_event, request_event};
use crate::harness::faults::Faults;
use crate::harness::pump::Pump;
use crate::harness::recorder::permissions;
use crate::harness::schemas::schemas;
use crate::harness::workspace::{resource_of, root};
use crate::harness::{
    Answer, Api, account, administer, event_source, longest_name, manage, now, template, token, version,
};

#[test]
fn every_route_has_its_function_and_every_function_its_route() {
    check_routes(template()).unwrap();
    let mut route_missing = template().clone();
    route_missing.routes.retain(|route| route.function != "get-member");
    assert_eq!(
        check_routes(&route_missing).unwrap_err().to_string(),
        "template.yaml has no route to the function get-member"
    );
    let mut function_missing = template().clone();
    function_missing.routes[0].function = "no-such-function".into();
    let error = check_routes(&function_missing).unwrap_err().to_string();
    assert!(error.ends_with("to no-such-function, which is no function here"), "{error}");
}

#[test]
fn every_function_is_a_package_of_the_same_name() {
    let folder = root().join("functions");
    let folders: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let names = FUNCTIONS.iter().map(|function| function.name).chain(WITHOUT_ENDPOINT);
    assert_eq!(folders, names.map(str::to_owned).collect());
}

#[test]
fn every_function_has_the_same_build_script() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("functions")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("\nbuild = \"../../infra/build.rs\"\n"), "{}", manifest.display());
        seen += 1;
    }
    assert_eq!(seen, FUNCTIONS.len() + 7);
}

#[test]
fn incomplete_template_is_refused_in_one_line() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for (from, to) in [
        ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"),
        ("AWS::Serverless::HttpApi", "AWS::Serverless::Api"),
        ("Binary: get-group", "Binaries: get-group"),
        ("Timeout: 10", "Timeouts: 10"),
        ("Role: !GetAtt GetGroupRole.Arn", "Roles: 1"),
        ("PolicyDocument:\n            Version", "Document:\n            Version"),
    ] {
        let error = Template::parse(&text.replace(from, to)).unwrap_err().to_string();
        assert!(error.starts_with("template.yaml lacks") && error.lines().count() == 1, "{error}");
    }
    assert!(Template::parse("a: [").unwrap_err().to_string().starts_with("template.yaml is not YAML"));
}

/// Drives every function through all its requests to the table and compares the permissions they need with its policy.
#[tokio::test]
async fn policies_allow_exactly_what_functions_do() {
    let role = Role::parse("Guardian").unwrap();
    let api = Api::start_streaming(|config| config.policy.privileged_role = role, &Faults::default()).await;
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut note = |function: &'static str, answer: Answer| {
        assert!(answer.status.is_success() || [403, 404, 412].contains(&answer.status.as_u16()), "{}", answer.text);
        needed.entry(function).or_default().extend(permissions(&api.recorder.take()));
        answer
    };
    let created = note("create-group", api.post("", json!({ "name": "A" })).await);
    let id = created.body["id"].as_str().unwrap().to_owned();
    let keyed = api.request(Method::POST, "").header("Idempotency-Key", "k").json(&json!({ "name": "B" }));
    note("create-group", Answer::to(keyed).await);
    // The suffixes of this name need more than two transactions.
    let long = longest_name();
    let named = note("create-group", api.post("", json!({ "name": long })).await);
    let path = format!("/{}", named.body["id"].as_str().unwrap());
    for name in ["short", &long] {
        note("update-group", api.put(&path, json!({ "name": name })).await);
    }
    api.accounts(&["acc-1", "acc-2", "acc-3"]).await;
    note("add-member", api.put(&format!("/{id}/members/acc-1"), Value::Null).await);
    let (parent, grandparent) = (api.group("Parent").await, api.group("Grandparent").await);
    api.recorder.take();
    for (parent, child) in [(&parent, &id), (&grandparent, &parent)] {
        note("nest-group", api.put(&format!("/{parent}/groups/{child}"), Value::Null).await);
    }
    note("add-manager", api.put(&format!("/{parent}/managers/acc-1"), Value::Null).await);
    note("list-managers", api.get(&format!("/{parent}/managers")).await);
    note("get-manager", api.get(&format!("/{parent}/managers/acc-1")).await);
    note("remove-manager", api.delete(&format!("/{parent}/managers/acc-1")).await);
    note("list-nested-groups", api.get(&format!("/{parent}/groups")).await);
    note("list-parents", api.get(&format!("/{id}/parents?transitive=true")).await);
    for query in ["", "?search=a", "?email=a@b"] {
        note("list-accounts", api.get(&format!("/api/v1/accounts{query}")).await);
    }
    note("get-account", api.get("/api/v1/accounts/acc-1").await);
    note("list-membership-paths", api.get(&format!("/{grandparent}/members/acc-1/paths")).await);
    note("list-membership-paths", api.get(&format!("/{grandparent}/members/acc-2/paths")).await);
    note("list-account-groups", api.get("/api/v1/accounts/acc-1/groups").await);
    let ids = note("list-account-groups", api.get("/api/v1/accounts/acc-1/groups?fields=id&limit=1").await).body;
    let after = ids["pageInfo"]["endCursor"].as_str().unwrap();
    note("list-account-groups", api.get(&format!("/api/v1/accounts/acc-1/groups?fields=id&after={after}")).await);
    let at = now();
    for query in ["", "?account_id=acc-1", "?until=2024-01-15T10:30:00Z"] {
        note("list-group-history", api.get(&format!("/{id}/history{query}")).await);
    }
    note("list-account-history", api.get("/api/v1/accounts/acc-1/history").await);
    note("list-account-history", api.get("/api/v1/accounts/acc-9/history").await);
    note("list-account-groups", api.get(&format!("/api/v1/accounts/acc-3/groups?at={at}")).await);
    note("list-members", api.get(&format!("/{parent}/members?at={at}")).await);
    note("check-memberships", api.post("/api/v1/accounts/acc-1/check", json!({ "group_ids": [id] })).await);
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
    note("add-member", api.put(&format!("/{parent}/members/acc-1"), Value::Null).await);
    note("remove-member", api.delete(&format!("/{id}/members/acc-1")).await);
    note("update-group", api.put(&format!("/{id}"), json!({})).await);
    note("update-group", api.put(&format!("/{id}"), json!({ "name": "C" })).await);
    // In a certain state of the group, and for new things only.
    let etag = api.get(&format!("/{parent}")).await.header("etag").unwrap().to_owned();
    let all = [
        ("update-group", Method::PUT, format!("/{id}"), json!({ "description": "d" })),
        ("delete-group", Method::DELETE, format!("/{id}"), Value::Null),
        ("add-member", Method::PUT, format!("/{parent}/members/acc-1"), Value::Null),
        ("remove-member", Method::DELETE, format!("/{parent}/members/acc-3"), Value::Null),
        ("change-members", Method::PATCH, format!("/{parent}/members"), json!({ "add": ["acc-1"] })),
        ("nest-group", Method::PUT, format!("/{parent}/groups/{id}"), Value::Null),
        ("unnest-group", Method::DELETE, format!("/{parent}/groups/{id}"), Value::Null),
    ];
    api.recorder.take();
    for (header, value) in [("If-Match", "W/\"1-0\""), ("If-None-Match", "*"), ("If-Match", &etag)] {
        for (function, method, path, body) in &all {
            let request = api.request(method.clone(), path).header(header, value);
            note(function, Answer::to(if body.is_null() { request } else { request.json(body) }).await);
        }
    }
    note("unnest-group", api.delete(&format!("/{parent}/groups/{id}")).await);
    note("delete-group", api.delete(&format!("/{id}")).await);
    let nested = api.group("Nested").await;
    api.put(&format!("/{nested}/members/acc-3"), Value::Null).await.ok();
    api.nest(&parent, &nested).await;
    api.recorder.take();
    note("delete-group", api.delete(&format!("/{nested}")).await);
    // A group with a nested one becomes privileged; a caller without the role meets it.
    let guardian = token("grace", &["Administrator", "Guardian"]);
    let [outer, inner] = [api.group("Outer").await, api.group("Inner").await];
    api.nest(&outer, &inner).await;
    api.recorder.take();
    let flag = api.request_as(Some(&guardian), Method::PATCH, &format!("/{outer}"));
    note("update-group", Answer::to(flag.json(&json!({ "is_privileged": true }))).await);
    for (function, method, path, body) in &all {
        let path = path.replace(&id, &inner).replace(&parent, &inner);
        let request = api.request(method.clone(), &path);
        let answer = note(function, Answer::to(if body.is_null() { request } else { request.json(body) }).await);
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
    // Memberships that start and end.
    let timed = api.group("Timed").await;
    let in_two_seconds = later(now(), 2);
    api.recorder.take();
    for body in [json!({ "expires_at": in_two_seconds }), json!({ "expires_at": null })] {
        note("add-member", api.put(&format!("/{timed}/members/acc-3"), body).await);
    }
    note("add-member", api.put(&format!("/{timed}/members/acc-2"), json!({ "starts_at": in_two_seconds })).await);
    note("remove-member", api.delete(&format!("/{timed}/members/acc-2")).await);
    let body = json!({ "add": ["acc-2"], "starts_at": in_two_seconds, "expires_at": later(now(), 60) });
    note("change-members", api.patch(&format!("/{timed}/members"), body).await);
    // The stream consumer: a nesting, a member, a renamed account.
    let pair = [api.group("D").await, api.group("E").await].map(|id| GroupId::parse(&id).unwrap());
    api.recorder.take();
    let add = MemberChange::add(account("acc-2").id);
    api.store.change_members(&manage(), &pair[1], &[add], &Precondition::NONE, now()).await.unwrap().leave_to_stream();
    api.store
        .nest_group(&administer(), &pair[0], &pair[1], &Precondition::NONE, now())
        .await
        .unwrap()
        .leave_to_stream();
    api.store.put_account(&event_source(), &Account { version: version(2), ..account("acc-2") }).await.unwrap();
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    needed.entry("propagate").or_default().extend(permissions(&api.recorder.take()));
    // The sweep, later.
    api.recorder.take();
    let clock = TestClock::new();
    clock.advance(10);
    api.expire_members_by(&clock).await;
    needed.entry("expire-members").or_default().extend(permissions(&api.recorder.take()));
    // Requests by other systems.
    let group = api.group("F").await;
    api.recorder.take();
    for (action, at) in [("add", "2024-03-01T00:00:00Z"), ("add", "2024-03-01T00:00:01Z"), ("remove", T3)] {
        let request = request_event(action, &group, "acc-2", at);
        assert!(api.hand(&[request, json!("no JSON")]).await.is_empty());
    }
    assert!(api.hand(&[request_event("remove", &group, "acc-2", "2024-03-01T00:00:02Z")]).await.is_empty());
    for (kind, name, at) in [("Created", "first name", T1), ("Updated", "second name", T2), ("Deleted", "", T3)] {
        assert!(api.hand(&[account_event(kind, "acc-new", name, at)]).await.is_empty());
    }
    needed.entry("apply-events").or_default().extend(permissions(&api.recorder.take()));
    Pump::publishing(&api).await.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
    needed.entry("publish-events").or_default().extend(permissions(&api.recorder.take()));
    Answer::to(api.request(Method::GET, "/a/b/c")).await.refused(404, "NOT_FOUND");
    assert!(api.recorder.take().is_empty(), "refusing sends no request to the table");
    needed.entry("reject-request").or_default();
    needed.entry("authorize-token").or_default();
    crate::scim::call_each_kind(&api).await;
    needed.entry("scim").or_default().extend(permissions(&api.recorder.take()));
    // These are sent when a change does not fit one transaction, or others change the same rows at the same moment.
    for (function, action) in [
        ("add-member", "dynamodb:ConditionCheckItem"),
        ("add-member", "dynamodb:DeleteItem"),
        ("add-member", "dynamodb:GetItem"),
        ("change-members", "dynamodb:ConditionCheckItem"),
        ("change-members", "dynamodb:GetItem"),
        ("delete-group", "dynamodb:ConditionCheckItem"),
        ("remove-member", "dynamodb:ConditionCheckItem"),
        ("remove-member", "dynamodb:GetItem"),
        ("remove-member", "dynamodb:PutItem"),
        ("scim", "dynamodb:ConditionCheckItem"),
        ("unnest-group", "dynamodb:ConditionCheckItem"),
    ] {
        needed.entry(function).or_default().insert(action.to_owned());
    }

    let allowed: BTreeMap<&str, BTreeSet<String>> =
        template().policies.iter().map(|(function, policy)| (function.as_str(), allowed(policy))).collect();
    assert_eq!(needed, allowed);
}

/// Incoming events reach the queue and published events do not; the audit archive takes published events only.
#[test]
fn event_rules_match_exactly_their_events() {
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
    assert_eq!(schemas().len(), 10);
}

/// Apart from the table, a function may write to its own log, read its event source and send to its dead-letter queue.
/// `publish-events` may publish events with the source `groups`.
#[test]
fn other_permissions_are_exactly_logs_source_dead_letters_and_events() {
    let allow_on =
        |actions: &[&str], resource: Value| json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    let allow = |actions: &[&str], resource: &str| allow_on(actions, json!({ "Fn::GetAtt": resource }));
    let dead_letters = |queue: &str| allow(&["sqs:SendMessage"], &format!("{queue}.Arn"));
    let receive = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
    let read_stream =
        ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"].map(|action| format!("dynamodb:{action}"));
    let read_stream = allow_on(&read_stream.each_ref().map(String::as_str), stream_arn());
    let bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}";
    let publish = json!({
        "Effect": "Allow", "Action": ["events:PutEvents"], "Resource": { "Fn::Sub": bus },
        "Condition": { "StringEquals": { "events:source": "groups" } },
    });
    let objects = json!({ "Fn::Sub": "${FailedRecords.Arn}/aws/lambda/*" });
    let failed_records = [
        json!({ "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": objects }),
        allow(&["s3:ListBucket"], "FailedRecords.Arn"),
    ];
    assert_eq!(template().policies.len(), FUNCTIONS.len() + 7);
    for (function, policy) in &template().policies {
        let mut expected = match function.as_str() {
            "apply-events" => vec![dead_letters("DeadLetters"), allow(&receive, "Incoming.Arn")],
            "propagate" => [std::slice::from_ref(&read_stream), failed_records.as_slice()].concat(),
            "publish-events" => {
                [&[publish.clone(), dead_letters("PublishFailures"), read_stream.clone()], failed_records.as_slice()]
                    .concat()
            }
            _ => vec![],
        };
        let log = format!("{}Log.Arn", resource_of(function));
        expected.push(allow(&["logs:CreateLogStream", "logs:PutLogEvents"], &log));
        let is_other = |statement: &&Value| !is_on_table(statement);
        let others: Vec<Value> = policy.as_array().unwrap().iter().filter(is_other).cloned().collect();
        assert_eq!(others, expected, "{function}");
    }
}

/// A shared role would allow each function the actions of the other. A role that another service may assume would allow
/// that service the actions of the function.
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
    assert_eq!(roles, 1, "every role but that of the schedule belongs to a function");
}

/// A line of the access log is JSON even if a value is missing, and has no path: paths contain account ids.
#[test]
fn access_log_is_json_without_paths() {
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let settings = &document(&text).unwrap()["Resources"]["Api"]["Properties"]["AccessLogSettings"];
    let format = settings["Format"].as_str().unwrap();
    let line: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    assert!(!line.is_empty());
    assert!(line.values().all(|value| value.starts_with("$context.")) && !format.contains('\n'));
    for personal in ["path", "Path", "header", "query"] {
        assert!(!format.contains(personal), "{format}");
    }
}

/// Returns the actions that a policy allows on the table.
fn allowed(policy: &Value) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for statement in policy.as_array().unwrap().iter().filter(|statement| is_on_table(statement)) {
        assert_eq!(statement["Effect"], json!("Allow"));
        allowed.extend(statement["Action"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()));
    }
    allowed
}

fn is_on_table(statement: &Value) -> bool {
    statement["Resource"] == table_arn()
}

/// The stack's own table or the existing one, whose stream's ARN begins with its own.
fn table_arn() -> Value {
    let existing = json!({ "Fn::Select": [0, { "Fn::Split": ["/stream/", { "Ref": "ExistingTableStreamArn" }] }] });
    json!({ "Fn::If": ["MakesTable", { "Fn::GetAtt": "Table.Arn" }, existing] })
}

fn stream_arn() -> Value {
    json!({ "Fn::If": ["MakesTable", { "Fn::GetAtt": "Table.StreamArn" }, { "Ref": "ExistingTableStreamArn" }] })
}
