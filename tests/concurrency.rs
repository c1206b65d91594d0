//! Many requests at once: no change is lost, no member is counted twice.

use futures::stream::{self, StreamExt};
use groups_local::table;
use serde_json::{Value, json};
use shared::store::client_for;

use crate::harness::meter::Meter;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{self, Api, numbered, template};

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_exact_under_hundreds_of_concurrent_writes() {
    let api = &Api::start_with_long_timeout().await;
    let id = &api.group("Busy").await;
    // Removes members 0 to 99, keeps 100 to 199, adds 200 to 399. Each write is sent twice, concurrently.
    api.members(id, 0..200).await;
    api.numbered_accounts(200..400).await;
    let writes = (0..400).filter(|number| !(100..200).contains(number)).flat_map(|number| [number, number]);
    let writes = stream::iter(writes).map(|number| async move {
        let path = format!("/{id}/members/{}", numbered(number));
        let answer = if number < 100 { api.delete(&path).await } else { api.put(&path, Value::Null).await };
        answer.status.as_u16()
    });
    let statuses: Vec<u16> = writes.buffer_unordered(300).collect().await;
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    // One of two removals finds no member; both of two additions succeed.
    assert_eq!((count(204), count(404), count(200)), (100, 100, 400), "no write failed");

    let group = api.get(&format!("/{id}")).await.ok();
    assert_eq!((&group["member_count"], &group["direct_member_count"]), (&json!(300), &json!(300)));
    let members = api.get(&format!("/{id}/members")).await.ok();
    let list = members["members"].as_array().unwrap();
    let ids: Vec<&str> = list.iter().map(|member| member["id"].as_str().unwrap()).collect();
    assert_eq!(ids, (100..400).map(numbered).collect::<Vec<_>>());
    assert_eq!(members["count"], json!(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_add_each_member_once() {
    let api = &Api::start_with_long_timeout().await;
    let id = &api.group("Busy").await;
    api.numbered_accounts(0..60).await;
    // Batches overlap: each account is in three of them.
    let batches = (0..60).step_by(2).map(|start| async move {
        let add: Vec<String> = (start..start + 6).map(|number| numbered(number % 60)).collect();
        api.patch(&format!("/{id}/members"), json!({ "add": add })).await.ok()
    });
    let outcomes = futures::future::join_all(batches).await;
    let added = outcomes.iter().flat_map(|body| body["outcomes"].as_array().unwrap());
    assert_eq!(added.filter(|outcome| outcome["outcome"] == json!("added")).count(), 60, "each was added once");
    let members = api.get(&format!("/{id}/members")).await.ok();
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&json!(60), 60));
}

/// Transactions conflict here as in DynamoDB instead of waiting for each other. Members are added and removed at the two
/// lower of three levels while groups are nested, and the table is sound once the stream is consumed: a member may be
/// committed after the nesting that its change did not see.
#[tokio::test(flavor = "multi_thread")]
async fn conflicting_changes_are_all_propagated() {
    let meter = Meter::default();
    let api = &Api::start_metered(&meter).await;
    let client = client_for(&api.endpoint, |builder| builder);
    table::enable_stream(&client, &api.table, &template().table).await.unwrap();
    let [top, middle, bottom] = &<[String; 3]>::try_from(api.chain(&["Top", "Middle", "Bottom"]).await).unwrap();
    let other = &api.group("Other").await;
    api.numbered_accounts(0..40).await;
    let changes = (0..40).map(|number| async move {
        let path = format!("/{}/members/{}", [middle, bottom][number % 2], numbered(number));
        let answer = api.put(&path, Value::Null).await;
        assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("true")));
        if number % 4 == 0 {
            assert_eq!(api.delete(&path).await.status, 204);
        }
        if number == 20 {
            api.nest(top, other).await;
            api.nest(other, bottom).await;
        }
    });
    futures::future::join_all(changes).await;
    assert!(meter.take_conflicts() > 0, "some conflicted");
    assert!(meter.take().write > 0.0);
    Pump::of(api).await.drain(&api.app).await;
    assert_sound(&violations(api).await);
    assert_eq!(api.member_types(top).await.len(), 30);
}

/// Lists two thousand groups one per page, while others are created and deleted. Fewer on a slower table.
#[tokio::test(flavor = "multi_thread")]
async fn paging_returns_every_unchanged_group_once() {
    let api = &Api::start_with_long_timeout().await;
    let create = |name: String| async move { api.group(&name).await };
    let groups = if harness::is_embedded() { 2_000 } else { 200 };
    let names = (0..groups).map(|number| format!("Walk {number:04}"));
    let mut unchanged: Vec<String> = stream::iter(names).map(create).buffer_unordered(32).collect().await;

    let (listed, ()) = tokio::join!(api.all_items("?limit=1", "groups"), async {
        // By name, these sort between, before and after the others.
        for number in 0..groups / 10 {
            let ids = [
                api.group(&format!("Walk {:04}a", number * 10)).await,
                api.group(&format!("walk {:04}", groups - 1 - number)).await,
                api.group("Zulu").await,
            ];
            for id in ids {
                assert_eq!(api.delete(&format!("/{id}")).await.status, 204);
            }
        }
    });
    let mut found: Vec<&str> = listed.iter().map(|group| group["id"].as_str().unwrap()).collect();
    found.retain(|id| unchanged.iter().any(|other| other == id));
    found.sort_unstable();
    unchanged.sort_unstable();
    assert_eq!(found, unchanged);
}
