//! Many at once: nothing is lost, nothing is counted twice.

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::harness::meter::Meter;
use crate::harness::pump::{assert_sound, violations};
use crate::harness::{self, Api, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_exact_under_hundreds_of_writes_in_flight() {
    let api = &Api::start_patient().await;
    let id = &api.group("Busy").await;
    // Members 0 to 99 leave, 100 to 199 stay, 200 to 399 come; everybody is asked for twice, side by side.
    api.members(id, 0..200).await;
    api.numbered_accounts(200..400).await;
    let writes = (0..400).filter(|number| !(100..200).contains(number)).flat_map(|number| [number, number]);
    let writes = stream::iter(writes).map(|number| async move {
        let path = format!("/{id}/members/{}", numbered(number));
        let answer = if number < 100 { api.delete(&path).await } else { api.put(&path, Value::Null).await };
        answer.status.as_u16()
    });
    let statuses: Vec<u16> = writes.buffer_unordered(300).collect().await;
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    // Of two removals one finds nobody; of two additions both end well.
    assert_eq!((count(204), count(404), count(200)), (100, 100, 400), "no write failed");

    let group = api.get(&format!("/{id}")).await.ok();
    assert_eq!((&group["member_count"], &group["direct_member_count"]), (&json!(300), &json!(300)));
    let members = api.get(&format!("/{id}/members")).await.ok();
    let ids: Vec<&str> = members["members"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, (100..400).map(numbered).collect::<Vec<_>>());
    assert_eq!(members["count"], json!(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_side_by_side_agree_with_each_other() {
    let api = &Api::start_patient().await;
    let id = &api.group("Busy").await;
    api.numbered_accounts(0..60).await;
    // Overlapping batches: each account is in three of them.
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

/// Where transactions conflict instead of waiting for each other, as in DynamoDB: members come and go at the bottom of
/// two levels, groups are nested and taken out, and all of it is exact in the end.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_meet_on_their_way_up_are_all_carried_up() {
    let meter = Meter::default();
    let api = &Api::start_metered(&meter).await;
    let ids = &api.chain(&["Top", "Middle", "Bottom"]).await;
    let other = &api.group("Other").await;
    api.numbered_accounts(0..40).await;
    let changes = (0..40).map(|number| async move {
        let path = format!("/{}/members/{}", ids[1 + number % 2], numbered(number));
        let answer = api.put(&path, Value::Null).await;
        assert_eq!((answer.status.as_u16(), answer.header("membership-settled")), (200, Some("true")));
        if number % 4 == 0 {
            assert_eq!(api.delete(&path).await.status, 204);
        }
        if number == 20 {
            api.nest(&ids[0], other).await;
            api.nest(other, &ids[2]).await;
        }
    });
    futures::future::join_all(changes).await;
    assert!(meter.take_conflicts() > 0, "they met");
    assert!(meter.take().write > 0.0);
    assert_sound(&violations(api).await);
    assert_eq!(api.member_types(&ids[0]).await.len(), 30);
}

/// A walk with pages of one group, over two thousand of them, while others come and go. Of a slower table's, over some.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_meets_every_unchanged_group_once() {
    let api = &Api::start_patient().await;
    let create = |name: String| async move { api.group(&name).await };
    let groups = if harness::is_embedded() { 2_000 } else { 200 };
    let names = (0..groups).map(|number| format!("Walk {number:04}"));
    let mut unchanged: Vec<String> = stream::iter(names).map(create).buffer_unordered(32).collect().await;

    let (walked, ()) = tokio::join!(api.walk("?limit=1", "groups"), async {
        // Between, before and behind the others, in the order of names.
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
    let mut met: Vec<&str> = walked.iter().map(|group| group["id"].as_str().unwrap()).collect();
    met.retain(|id| unchanged.iter().any(|other| other == id));
    met.sort_unstable();
    unchanged.sort_unstable();
    assert_eq!(met, unchanged);
}
