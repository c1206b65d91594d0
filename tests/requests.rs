//! Membership requests by other systems: their order among each other and against changes by administrators.

use serde_json::{Value, json};
use shared::domain::clock::SystemClock;
use shared::domain::{Clock, Timestamp};

use crate::harness::exchange::{MEMBERSHIP_REQUEST_BUDGET, ORDERS, T1, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, NO_GROUP, schemas};

/// Three requests in every order of delivery, each delivered twice: the one requested last decides.
#[tokio::test]
async fn latest_request_decides_in_every_order_of_delivery() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let times = ["2024-02-01T10:00:00Z", "2024-02-01T10:00:01Z", "2024-02-01T10:00:02Z"];
    api.accounts(&["acc-1"]).await;
    for actions in [["add", "remove", "add"], ["remove", "add", "remove"]] {
        for order in ORDERS {
            let group = api.group("A").await;
            let events: Vec<Value> =
                (0..3).map(|index| request_event(actions[index], &group, "acc-1", times[index])).collect();
            for (delivered, index) in order.into_iter().enumerate() {
                assert!(api.hand(&[events[index].clone(), events[index].clone()]).await.is_empty());
                // Of those delivered so far, the latest request.
                let latest = *order[..=delivered].iter().max().unwrap();
                let expected = (actions[latest] == "add").then(|| "direct".to_owned());
                assert_eq!(api.membership(&group, "acc-1").await, expected, "{actions:?} {order:?} {delivered}");
            }
            for event in &events {
                api.hand(std::slice::from_ref(event)).await;
            }
            assert_eq!(api.membership(&group, "acc-1").await.is_some(), actions[2] == "add");
        }
    }
    assert!(api.dead_letter_reasons().is_empty());
    Pump::of(&api).await.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

/// One source sends times in whole seconds only, the other sends `requested_at` with nanoseconds.
#[tokio::test]
async fn two_requests_in_one_second_apply_by_requested_at_or_in_order_of_delivery() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let mut late = request_event("add", &group, "acc-1", T1);
    let mut early = request_event("remove", &group, "acc-1", T1);
    // In order of delivery.
    api.hand(&[late.clone()]).await;
    api.hand(&[early.clone()]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None);
    api.hand(&[late.clone()]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None, "each request applies once");
    // By `requested_at`.
    for (event, at) in [(&mut late, "10:30:00.000000002Z"), (&mut early, "10:30:00.000000001Z")] {
        event["detail"]["requested_at"] = json!(format!("2024-01-15T{at}"));
        event["id"] = json!(format!("precise-{at}"));
        assert!(schemas::is_valid(event));
    }
    api.hand(&[late]).await;
    api.hand(&[early]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
}

/// A request made before an administrator's change does not apply; a later one does. An applied request is not applied
/// again.
#[tokio::test]
async fn change_by_an_administrator_overrides_earlier_requests() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("Engineering").await;
    let applied = request_event("add", &group, "acc-1", T1);
    api.hand(std::slice::from_ref(&applied)).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert_eq!(api.delete(&format!("/{group}/members/acc-1")).await.status, 204);

    api.hand(&[applied]).await;
    api.hand(&[request_event("add", &group, "acc-1", "2024-06-01T00:00:00Z")]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None, "the administrator's change is later");

    api.hand(&[request_event("add", &group, "acc-1", &from_now(60))]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert!(api.hand(&[request_event("remove", &group, "acc-1", &from_now(3_600))]).await.is_empty());
    assert_eq!(api.dead_letter_reasons(), ["the event is dated more than five minutes ahead"]);
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
}

#[tokio::test]
async fn request_for_an_unknown_account_is_retried_until_its_time_limit() {
    let api = Api::start().await;
    let group = api.group("Engineering").await;
    let request = request_event("add", &group, "acc-1", T1);
    let deps = api.apply_events_deps();
    let now = millis();
    let limit = u64::try_from(MEMBERSHIP_REQUEST_BUDGET.as_millis()).unwrap();

    // Before the time limit the message fails and is retried, until the account exists.
    assert_eq!(api.hand(std::slice::from_ref(&request)).await, [0]);
    let almost_at_limit = now - limit + 60_000;
    assert_eq!(hand(&deps, std::slice::from_ref(&request), almost_at_limit).await, [0]);
    assert!(api.dead_letter_reasons().is_empty());
    api.hand(&[account_event("Created", "acc-1", "late", T3)]).await;
    assert!(hand(&deps, std::slice::from_ref(&request), almost_at_limit).await.is_empty());
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));

    // After the time limit it becomes a dead letter.
    let unknown = request_event("add", &group, "acc-2", T1);
    let past_limit = now - limit - 1_000;
    assert!(hand(&deps, &[unknown], past_limit).await.is_empty());
    assert_eq!(api.dead_letter_reasons(), ["the account acc-2 does not exist, after all this time"]);

    // An unknown account is no member: there is nothing to remove and nothing to retry.
    assert!(api.hand(&[request_event("remove", &group, "acc-3", T1)]).await.is_empty());
    assert_eq!(api.dead_letter_reasons().len(), 1);
}

