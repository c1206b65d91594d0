//! Counts the table requests of each call and compares them with docs/access-patterns.md.

use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{Account, AccountId};
use shared::store::keys::COUNT_SHARDS;

use crate::harness::exchange::{T1, T2, T3, account_event, request_event};
use crate::harness::faults::Faults;
use crate::harness::meter::{Meter, Units};
use crate::harness::pump::Pump;
use crate::harness::recorder::{Recorded, operations, sequential};
use crate::harness::{Answer, Api, event_source, is_embedded, now, numbered, version};

/// Asserts which requests a call sent to the table, and how many of them ran one after the other (`rounds`).
#[track_caller]
fn assert_cost(requests: &[Recorded], expected: &[&str], rounds: usize) {
    assert_eq!(operations(requests), expected);
    assert_eq!(sequential(requests), rounds, "sequential round trips");
    for request in requests.iter().filter(|request| request.operation != "TransactWriteItems") {
        assert!(request.operation != "Scan");
        let body = &request.body;
        match request.operation.as_str() {
            "GetItem" | "Query" => assert_eq!(body["ConsistentRead"], json!(true)),
            "BatchGetItem" => {
                let keys = body["RequestItems"].as_object().unwrap().values().next().unwrap();
                assert_eq!(keys["ConsistentRead"], json!(true));
            }
            _ => {}
        }
    }
}

/// Repeats the reads at growing sizes of the group and the list.
#[tokio::test]
async fn reads_cost_the_same_at_every_size() {
    let api = Api::start().await;
    let group = api.group("Group 000").await;
    for (members, groups) in [(0..1, 1..2), (1..40, 2..20), (40..300, 20..90)] {
        api.members(&group, members).await;
        for number in groups {
            let other = api.group(&format!("Group {number:03}")).await;
            api.members(&other, 0..1).await;
        }
        let cost = async |path: &str| {
            api.recorder.take();
            api.get(path).await.ok();
            api.recorder.take()
        };
        assert_cost(&cost(&format!("/{group}")).await, &["Query"], 1);
        assert_cost(&cost(&format!("/{group}/members/acc-00000")).await, &["BatchGetItem"], 1);
        assert_cost(&cost(&format!("/{group}/members")).await, &["Query"], 1);
        assert_cost(&cost(&format!("/{group}/members?limit=1")).await, &["Query"], 1);
        assert_cost(&cost(&format!("/{group}/members?status=active&limit=1")).await, &["Query"], 1);
        assert_cost(&cost(&format!("/{group}/members?search=n&limit=1")).await, &["Query", "Query"], 1);
        assert_cost(&cost("").await, &["Query", "BatchGetItem"], 2);
        assert_cost(&cost("?limit=1").await, &["Query", "BatchGetItem"], 2);
        assert_cost(&cost("?search=00").await, &["Query", "BatchGetItem"], 2);
        assert_cost(&cost("?search=00&group_type=security&sort=-name&limit=1").await, &["Query", "BatchGetItem"], 2);
        assert_cost(&cost("?group_type=security&is_privileged=false&limit=1").await, &["Query", "BatchGetItem"], 2);
        assert_cost(&cost("?is_privileged=true").await, &["Query"], 1);
        assert_cost(&cost("?member=acc-00000").await, &["Query", "BatchGetItem"], 2);
    }
    let account = async |path: &str| {
        api.recorder.take();
        api.get(&format!("/api/v1/accounts/acc-00000{path}")).await.ok();
        api.recorder.take()
    };
    for query in ["", "?search=acc", "?email=acc-00000@company.com", "?limit=1"] {
        api.recorder.take();
        let page = api.get(&format!("/api/v1/accounts{query}")).await.ok();
        assert!(!page["accounts"].as_array().unwrap().is_empty(), "{query}");
        assert_cost(&api.recorder.take(), &["Query", "BatchGetItem"], 2);
    }
    assert_cost(&account("").await, &["Query", "BatchGetItem"], 2);
    assert_cost(&account("/groups").await, &["Query", "BatchGetItem"], 2);
    assert_cost(&account("/groups?fields=id").await, &["Query", "BatchGetItem"], 2);
    let ids: Vec<Value> = (0..500).map(|_| json!(shared::domain::GroupId::new(1, fastrand::u128(..)))).collect();
    api.recorder.take();
    api.post("/api/v1/accounts/acc-00000/check", json!({ "group_ids": ids })).await.ok();
    // Five of a hundred groups, and one of the account.
    let requests = api.recorder.take();
    assert_eq!((operations(&requests), sequential(&requests)), (vec!["BatchGetItem"; 6], 1));
    // The second page.
    let page = api.get(&format!("/{group}/members?limit=100")).await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    api.recorder.take();
    api.get(&format!("/{group}/members?limit=100&after={after}")).await.ok();
    assert_cost(&api.recorder.take(), &["Query", "Query"], 1);
    let page = api.get("?limit=5").await.ok();
    let after = page["pageInfo"]["endCursor"].as_str().unwrap();
    api.recorder.take();
    api.get(&format!("?limit=5&after={after}")).await.ok();
    assert_cost(&api.recorder.take(), &["Query", "BatchGetItem"], 2);
}

