//! What other systems ask for, beside each other and beside administrators.

use serde_json::{Value, json};
use shared::domain::clock::SystemClock;
use shared::domain::{Clock, Timestamp};

use crate::harness::exchange::{ORDERS, REQUEST_PATIENCE, T1, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, NO_GROUP, schemas};

/// Requests of three moments, in every order, each delivered twice: the last of them stands.
#[tokio::test]
async fn requests_end_as_the_last_of_them_says_whatever_the_order() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let times = ["2024-02-01T10:00:00Z", "2024-02-01T10:00:01Z", "2024-02-01T10:00:02Z"];
    api.accounts(&["acc-1"]).await;
    for actions in [["add", "remove", "add"], ["remove", "add", "remove"]] {
        for order in ORDERS {
            let group = api.group("A").await;
            let events: Vec<Value> =
                (0..3).map(|index| request_event(actions[index], &group, "acc-1", times[index])).collect();
            for (told, index) in order.into_iter().enumerate() {
                assert!(api.hand(&[events[index].clone(), events[index].clone()]).await.is_empty());
                // Of those told so far, the one asked for last.
                let last = *order[..=told].iter().max().unwrap();
                let expected = (actions[last] == "add").then(|| "direct".to_owned());
                assert_eq!(api.membership(&group, "acc-1").await, expected, "{actions:?} {order:?} {told}");
            }
            for event in &events {
                api.hand(std::slice::from_ref(event)).await;
            }
            assert_eq!(api.membership(&group, "acc-1").await.is_some(), actions[2] == "add");
        }
    }
    assert!(api.dead().is_empty());
    Pump::of(&api).await.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

/// A source that tells more than whole seconds, and one that does not.
#[tokio::test]
async fn of_one_second_requests_stand_as_they_say_or_as_they_come() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let mut late = request_event("add", &group, "acc-1", T1);
    let mut early = request_event("remove", &group, "acc-1", T1);
    // As they come.
    api.hand(&[late.clone()]).await;
    api.hand(&[early.clone()]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None);
    api.hand(&[late.clone()]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None, "once each");
    // As they say.
    for (event, at) in [(&mut late, "10:30:00.000000002Z"), (&mut early, "10:30:00.000000001Z")] {
        event["detail"]["requested_at"] = json!(format!("2024-01-15T{at}"));
        event["id"] = json!(format!("again-{at}"));
        assert!(schemas::is_valid(event));
    }
    api.hand(&[late]).await;
    api.hand(&[early]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
}

/// Who is an administrator decides at that moment: a request of before comes too late, one of after does not, and one
/// that was done is not done again.
#[tokio::test]
async fn what_an_administrator_did_stands_over_requests_of_before() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let path = format!("/{group}/members/acc-1");
    let first = request_event("add", &group, "acc-1", T1);
    api.hand(std::slice::from_ref(&first)).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert_eq!(api.delete(&path).await.status, 204);
    api.hand(&[first]).await;
    api.hand(&[request_event("add", &group, "acc-1", "2024-06-01T00:00:00Z")]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None, "the administrator decided later");
    api.hand(&[request_event("add", &group, "acc-1", &from_now(60))]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert!(api.hand(&[request_event("remove", &group, "acc-1", &from_now(3_600))]).await.is_empty());
    assert_eq!(api.dead(), ["the request was made in the future"]);
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
}

#[tokio::test]
async fn a_request_waits_for_its_account_for_a_while() {
    let api = Api::start().await;
    let group = api.group("A").await;
    let request = request_event("add", &group, "acc-1", T1);
    assert_eq!(api.hand(std::slice::from_ref(&request)).await, [0]);
    let intake = api.intake();
    let now = millis();
    let waits = u64::try_from(REQUEST_PATIENCE.as_millis()).unwrap();
    let sent = now - waits + 60_000;
    assert_eq!(hand(&intake, std::slice::from_ref(&request), sent).await, [0]);
    assert!(api.dead().is_empty());
    api.hand(&[account_event("Created", "acc-1", "late", T3)]).await;
    assert!(hand(&intake, std::slice::from_ref(&request), sent).await.is_empty());
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    // For one that never comes, not for ever.
    let never = request_event("add", &group, "acc-2", T1);
    let sent = now - waits - 1_000;
    assert!(hand(&intake, &[never], sent).await.is_empty());
    assert_eq!(api.dead(), ["the account acc-2 does not exist, after all this time"]);
    // Who is not known cannot be a member: there is nothing to wait for.
    assert!(api.hand(&[request_event("remove", &group, "acc-3", T1)]).await.is_empty());
    assert_eq!(api.dead().len(), 1);
}

