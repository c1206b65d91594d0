use serde_json::{Value, json};

use super::{chain, groups};
use crate::harness::clock::{TestClock, later};
use crate::harness::faults::Faults;
use crate::harness::pump::drain_all;
use crate::harness::{Api, NO_GROUP};
use shared::domain::{Clock, Timestamp};

/// The change, the account or the nested group, and the actor of each entry.
fn summary(history: &[Value]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let subject =
        |entry: &Value| text(entry.get("account_id").or_else(|| entry.get("nested_group_id")).unwrap_or(&Value::Null));
    history.iter().map(|entry| (text(&entry["change"]), subject(entry), text(&entry["actor"]))).collect()
}

#[tokio::test]
async fn changes_of_a_group_are_listed_newest_first_with_before_and_after() {
    let clock = TestClock::new();
    let api = Api::start_clocked(|_| {}, &clock, None).await;
    api.accounts(&["acc-1"]).await;
    let mut times: Vec<Timestamp> = Vec::new();
    let mut next = || {
        times.push(clock.now());
        clock.advance(1);
    };
    let finance = api.group("Finance").await;
    next();
    let child = api.group("Payroll").await;
    api.put(&format!("/{child}/members/acc-1"), Value::Null).await.ok();
    next();
    api.nest(&finance, &child).await;
    next();
    api.put(&format!("/{finance}/members/acc-1"), Value::Null).await.ok();
    next();
    api.put(&format!("/{finance}"), json!({ "name": "Finances", "email": "f@company.com" })).await.ok();
    next();
    assert_eq!(api.delete(&format!("/{finance}/groups/{child}")).await.status, 204);
    next();
    assert_eq!(api.delete(&format!("/{finance}")).await.status, 204);
    next();
    drain_all(&api).await;
    let history = api.all_items(&format!("/{finance}/history?limit=1"), "history").await;
    let entry = |change: &str, subject: &str| (change.to_owned(), subject.to_owned(), "alice".to_owned());
    let (account, nested) = ("acc-1", child.as_str());
    let expected = [
        // The job of the deletion removes the members.
        entry("member_removed", account),
        entry("group_deleted", ""),
        entry("group_unnested", nested),
        entry("member_changed", account),
        entry("group_updated", ""),
        entry("member_changed", account),
        entry("group_nested", nested),
        entry("member_added", account),
        entry("group_created", ""),
    ];
    assert_eq!(summary(&history), expected);
    let membership = |kind: &str, via: &[&String]| json!({ "membership_type": kind, "via": via });
    let (direct, both) = (membership("direct", &[]), membership("direct", &[&child]));
    let indirect = membership("indirect", &[&child]);
    let state =
        |name: &str| json!({ "name": name, "description": "", "group_type": "security", "is_privileged": false });
    let mut renamed = state("Finances");
    renamed["email"] = json!("f@company.com");
    let states: Vec<[&Value; 2]> = history.iter().map(|entry| [&entry["before"], &entry["after"]]).collect();
    let none = &Value::Null;
    let expected = [
        [&direct, none],
        [&renamed, none],
        [none, none],
        [&both, &direct],
        [&state("Finance"), &renamed],
        [&indirect, &both],
        [none, none],
        [none, &indirect],
        [none, &state("Finance")],
    ];
    assert_eq!(states, expected);
    let at = |index: usize| history[index]["at"].as_str().unwrap();
    let [created, _, nested_at, added, updated, unnested, deleted] = &times[..] else { panic!() };
    let purged = later(*deleted, 1);
    let expected = [&purged, deleted, unnested, unnested, updated, added, nested_at, nested_at, created];
    assert_eq!((0..9).map(at).collect::<Vec<_>>(), expected.map(ToString::to_string));
    assert_eq!(history[1]["id"], json!(format!("{finance}/3")));
    assert_eq!(history[5]["id"], json!(format!("{finance}/acc-1/2")));
    // The nested group has the nestings, too.
    let of_child = summary(&api.get(&format!("/{child}/history")).await.ok()["history"].as_array().unwrap().clone());
    let changes: Vec<&str> = of_child.iter().map(|(change, ..)| change.as_str()).collect();
    assert_eq!(changes, ["group_unnested", "group_nested", "group_created", "member_added"]);
    assert_eq!(of_child[0].1, child);
}