/// Every name matches twice, and its second match is before its first in the order of a search.
#[tokio::test]
async fn search_costs_two_requests_however_often_names_match() {
    let api = &Api::start().await;
    let create = |number| async move { api.group(&format!("People {number:03} ping pong")).await };
    stream::iter(0..200).map(create).buffer_unordered(16).collect::<Vec<_>>().await;
    for term in ["e", "p", "ng", "0", "people", "ping"] {
        api.recorder.take();
        let page = api.get(&format!("?search={term}&limit=50")).await.ok();
        assert_eq!(page["groups"].as_array().unwrap().len(), 50);
        assert_cost(&api.recorder.take(), &["Query", "BatchGetItem"], 2);
    }
}

#[tokio::test]
async fn groups_of_lists_are_fetched_in_parallel() {
    let api = Api::start().await;
    for number in 0..205 {
        let id = api.group(&format!("Group {number:03}")).await;
        api.members(&id, 0..1).await;
    }
    for query in ["?limit=1000", "?limit=1000&search=group", "?member=acc-00000"] {
        api.recorder.take();
        api.get(query).await.ok();
        assert_cost(&api.recorder.take(), &["Query", "BatchGetItem", "BatchGetItem", "BatchGetItem"], 2);
    }
}

#[tokio::test]
async fn each_write_costs_a_fixed_number_of_requests() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let cost = async |answer: Answer| {
        assert!(answer.status.is_success(), "{}", answer.text);
        api.recorder.take()
    };
    let created = api.post("", json!({ "name": "A" })).await;
    let path = format!("/{}", created.body["id"].as_str().unwrap());
    assert_cost(&cost(created).await, &["TransactWriteItems"], 1);
    for _ in 0..2 {
        let request = api.request(Method::POST, "").header("Idempotency-Key", "k").json(&json!({ "name": "A" }));
        assert_cost(&cost(Answer::to(request).await).await, &["TransactWriteItems"], 1);
    }
    // The exact counts are queried side by side.
    let rename = ["GetItem", "Query", "TransactWriteItems"];
    assert_cost(&cost(api.put(&path, json!({ "name": "B" })).await).await, &rename, 2);
    assert_cost(&cost(api.put(&path, json!({ "name": "B" })).await).await, &["GetItem", "Query"], 1);
    let update = ["GetItem", "Query", "UpdateItem"];
    assert_cost(&cost(api.put(&path, json!({ "name": "b" })).await).await, &update, 2);
    assert_cost(&cost(api.put(&path, json!({ "description": "B" })).await).await, &["UpdateItem", "Query"], 1);
    assert_cost(&cost(api.put(&path, json!({})).await).await, &["Query"], 1);
    let member = format!("{path}/members/acc-1");
    let change = ["BatchGetItem", "TransactWriteItems"];
    assert_cost(&cost(api.put(&member, Value::Null).await).await, &change, 2);
    assert_cost(&cost(api.put(&member, Value::Null).await).await, &["BatchGetItem"], 1);
    assert_cost(&cost(api.delete(&member).await).await, &change, 2);
    // The last two look for edges.
    let delete = ["GetItem", "TransactWriteItems", "Query", "GetItem"];
    assert_cost(&cost(api.delete(&path).await).await, &delete, 3);
}

/// A name of 20 letters has 50 search rows. Each row of a transaction costs two units.
#[tokio::test]
async fn creating_a_group_of_twenty_characters_costs_110_write_units() {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let mut random = fastrand::Rng::with_seed(1);
    let name: String = std::iter::repeat_with(|| random.lowercase()).take(20).collect();
    meter.take();
    api.group(&name).await;
    // DynamoDB Local counts the units of a transaction's first row alone.
    if is_embedded() {
        assert_eq!(meter.take(), Units { read: 0.0, write: 110.0 });
    }
}

