//! The real binaries: each function runs as its own process under an emulated Runtime API and receives the recorded
//! events of `tests/events`.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use groups_local::demo::{self, Demo};
use groups_local::functions::{ENDPOINTS, Endpoint};
use lambda_simulator::{InvocationStatus, Simulator};
use serde_json::{Value, json};
use shared::api::operation::Access;
use shared::domain::{AccountId, GroupId, Precondition, Validity};

use crate::harness::clock::later;
use crate::harness::exchange::{T3, request_event};
use crate::harness::log;
use crate::harness::meter::Meter;
use crate::harness::schemas::assert_valid;
use crate::harness::workspace::{function, recorded};
use crate::harness::{Api, config, is_embedded, manage, now, template};

/// The process of a function, under its own Runtime API.
struct Process {
    simulator: Simulator,
    child: Child,
}

impl Process {
    async fn start(name: &str, api: &Api) -> Self {
        // The timeout of the batch functions in the template; the simulator's default is three seconds.
        let simulator = Simulator::builder().function_name(name).invocation_timeout(Duration::from_secs(30));
        let simulator = simulator.build().await.unwrap();
        let mut command = Command::new(function(name));
        command.env_clear().envs(&template().environment).envs(simulator.lambda_env_vars());
        command.env("TABLE_NAME", &api.table).env("AWS_ENDPOINT_URL_DYNAMODB", &api.endpoint);
        for service in ["EVENTBRIDGE", "SQS"] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), api.bus_endpoint());
        }
        // Long enough for the table when all tests run at once.
        command.env("SETTLE_BUDGET_MS", "5000");
        // SHA-256 of "recorded-token".
        command.env("TOKEN_DIGEST", "96dcd29bf442f4b510c4e6a88e095d3f9b492825c9d00bab9ebe6df81f2c6004");
        command.env("METRICS_NAMESPACE", "groups-test");
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { simulator, child }
    }

    /// Invokes an endpoint; returns status, headers and body.
    async fn invoke(&self, event: Value) -> (u64, Value, Value) {
        let answer = self.deliver(event).await;
        let body = answer["body"]
            .as_str()
            .filter(|body| !body.is_empty())
            .map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        (answer["statusCode"].as_u64().unwrap(), answer["headers"].clone(), body)
    }

    /// Delivers an event; returns the function's response.
    async fn deliver(&self, event: Value) -> Value {
        let id = self.simulator.enqueue_payload(event).await;
        // Not `wait_for_invocation_complete`: it misses a response that comes after its look and before its wait.
        let state = async || self.simulator.get_invocation_state(&id).await.unwrap();
        let is_complete =
            async || !matches!(state().await.status, InvocationStatus::Pending | InvocationStatus::InProgress);
        self.simulator.wait_for(is_complete, Duration::from_secs(30)).await.unwrap();
        let state = state().await;
        assert_eq!(state.status, InvocationStatus::Success, "{:?}", state.error.map(|error| error.error_message));
        state.response.unwrap().payload
    }

    /// Ends the process; returns its standard output and standard error.
    fn end(mut self) -> (String, String) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (out, err)
    }
}

/// The endpoints in an order in which all recorded events succeed on the same demo data: reads, writes, then the
/// deletion of their group.
fn one_after_the_other() -> Vec<Endpoint> {
    let mut endpoints = Vec::from(ENDPOINTS);
    endpoints.sort_by_key(|Endpoint { function, operation }| {
        (operation.access != Access::Readers, function.name == "delete-group")
    });
    endpoints
}