#[tokio::test]
async fn what_can_never_be_done_is_told_with_its_reason() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let groups = api.chain(&["above", "below"]).await;
    api.put(&format!("/{}/members/acc-1", groups[1]), Value::Null).await.ok();
    assert!(api.hand(&[request_event("remove", &groups[0], "acc-1", T3)]).await.is_empty());
    let only = format!("the account is a member only through the nested groups {}", groups[1]);
    assert_eq!(api.dead(), [only.as_str()]);
    // Where nobody could be told of it, it comes again, and is told.
    let letters = Faults::default();
    let mut intake = api.intake();
    intake.dead_letters = api.outlet(&letters.stand_before(&api.bus_endpoint()).await).dead_letters;
    letters.next("SendMessage", Fault::Malformed);
    let untold = request_event("remove", &groups[0], "acc-1", T3);
    assert_eq!(hand(&intake, std::slice::from_ref(&untold), millis()).await, [0]);
    assert!(hand(&intake, &[untold], millis()).await.is_empty());
    assert_eq!(api.dead(), [only.as_str(), only.as_str()]);
    // It has decided all the same: an addition that was asked for before comes too late.
    api.hand(&[request_event("add", &groups[0], "acc-1", T1)]).await;
    assert_eq!(api.membership(&groups[0], "acc-1").await, Some("indirect".into()));
    assert!(api.hand(&[request_event("add", NO_GROUP, "acc-1", T1)]).await.is_empty());
    let done = request_event("add", &groups[1], "acc-1", T1);
    api.hand(std::slice::from_ref(&done)).await;
    assert_eq!(api.delete(&format!("/{}", groups[1])).await.status, 204);
    assert!(api.hand(&[done]).await.is_empty(), "what was done before the group was deleted is not at fault");
    assert_eq!(api.dead(), [only.as_str(), only.as_str(), "the group does not exist"]);
}

/// So many seconds from now, as requests tell their time.
fn from_now(seconds: i64) -> String {
    Timestamp::from_unix_seconds(SystemClock.now().unix_seconds() + seconds).to_string()
}

/// DynamoDB applies a transaction item by item: a read that finds the trail as an earlier request leaves it, and the
/// member's row as it was before, decides nothing.
#[tokio::test]
async fn what_is_read_half_way_through_another_decides_nothing() {
    const READ: &str = "BatchGetItem";
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    api.accounts(&["acc-1"]).await;
    for (first, second) in [("add", "remove"), ("remove", "add")] {
        let group = api.group("A").await;
        let is_member = first == "remove";
        let change = request_event(if is_member { "add" } else { "remove" }, &group, "acc-1", &from_now(1));
        api.hand(&[change]).await;
        faults.next(READ, Fault::Remembers);
        api.hand(&[request_event(first, &group, "acc-1", &from_now(5))]).await;
        faults.next(READ, Fault::OldMembers);
        api.hand(&[request_event(second, &group, "acc-1", &from_now(6))]).await;
        assert_eq!(api.membership(&group, "acc-1").await.is_some(), second == "add", "{first}, then {second}");
        assert_eq!(faults.left(), 0);
    }
}

/// Whoever was to be a member before their account was deleted is none when it comes back.
#[tokio::test]
async fn a_request_of_before_an_accounts_deletion_comes_too_late() {
    let api = Api::start().await;
    let group = api.group("A").await;
    let times = ["2024-03-01T00:00:00Z", "2024-03-01T00:00:05Z", "2024-03-01T00:00:09Z"];
    let early = request_event("add", &group, "acc-1", times[0]);
    api.hand(&[account_event("Deleted", "acc-1", "", times[1])]).await;
    assert!(api.hand(std::slice::from_ref(&early)).await.is_empty(), "there is nothing to wait for");
    api.hand(&[account_event("Created", "acc-1", "back", times[2])]).await;
    api.hand(&[early]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None);
    api.hand(&[request_event("add", &group, "acc-1", times[2])]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert!(api.dead().is_empty());
}