/// Its list entry, its address and two words; another update of the status alone writes one row. Each row of a transaction costs
/// two units.
#[tokio::test]
async fn account_of_two_words_costs_ten_write_units() {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    let describe = async |number, status: &str| {
        let account = Account {
            id: AccountId::parse("acc-1").unwrap(),
            name: "john.doe".into(),
            email: "john.doe@company.com".into(),
            status: status.into(),
            version: version(number),
        };
        meter.take();
        assert!(api.app.store.put_account(&event_source(), &account).await.unwrap());
        meter.take()
    };
    let (first, second) = (describe(1, "active").await, describe(2, "suspended").await);
    if is_embedded() {
        assert_eq!(first, Units { read: 1.0, write: 10.0 });
    }
    assert_eq!(second, Units { read: 1.0, write: 1.0 });
}

/// The accounts of one count shard share a transaction, with those of other shards as far as they fit: a change has three
/// rows. Reads and transactions run side by side.
/// A row of less than a kilobyte costs one write unit.
#[tokio::test]
async fn history_of_a_membership_costs_two_write_units_and_is_read_in_few_rounds() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let group = api.group("Group").await;
    api.members(&group, 0..50).await;
    api.recorder.take();
    Pump::publishing(&api).await.drain(&api.publish_events_deps(&api.bus_endpoint())).await;
    let requests = api.recorder.take();
    assert_cost(&requests, &["BatchWriteItem"; 5], 1);
    let tables = requests.iter().flat_map(|request| request.body["RequestItems"].as_object().unwrap().values());
    let rows: Vec<&Value> = tables.flat_map(|rows| rows.as_array().unwrap()).collect();
    assert_eq!(rows.len(), 1 + 2 * 50, "the group's creation, and two rows for each member");
    assert!(rows.iter().all(|row| row.to_string().len() < 1_024));
    let cost = async |path: &str| {
        api.recorder.take();
        api.get(path).await.ok();
        api.recorder.take()
    };
    assert_cost(&cost(&format!("/{group}/history")).await, &["Query"], 1);
    assert_cost(&cost(&format!("/{group}/history?account_id=acc-00000")).await, &["Query"], 1);
    assert_cost(&cost("/api/v1/accounts/acc-00000/history").await, &["Query"], 1);
    let at = now();
    let members = ["BatchGetItem", "Query", "Query", "BatchGetItem"];
    assert_cost(&cost(&format!("/{group}/members?at={at}")).await, &members, 2);
    let groups = ["Query", "Query", "BatchGetItem"];
    assert_cost(&cost(&format!("/api/v1/accounts/acc-00000/groups?at={at}")).await, &groups, 2);
}