/// The authorizer's reply has the claims that the gateway puts into the event of `scim`.
#[tokio::test(flavor = "multi_thread")]
async fn identity_provider_is_authorized_and_answered() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    let authorizer = Process::start("authorize-token", &api).await;
    let reply = authorizer.deliver(recorded("authorize-token")).await;
    let event = recorded("scim");
    let claims = &event["requestContext"]["authorizer"]["lambda"];
    assert_eq!(reply, json!({ "isAuthorized": true, "context": claims }));
    let mut other = recorded("authorize-token");
    other["identitySource"] = json!(["Bearer another"]);
    assert_eq!(authorizer.deliver(other).await["isAuthorized"], json!(false));
    assert_discreet(&authorizer.end().0, &api);

    let process = Process::start("scim", &api).await;
    let (status, headers, body) = process.invoke(event).await;
    assert_eq!((status, &headers["content-type"]), (200, &json!("application/scim+json")));
    assert_eq!((&body["totalResults"], &body["Resources"][0]["userName"]), (&json!(1), &json!("john.doe")));
    assert_discreet(&process.end().0, &api);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_its_recorded_event() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    for Endpoint { function, operation } in one_after_the_other() {
        let (name, expected) = (function.name, u64::from(operation.success.status));
        let process = Process::start(name, &api).await;
        let (status, headers, body) = process.invoke(recorded(name)).await;
        assert_eq!(status, expected, "{name}: {body}");
        if status != 204 {
            assert_eq!(headers["content-type"], json!("application/json; charset=utf-8"));
        }
        match name {
            "list-groups" => assert_eq!(body["groups"].as_array().unwrap().len(), 3),
            "list-accounts" => assert_eq!(body["accounts"][0]["name"], "john.doe"),
            "get-account" => assert_eq!((&body["name"], &body["group_count"]), (&json!("john.doe"), &json!(2))),
            "check-memberships" => {
                let results: Vec<&Value> =
                    body["checks"].as_array().unwrap().iter().map(|check| &check["is_member"]).collect();
                assert_eq!(results, [true, false]);
            }
            "list-membership-paths" => assert_eq!(body["paths"].as_array().unwrap().len(), 2),
            "list-group-history" | "list-account-history" => assert_eq!(body["history"], json!([])),
            "list-managers" => assert_eq!(body["managers"].as_array().unwrap().len(), 1),
            "get-manager" => assert_eq!(body["name"], json!("Engineering Leads")),
            "list-parents" => assert_eq!(body["groups"], json!([])),
            "list-nested-groups" => assert_eq!(body["groups"].as_array().unwrap().len(), 2),
            "nest-group" | "unnest-group" => {
                // A slow table may exceed the time budget of the invocation.
                assert!(headers["membership-settled"] == "true" || !is_embedded());
            }
            "get-group" => assert_eq!((&body["name"], &body["member_count"]), (&json!("Engineering Team"), &json!(45))),
            "list-members" => assert_eq!((body["members"].as_array().unwrap().len(), &body["count"]), (45, &json!(45))),
            "change-members" => {
                let outcomes: Vec<&str> = body["outcomes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|outcome| outcome["outcome"].as_str().unwrap())
                    .collect();
                assert_eq!(outcomes, ["already_member", "unknown_account", "removed"]);
            }
            "update-group" => assert!(headers["etag"].as_str().unwrap().starts_with("\"2-")),
            _ => {}
        }
        let (out, err) = process.end();
        assert_eq!(err, "", "{name}");
        assert_discreet(&out, &api);
        let line: Value = serde_json::from_str(out.lines().next_back().unwrap()).unwrap();
        assert_eq!((&line["function"], &line["status"]), (&json!(name), &json!(expected)));
        assert_eq!(line["request_id"], json!("R1aBcDeFgHiJkLm="));
    }
}

/// Asserts that the log of a process has no personal data and no table name.
fn assert_discreet(log: &str, api: &Api) {
    log::assert_discreet(log);
    assert!(!log.contains(&api.table), "{log}");
}