#[tokio::test]
async fn changes_are_selected_by_time_and_account() {
    let clock = TestClock::new();
    let api = Api::start_clocked(|_| {}, &clock, None).await;
    api.accounts(&["acc-1", "acc-2"]).await;
    let finance = api.group("Finance").await;
    let start = clock.now();
    for account in ["acc-1", "acc-2", "acc-1", "acc-2"] {
        clock.advance(10);
        let path = format!("/{finance}/members/{account}");
        match api.get(&path).await.status.as_u16() {
            404 => drop(api.put(&path, Value::Null).await.ok()),
            _ => assert_eq!(api.delete(&path).await.status, 204),
        }
    }
    drain_all(&api).await;
    let changes = async |query: &str| {
        let history = api.all_items(&format!("/{finance}/history?limit=1&{query}"), "history").await;
        history.iter().map(|entry| entry["change"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [added, removed, created] = ["member_added", "member_removed", "group_created"];
    assert_eq!(changes("").await, [removed, removed, added, added, created]);
    let at = |seconds: i64| later(start, seconds);
    assert_eq!(changes(&format!("since={}", at(20))).await, [removed, removed, added]);
    assert_eq!(changes(&format!("until={}", at(20))).await, [added, created]);
    assert_eq!(changes(&format!("since={}&until={}", at(20), at(21))).await, [added]);
    assert_eq!(changes(&format!("until={}", at(-1))).await, [""; 0]);
    let of_account = api.get(&format!("/{finance}/history?account_id=acc-2")).await.ok();
    let found: Vec<(&str, &str)> = of_account["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["change"].as_str().unwrap(), entry["account_id"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [(removed, "acc-2"), (added, "acc-2")]);
    assert_eq!(changes("account_id=acc-3").await, [""; 0]);
    // A membership in another group is not of this one.
    let other = api.group("Other").await;
    assert_eq!(api.get(&format!("/{other}/history?account_id=acc-2")).await.ok()["history"], json!([]));
}

#[tokio::test]
async fn invalid_queries_are_refused_and_missing_groups_not_found() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let [finance] = groups(&api, ["Finance"]).await;
    let refused = async |query: &str| api.get(&format!("/{finance}/history?{query}")).await.field_errors();
    let error = |field: &str, reason: &str| [(field.to_owned(), reason.to_owned())];
    for field in ["since", "until"] {
        assert_eq!(refused(&format!("{field}=yesterday")).await, error(field, "is not a time in RFC 3339"));
    }
    let period = "since=2024-01-15T10:30:00Z&until=2024-01-15T10:30:00Z";
    assert_eq!(refused(period).await, error("until", "is not later than since"));
    assert_eq!(refused("account_id=a/b").await, error("account_id", "is no account id"));
    assert_eq!(refused("limit=1001").await, error("limit", "is more than 1000"));
    assert_eq!(refused("after=x").await, error("after", "is not a cursor of this list"));
    assert_eq!(refused("account=acc-1").await.len(), 1);
    api.get(&format!("/{NO_GROUP}/history")).await.not_found();
    api.get("/grp-123/history").await.not_found();
    assert_eq!(api.get(&format!("/{finance}/history")).await.ok()["history"], json!([]), "nothing is published yet");
}

#[tokio::test]
async fn cursor_belongs_to_its_group_account_and_period() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let [parent, child] = chain(&api, ["Parent", "Child"]).await;
    api.accounts(&["acc-1"]).await;
    for method in ["PUT", "DELETE"] {
        api.request(method.parse().unwrap(), &format!("/{child}/members/acc-1")).send().await.unwrap();
    }
    drain_all(&api).await;
    let queries = [
        format!("/{parent}/history?"),
        format!("/{child}/history?"),
        format!("/{child}/history?account_id=acc-1"),
        format!("/{child}/history?since=2024-01-15T10:30:00Z"),
        "/api/v1/accounts/acc-1/history?".into(),
    ];
    for from in &queries {
        let page = api.get(&format!("{from}&limit=1")).await.ok();
        let cursor = page["pageInfo"]["endCursor"].as_str().unwrap();
        for to in &queries {
            let answer = api.get(&format!("{to}&after={cursor}")).await;
            assert_eq!(answer.status.as_u16(), if from == to { 200 } else { 400 }, "{from} {to}");
        }
    }
}
