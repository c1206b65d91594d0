//! Dry runs and the brake: a dry run says what the change then does, and changes nothing; the brake stops a change before it begins.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::recorder::writes;
use crate::harness::{Answer, Api, numbered, variable};

/// The members of each group by its id.
type Members = BTreeMap<String, BTreeSet<String>>;

async fn members(api: &Api, groups: &[String]) -> Members {
    let mut members = Members::new();
    for group in groups {
        let of_group = api.member_types(group).await.into_iter().map(|(account, _)| account);
        members.insert(group.clone(), of_group.collect());
    }
    members
}

async fn send(api: &Api, method: &Method, path: &str, body: &Value) -> Answer {
    Answer::to(api.request(method.clone(), path).json(body)).await
}

/// Sends a dry run. Returns its preview.
async fn preview(api: &Api, method: &Method, path: &str, body: &Value) -> Value {
    api.recorder.take();
    let answer = send(api, method, &format!("{path}?dry_run=true"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/vnd.groups.preview+json"));
    assert_eq!(writes(&api.recorder.take()).len(), 0);
    answer.body
}

/// The group in a preview, without its name.
fn of_group<'a>(preview: &'a Value, group: &str) -> &'a Value {
    let groups = preview["groups"].as_array().unwrap();
    groups.iter().find(|it| it["id"] == json!(group)).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn dry_run_of_a_nesting_names_who_would_join_which_groups() {
    let api = Api::start().await;
    let [top, privileged, child] = ["Top", "Privileged", "Child"].map(str::to_owned);
    let (top, child) = (api.group(&top).await, api.group(&child).await);
    let body = json!({ "name": privileged, "is_privileged": true });
    let privileged = api.post("", body).await.body["id"].as_str().unwrap().to_owned();
    api.nest(&top, &privileged).await;
    api.members(&child, 0..41).await;
    api.members(&privileged, 40..42).await;

    let path = format!("/{privileged}/groups/{child}");
    let found = preview(&api, &Method::PUT, &path, &json!({})).await;

    let first: Vec<String> = (0..20).map(numbered).collect();
    let effects = |id: &str, name: &str, is_privileged: bool| {
        json!({
            "id": id, "name": name, "is_privileged": is_privileged,
            "gains": { "count": 40, "first": first }, "losses": { "count": 0, "first": [] },
        })
    };
    let groups = [effects(&top, "Top", false), effects(&privileged, "Privileged", true)];
    assert_eq!(found, json!({ "complete": true, "removals": 0, "groups": groups }));
    assert_eq!(api.member_types(&privileged).await.len(), 2);
    api.put(&path, Value::Null).await.ok();
    let again = preview(&api, &Method::PUT, &path, &json!({})).await;
    assert_eq!(again, json!({ "complete": true, "removals": 0, "groups": [] }), "it is nested already");
}

/// Two ways lead from the account to the top group: it leaves that group only with the second.
#[tokio::test]
async fn account_with_another_way_into_a_group_is_no_loss() {
    let api = Api::start().await;
    let (top, left, right) = (api.group("Top").await, api.group("Left").await, api.group("Right").await);
    for side in [&left, &right] {
        api.nest(&top, side).await;
    }
    api.members(&left, 0..2).await;
    api.members(&right, 1..2).await;
    let found = preview(&api, &Method::DELETE, &format!("/{left}"), &json!({})).await;
    assert_eq!(found["removals"], json!(2));
    assert_eq!(of_group(&found, &left)["losses"]["count"], json!(2));
    assert_eq!(of_group(&found, &top)["losses"], json!({ "count": 1, "first": [numbered(0)] }));
    assert_eq!(of_group(&found, &right), &Value::Null);
}

#[tokio::test]
async fn dry_run_has_the_errors_of_the_change() {
    let api = Api::start().await;
    let chain = api.chain(&["Parent", "Child"]).await;
    let (parent, child) = (&chain[0], &chain[1]);
    api.members(child, 0..1).await;
    api.numbered_accounts(1..2).await;
    let requests = [
        (Method::PUT, format!("/{child}/groups/{parent}"), 409),
        (Method::PUT, format!("/{parent}/groups/{parent}"), 409),
        (Method::DELETE, format!("/{child}/groups/{parent}"), 404),
        (Method::PUT, format!("/{parent}/members/acc-404"), 404),
        (Method::DELETE, format!("/{parent}/members/acc-00001"), 404),
        (Method::DELETE, format!("/{parent}/members/acc-00000"), 409),
        (Method::DELETE, format!("/{}", crate::harness::NO_GROUP), 404),
    ];
    for (method, path, status) in requests {
        let dry = send(&api, &method, &format!("{path}?dry_run=true"), &json!({})).await;
        let real = send(&api, &method, &path, &json!({})).await;
        let text = |answer: &Answer| answer.body["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!((dry.status.as_u16(), text(&dry)), (status, text(&real)), "{method} {path}");
    }
    let stale = api.request(Method::DELETE, &format!("/{child}?dry_run=true")).header("If-Match", "\"9-9\"");
    Answer::to(stale).await.refused(412, "PRECONDITION_FAILED");
}

#[tokio::test]
async fn brake_stops_a_change_that_removes_too_many() {
    let api = Api::start().await;
    let chain = api.chain(&["Top", "Team"]).await;
    let (top, team) = (&chain[0], &chain[1]);
    api.members(team, 0..12).await;
    let all: Vec<String> = (0..12).map(numbered).collect();
    let changes = [
        (Method::DELETE, format!("/{team}"), json!({})),
        (Method::DELETE, format!("/{top}/groups/{team}"), json!({})),
        (Method::PATCH, format!("/{team}/members"), json!({ "remove": all })),
    ];
    for (method, path, body) in &changes {
        for query in ["max_removals=10", "max_removals=10&dry_run=true", "max_removals=0"] {
            let answer = send(&api, method, &format!("{path}?{query}"), body).await;
            let message = answer.refused(412, "PRECONDITION_FAILED");
            assert!(message.starts_with("12 accounts would lose a membership, and max_removals is "), "{message}");
        }
    }
    assert_eq!(members(&api, &chain).await.values().map(BTreeSet::len).collect::<Vec<_>>(), [12, 12]);
    let (method, path, body) = &changes[2];
    let answer = send(&api, method, &format!("{path}?max_removals=12"), body).await.ok();
    assert_eq!(answer["outcomes"].as_array().unwrap().len(), 12);
    assert_eq!(api.member_types(top).await.len(), 0);
}

#[tokio::test]
async fn effects_beyond_ten_thousand_accounts_are_not_counted() {
    let api = Api::start_with_long_timeout().await;
    let (large, other) = (api.group("Large").await, api.group("Other").await);
    api.members(&large, 0..10_001).await;
    let path = format!("/{large}");
    let found = preview(&api, &Method::DELETE, &path, &json!({})).await;
    assert_eq!((&found["complete"], &found["removals"]), (&json!(false), &json!(10_000)));
    let answer = api.delete(&format!("{path}?max_removals=1000000")).await;
    assert!(answer.refused(412, "PRECONDITION_FAILED").starts_with("more than 10000 accounts are affected"));
    // A nesting removes nobody, however many it adds.
    let nesting = format!("/{other}/groups/{large}?dry_run=true&max_removals=0");
    assert_eq!(api.put(&nesting, Value::Null).await.body["complete"], json!(false));

    assert_eq!(api.delete(&format!("/{large}/members/{}", numbered(10_000))).await.status, 204);
    let found = preview(&api, &Method::DELETE, &path, &json!({})).await;
    assert_eq!((&found["complete"], &found["removals"]), (&json!(true), &json!(10_000)));
    assert_eq!(api.delete(&format!("{path}?max_removals=10000")).await.status, 204);
}

#[tokio::test]
async fn invalid_precautions_are_refused_and_change_nothing() {
    let api = Api::start().await;
    let group = api.group("Team").await;
    for (query, field) in [
        ("dry_run=yes", "dry_run"),
        ("max_removals=-1", "max_removals"),
        ("max_removals=", "max_removals"),
        ("max_removals=18446744073709551616", "max_removals"),
        ("dryrun=true", "dryrun"),
        ("dry_run=true&dry_run=true", "dry_run"),
    ] {
        let errors = api.delete(&format!("/{group}?{query}")).await.field_errors();
        assert_eq!(errors.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), [field], "{query}");
    }
    // Where there is no dry run, a request for one must not change anything.
    let body = json!({ "name": "Other" });
    assert_eq!(api.patch(&format!("/{group}?dry_run=true"), body.clone()).await.field_errors()[0].0, "dry_run");
    assert_eq!(api.post("?dry_run=true", body).await.field_errors()[0].0, "dry_run");
    assert_eq!(api.get("").await.ok()["groups"][0]["name"], json!("Team"));
}

const GROUPS: usize = 6;
const ACCOUNTS: usize = 5;

/// Requests of a random history, each after its dry run, which says what then happens.
async fn random_history(seed: u64) {
    let api = Api::start().await;
    api.numbered_accounts(0..ACCOUNTS).await;
    let mut groups = Vec::new();
    for group in 0..GROUPS {
        groups.push(api.group(&format!("Group {group}")).await);
    }
    let mut random = fastrand::Rng::with_seed(seed);
    for step in 0..40 {
        let (group, other) = (random.usize(..groups.len()), random.usize(..groups.len()));
        let mut account = || numbered(random.usize(..ACCOUNTS));
        let (some, more) = (account(), account());
        let member = format!("/{}/members/{some}", groups[group]);
        let nesting = format!("/{}/groups/{}", groups[group], groups[other]);
        let (method, path, body) = match random.u8(..12) {
            0..3 => (Method::PUT, member, json!({})),
            3 => (Method::DELETE, member, json!({})),
            4 if some != more => {
                (Method::PATCH, format!("/{}/members", groups[group]), json!({ "add": [some], "remove": [more] }))
            }
            4..9 => (Method::PUT, nesting, json!({})),
            9..11 => (Method::DELETE, nesting, json!({})),
            _ => (Method::DELETE, format!("/{}", groups[group]), json!({})),
        };
        let before = members(&api, &groups).await;
        let dry = send(&api, &method, &format!("{path}?dry_run=true"), &body).await;
        assert_eq!(members(&api, &groups).await, before, "seed {seed}, step {step}: a dry run changed something");
        let real = send(&api, &method, &path, &body).await;
        assert_eq!(dry.status.is_success(), real.status.is_success(), "seed {seed}, step {step}: {}", dry.text);
        if !real.status.is_success() {
            assert_eq!(dry.status, real.status);
            continue;
        }
        let is_deletion = method == Method::DELETE && !path[1..].contains('/');
        let mut after =
            if is_deletion { Members::from([(groups.remove(group), BTreeSet::new())]) } else { Members::new() };
        after.extend(members(&api, &groups).await);
        let mut removed = BTreeSet::new();
        for (id, before) in before {
            let after = &after[&id];
            let expected = |accounts: Vec<&String>| json!({ "count": accounts.len(), "first": accounts });
            let (gains, losses): (Vec<_>, Vec<_>) =
                (after.difference(&before).collect(), before.difference(after).collect());
            let found = of_group(&dry.body, &id);
            if gains.is_empty() && losses.is_empty() {
                assert_eq!(found, &Value::Null, "seed {seed}, step {step}: {method} {path}");
                continue;
            }
            removed.extend(losses.iter().map(|account| (*account).clone()));
            let effects = (&found["gains"], &found["losses"]);
            assert_eq!(effects, (&expected(gains), &expected(losses)), "seed {seed}, step {step}: {method} {path}");
        }
        assert_eq!(dry.body["removals"], json!(removed.len()), "seed {seed}, step {step}: {method} {path}");
        if is_deletion {
            groups.push(api.group(&format!("Group {step}")).await);
        }
    }
}

#[tokio::test]
async fn dry_run_says_what_then_happens() {
    for seed in 0..variable("GROUPS_TEST_HISTORIES").unwrap_or(8) {
        random_history(seed).await;
    }
}