/// Two records: a new member of a group with two ancestors, and a malformed record, which is logged and blocks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn propagate_answers_its_recorded_event() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    api.accounts(&["acc-146"]).await;
    let on_call = "grp-018d0cab-c440-7000-8000-000000000004";
    // A request by event leaves the groups above to the stream.
    assert!(api.hand(&[request_event("add", on_call, "acc-146", T3)]).await.is_empty());
    let backend_team = "/grp-018d0cab-c440-7000-8000-000000000002";
    let member = format!("{backend_team}/members/acc-146");
    api.get(&member).await.not_found();

    let process = Process::start("propagate", &api).await;
    for _ in 0..2 {
        let response = process.deliver(recorded("propagate")).await;
        assert_eq!(response, json!({ "batchItemFailures": [] }));
        assert_eq!(api.get(&member).await.ok()["membership_type"], json!("indirect"));
        assert_eq!(api.get(backend_team).await.ok()["member_count"], json!(17));
    }
    let (out, err) = process.end();
    assert_eq!(err, "");
    assert_discreet(&out, &api);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., malformed, batch] = &lines[..] else { panic!("{out}") };
    assert_eq!(malformed["sequence_number"], json!("4421584500000000017450439092"));
    assert_metrics(batch, &["milliseconds", "lag", "table_requests", "read_units", "failed"]);
    assert_eq!((&batch["function"], &batch["items"], &batch["failed"]), (&json!("propagate"), &json!(2), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn expire_members_ends_a_membership_on_its_schedule() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    let backend_team = GroupId::parse("grp-018d0cab-c440-7000-8000-000000000002").unwrap();
    let (account, long_ago) = (AccountId::parse("acc-101").unwrap(), later(now(), -120));
    let validity = Validity { starts_at: None, expires_at: Some(Some(later(now(), -60))) };
    let added = api.store.add_member(&manage(), &backend_team, account, validity, &Precondition::NONE, long_ago).await;
    added.unwrap().leave_to_stream();

    let process = Process::start("expire-members", &api).await;
    assert_eq!(process.deliver(recorded("expire-members")).await, json!({ "due": 1, "left": 0 }));
    assert_eq!(process.deliver(recorded("expire-members")).await, json!({ "due": 0, "left": 0 }));
    let members = api.member_types(&backend_team.to_string()).await;
    assert!(members.iter().all(|(id, _)| id != "acc-101"));
    let (out, err) = process.end();
    assert_eq!(err, "");
    assert_discreet(&out, &api);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., batch, _] = &lines[..] else { panic!("{out}") };
    assert_metrics(batch, &["milliseconds", "lag", "table_requests", "read_units", "write_units", "failed"]);
    assert_eq!((&batch["items"], &batch["failed"]), (&json!(1), &json!(0)));
    assert!(batch["lag"].as_u64().unwrap() >= 60_000);
}

/// An account update, a valid request, one for an unknown group, one for an unknown account, and a malformed message.
#[tokio::test(flavor = "multi_thread")]
async fn apply_events_answers_its_recorded_event() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    let process = Process::start("apply-events", &api).await;
    let on_call = "/grp-018d0cab-c440-7000-8000-000000000004";
    let count = api.get(on_call).await.ok()["direct_member_count"].as_u64().unwrap();
    for round in 1..=2 {
        let response = process.deliver(recorded("apply-events")).await;
        assert_eq!(
            response,
            json!({ "batchItemFailures": [{ "itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d" }] })
        );
        assert_eq!(api.get(on_call).await.ok()["direct_member_count"], json!(count + 1));
        assert_eq!(api.get(&format!("{on_call}/members/acc-123")).await.ok()["membership_type"], json!("direct"));
        assert_eq!(api.dead_letter_reasons().len(), 2 * round);
    }
    let mut reasons = api.dead_letter_reasons();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons, ["the event is not JSON", "the group does not exist"]);
    let (out, err) = process.end();
    assert_eq!(err, "");
    assert_discreet(&out, &api);
    let batch: Value = serde_json::from_str(out.lines().next_back().unwrap()).unwrap();
    assert_eq!((&batch["items"], &batch["failed"]), (&json!(5), &json!(1)));
}