#[tokio::test]
async fn bulk_changes_share_transactions() {
    let api = Api::start().await;
    let path = format!("/{}/members", api.group("Engineering").await);
    let accounts: Vec<String> = (0..100).map(numbered).collect();
    for account in &accounts {
        api.accounts(&[account]).await;
    }
    for (change, reads) in [("add", 3), ("remove", 2)] {
        api.recorder.take();
        api.patch(&path, json!({ change: accounts })).await.ok();
        let requests = api.recorder.take();
        let (reading, writing) = requests.split_at(reads);
        assert_eq!(operations(reading), vec!["BatchGetItem"; reads]);
        let sizes: Vec<usize> =
            writing.iter().map(|request| request.body["TransactItems"].as_array().unwrap().len()).collect();
        assert_eq!(sizes.len(), 4, "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 3 * 100 + COUNT_SHARDS);
        assert_eq!(sequential(&requests), 2, "rounds");
    }
}

/// Requests by event: an addition, the same again, a removal requested before them, and an account update.
#[tokio::test]
async fn incoming_event_costs_at_most_one_read_and_one_write() {
    let api = Api::start().await;
    let group = api.group("Engineering").await;
    api.accounts(&["acc-1"]).await;
    for (event, expected) in [
        (request_event("add", &group, "acc-1", T2), ["BatchGetItem", "TransactWriteItems"].as_slice()),
        (request_event("add", &group, "acc-1", T3), &["BatchGetItem", "TransactWriteItems"]),
        (request_event("remove", &group, "acc-1", T1), &["BatchGetItem"]),
        (account_event("Updated", "acc-1", "name", T3), &["GetItem", "TransactWriteItems"]),
        (account_event("Updated", "acc-1", "name", T1), &["GetItem"]),
    ] {
        api.recorder.take();
        assert!(api.hand(&[event]).await.is_empty());
        assert_cost(&api.recorder.take(), expected, expected.len());
    }
}

#[tokio::test]
async fn forbidden_request_never_reaches_dynamodb() {
    let api = Api::start().await;
    let path = format!("/{}", api.group("Engineering").await);
    api.recorder.take();
    let mallory = crate::harness::token("mallory", &["Reader"]);
    for method in [Method::PUT, Method::DELETE] {
        let request = api.request_as(Some(&mallory), method, &path).json(&json!({ "name": "B" }));
        Answer::to(request).await.refused(403, "FORBIDDEN");
    }
    assert!(api.recorder.take().is_empty());
}

/// A member change reads once for each level, then commits all levels in one transaction. A later change of the same group
/// reads all levels at once.
#[tokio::test]
async fn member_change_costs_one_read_per_level_and_one_transaction() {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    api.accounts(&["acc-1"]).await;
    for levels in [0, 2, 19] {
        let names: Vec<String> = (0..=levels).map(|level| format!("Level {level:02}")).collect();
        let chain = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let member = format!("/{}/members/acc-1", chain[levels]);
        let first = [["BatchGetItem"].repeat(levels + 1), vec!["TransactWriteItems"]].concat();
        for (method, expected) in [(Method::PUT, first), (Method::DELETE, vec!["BatchGetItem", "TransactWriteItems"])] {
            api.recorder.take();
            meter.take();
            let answer = Answer::to(api.request(method, &member)).await;
            assert_eq!(answer.header("membership-settled"), Some("true"));
            assert_cost(&api.recorder.take(), &expected, expected.len());
            let written = meter.take().write;
            assert!(written <= 8.0 * (levels as f64 + 1.0), "{written} write units at {levels} levels above");
        }
    }
}

/// Thirty groups, each nested in all above: each row changes once.
#[tokio::test]
async fn member_of_thirty_densely_nested_groups_costs_at_most_300_write_units() {
    let meter = Meter::default();
    let api = Api::start_metered(&meter).await;
    api.accounts(&["acc-1"]).await;
    let mut groups: Vec<String> = Vec::new();
    for number in 0..30 {
        let group = api.group(&format!("Group {number:02}")).await;
        for parent in &groups {
            api.nest(parent, &group).await;
        }
        groups.push(group);
    }
    let member = format!("/{}/members/acc-1", groups[29]);
    for method in [Method::PUT, Method::DELETE] {
        meter.take();
        api.recorder.take();
        let answer = Answer::to(api.request(method, &member)).await;
        assert_eq!(answer.header("membership-settled"), Some("true"));
        let written = meter.take().write;
        assert!(written <= 300.0, "{written} write units");
        let transactions = api.recorder.take().iter().filter(|it| it.operation == "TransactWriteItems").count();
        assert_eq!(transactions, 2);
    }
}

/// Nesting reads the ancestors level by level. Reading inherited members stays one request.
#[tokio::test]
async fn nesting_costs_one_read_per_level_and_reads_stay_one_request() {
    let api = Api::start().await;
    for levels in [1, 3, 10] {
        let names: Vec<String> = (0..levels).map(|level| format!("Level {level}")).collect();
        let chain = api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let (top, bottom) = (&chain[0], &chain[levels - 1]);
        let child = api.group("Child").await;
        api.recorder.take();
        api.nest(bottom, &child).await;
        let requests = api.recorder.take();
        // The child's exact counts are queried side by side.
        let reads = [vec!["BatchGetItem", "Query"], ["BatchGetItem"].repeat(levels - 1)].concat();
        // The job: reads the edge from both sides, queries the child's members, deletes the job's row.
        let commit_and_job = ["TransactWriteItems", "TransactGetItems", "Query", "DeleteItem"];
        assert_cost(&requests, &[reads, commit_and_job.to_vec()].concat(), levels + commit_and_job.len());

        api.members(&child, 0..50).await;
        api.put(&format!("/{child}/groups/{}", api.group("Leaf").await), Value::Null).await.ok();
        api.put(&format!("/{child}/members/acc-00000"), Value::Null).await.ok();
        for path in [format!("/{top}/members"), format!("/{top}/members/acc-00000")] {
            api.recorder.take();
            api.get(&path).await.ok();
            assert_eq!(operations(&api.recorder.take()).len(), 1, "{path}");
        }
        api.recorder.take();
        api.get(&format!("/{top}/groups")).await.ok();
        let expected: &[&str] = &["Query", "BatchGetItem"];
        assert_cost(&api.recorder.take(), expected, 2);
        api.recorder.take();
        assert_eq!(api.delete(&format!("/{bottom}/groups/{child}")).await.status, 204);
        assert_eq!(operations(&api.recorder.take())[..2], ["BatchGetItem", "TransactWriteItems"]);
    }
}