#[tokio::test]
async fn impossible_request_becomes_a_dead_letter_with_its_reason() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let [engineering, backend]: [String; 2] = api.chain(&["Engineering", "Backend"]).await.try_into().unwrap();
    api.put(&format!("/{backend}/members/acc-1"), Value::Null).await.ok();
    let indirect_only = format!(
        "the account is a member only through the nested groups {backend}; remove it from these, or remove these from the \
         group"
    );

    assert!(api.hand(&[request_event("remove", &engineering, "acc-1", T3)]).await.is_empty());
    assert_eq!(api.dead_letter_reasons(), [indirect_only.as_str()]);

    // While the dead letter cannot be sent, the message fails and is retried.
    let faults = Faults::default();
    let mut deps = api.apply_events_deps();
    deps.dead_letters = api.publish_events_deps(&faults.start_proxy(&api.bus_endpoint()).await).dead_letters;
    faults.next("SendMessage", Fault::Malformed);
    let unsent = request_event("remove", &engineering, "acc-1", T3);
    assert_eq!(hand(&deps, std::slice::from_ref(&unsent), millis()).await, [0]);
    assert!(hand(&deps, &[unsent], millis()).await.is_empty());
    assert_eq!(api.dead_letter_reasons(), [indirect_only.as_str(), indirect_only.as_str()]);

    // The impossible removal is still the latest request: an addition requested earlier does not apply.
    api.hand(&[request_event("add", &engineering, "acc-1", T1)]).await;
    assert_eq!(api.membership(&engineering, "acc-1").await, Some("indirect".into()));

    assert!(api.hand(&[request_event("add", NO_GROUP, "acc-1", T1)]).await.is_empty());
    let applied = request_event("add", &backend, "acc-1", T1);
    api.hand(std::slice::from_ref(&applied)).await;
    assert_eq!(api.delete(&format!("/{backend}")).await.status, 204);
    assert!(api.hand(&[applied]).await.is_empty(), "a request applied before the group was deleted is no dead letter");
    assert_eq!(api.dead_letter_reasons(), [indirect_only.as_str(), indirect_only.as_str(), "the group does not exist"]);
}

/// Returns the time this many seconds from now, as requests send it.
fn from_now(seconds: i64) -> String {
    Timestamp::from_unix_seconds(SystemClock.now().unix_seconds() + seconds).to_string()
}

/// DynamoDB applies a transaction item by item. A read in the middle of an earlier request sees its audit record but not
/// yet its member row; such a read must not decide.
#[tokio::test]
async fn read_in_the_middle_of_another_request_decides_nothing() {
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

/// An addition requested before its account was deleted does not apply when the account is created again.
#[tokio::test]
async fn request_from_before_the_accounts_deletion_does_not_apply() {
    let api = Api::start().await;
    let group = api.group("Engineering").await;
    let (requested, deleted, created) = ("2024-03-01T00:00:00Z", "2024-03-01T00:00:05Z", "2024-03-01T00:00:09Z");
    let request = request_event("add", &group, "acc-1", requested);

    api.hand(&[account_event("Deleted", "acc-1", "", deleted)]).await;
    assert!(api.hand(std::slice::from_ref(&request)).await.is_empty(), "a deleted account is not waited for");
    api.hand(&[account_event("Created", "acc-1", "back", created)]).await;
    api.hand(&[request]).await;
    assert_eq!(api.membership(&group, "acc-1").await, None);

    api.hand(&[request_event("add", &group, "acc-1", created)]).await;
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert!(api.dead_letter_reasons().is_empty());
}

/// The audit record remembers 32 requests of one moment. One more becomes a dead letter, because a repetition of it could not
/// be recognized.
#[tokio::test]
async fn request_beyond_32_of_one_moment_becomes_a_dead_letter() {
    let api = Api::start().await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let request = |number: usize| {
        let mut event = request_event(if number.is_multiple_of(2) { "add" } else { "remove" }, &group, "acc-1", T1);
        event["id"] = json!(format!("{number:0128}"));
        event
    };
    for number in 0..32 {
        assert!(api.hand(&[request(number)]).await.is_empty());
    }
    assert_eq!(api.dead_letter_reasons(), Vec::<String>::new());
    assert_eq!(api.membership(&group, "acc-1").await, None);

    assert!(api.hand(&[request(32)]).await.is_empty());

    let reason = "32 other requests for this membership were made at the same moment";
    assert_eq!(api.dead_letter_reasons(), [reason]);
    assert_eq!(api.membership(&group, "acc-1").await, None, "it changes nothing");
    for number in [0, 30] {
        assert!(api.hand(&[request(number)]).await.is_empty());
    }
    assert_eq!(api.membership(&group, "acc-1").await, None, "those before are still recognized");
    // A later request decides as ever.
    assert!(api.hand(&[request_event("add", &group, "acc-1", T3)]).await.is_empty());
    assert_eq!(api.membership(&group, "acc-1").await.as_deref(), Some("direct"));
}