/// A renamed group, an added member, a removed one, changed counts, and a malformed record.
#[tokio::test(flavor = "multi_thread")]
async fn publish_events_answers_its_recorded_event() {
    let api = Api::start().await;
    let process = Process::start("publish-events", &api).await;
    for _ in 0..2 {
        assert_eq!(process.deliver(recorded("publish-events")).await, json!({ "batchItemFailures": [] }));
    }
    let published = api.published();
    let kinds: Vec<&str> = published.iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Group Updated", "Group Member Added", "Group Member Removed"].repeat(2));
    published.iter().for_each(assert_valid);
    let [first, repeated] = [0, 3].map(|place: usize| &published[place]["detail"]);
    assert_eq!(first, repeated);
    let team = "grp-018d0cab-c440-7000-8000-000000000001";
    let state =
        |name: &str| json!({ "name": name, "description": "", "group_type": "security", "is_privileged": false });
    let expected = json!({
        "id": format!("{team}/2"), "occurred_at": "2026-11-24T00:08:00Z", "actor": "alice", "revision": 2,
        "group_id": team, "before": state("Engineering"), "after": state("Engineering Team"),
    });
    assert_eq!(*first, expected);
    assert_eq!(api.dead_letter_reasons().len(), 2);
    assert!(api.dead_letter_reasons()[0].starts_with("record 4421584500000000017450439095: "));
    let (out, err) = process.end();
    assert_eq!(err, "");
    assert_discreet(&out, &api);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_answers_many_requests() {
    let api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    let process = Process::start("get-group", &api).await;
    for _ in 0..20 {
        assert_eq!(process.invoke(recorded("get-group")).await.0, 200);
    }
    assert_discreet(&process.end().0, &api);
}

/// Asserts that CloudWatch reads these metrics from the line (CloudWatch User Guide, "Specification: Embedded metric
/// format").
fn assert_metrics(line: &Value, names: &[&str]) {
    let aws = &line["_aws"];
    assert!(aws["Timestamp"].is_u64());
    let [directive] = &aws["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("{aws}") };
    assert_eq!(directive["Namespace"], json!("groups-test"));
    assert_eq!(directive["Dimensions"], json!([["function"]]));
    assert!(line["function"].is_string());
    let metrics = directive["Metrics"].as_array().unwrap();
    assert_eq!(metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect::<Vec<_>>(), names);
    for metric in metrics {
        assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{line}");
        let is_time = ["milliseconds", "lag"].contains(&metric["Name"].as_str().unwrap());
        assert_eq!(metric["Unit"], json!(if is_time { "Milliseconds" } else { "Count" }));
    }
}

/// The line has every field an operator needs, and the requests to the table carry the trace id.
#[tokio::test(flavor = "multi_thread")]
async fn each_request_logs_one_line_with_metrics_and_trace() {
    let mut api = Api::start().await;
    demo::fill(&api.store, &config("any").policy, Demo::Small).await.unwrap();
    let meter = Meter::default();
    api.endpoint = meter.start_proxy(&api.endpoint).await;
    let process = Process::start("get-group", &api).await;
    for _ in 0..2 {
        assert_eq!(process.invoke(recorded("get-group")).await.0, 200);
    }
    let (out, _) = process.end();
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let traces = meter.take_traces();
    assert_eq!((lines.len(), traces.len()), (2, 2), "{out}");
    for (mut line, (is_first, trace)) in lines.into_iter().zip([true, false].into_iter().zip(traces)) {
        assert_metrics(&line, &["milliseconds", "table_requests", "read_units"]);
        assert!(trace.starts_with("Root=1-"), "{trace}");
        let line = line.as_object_mut().unwrap();
        // Fields that differ from run to run.
        for measured in ["timestamp", "milliseconds", "_aws"] {
            assert!(line.remove(measured).is_some());
        }
        let expected = json!({
            "level": "INFO", "message": "request", "function": "get-group", "request_id": "R1aBcDeFgHiJkLm=",
            "route": "GET /api/v1/groups/{id}", "caller": "5f7c2a4e-0c1d-4b7e-9a35-2f1f6f3f9b1c", "status": 200,
            "table_requests": 1, "read_units": 1, "cold_start": is_first, "trace": trace,
        });
        assert_eq!(json!(line), expected);
    }
}

/// A request without claims, one with an invalid body, and one whose table does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn failed_requests_get_an_error_reply_and_a_discreet_log() {
    let mut api = Api::start().await;
    let process = Process::start("create-group", &api).await;
    let mut unauthenticated = recorded("create-group");
    unauthenticated["requestContext"].as_object_mut().unwrap().remove("authorizer");
    let (status, headers, body) = process.invoke(unauthenticated).await;
    assert_eq!((status, &headers["www-authenticate"]), (401, &json!("Bearer")));
    assert_eq!(body["error"]["code"], json!("UNAUTHORIZED"));
    let mut invalid = recorded("create-group");
    invalid["body"] = json!("{\"name\": \"john.doe\", \"eyJ\": 1}");
    assert_eq!(process.invoke(invalid).await.0, 400);
    assert_discreet(&process.end().0, &api);

    api.table = "no-such-table".into();
    let process = Process::start("create-group", &api).await;
    let (status, _, body) = process.invoke(recorded("create-group")).await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!("INTERNAL_ERROR")));
    let (out, _) = process.end();
    assert_discreet(&out, &api);
    assert!(out.contains("TransactWriteItems failed: ResourceNotFoundException"), "{out}");
}
