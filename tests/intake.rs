//! Incoming events: duplicated, late, in any order, invalid, and while the table is busy.

use std::time::Duration;

use groups_local::functions::APPLY_EVENTS;
use groups_local::queue_poller::QueuePoller;
use serde_json::{Value, json};
use shared::domain::Timestamp;

use crate::harness::exchange::{ORDERS, T1, T2, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, NO_GROUP, schemas, template};

/// Returns the name of the account, or `None` if the account is unknown.
async fn name_of(api: &Api, id: &str) -> Option<Value> {
    member_of(api, id).await.map(|member| member["name"].clone())
}

/// Returns the account as a member of a new group, or `None` if the account is unknown.
async fn member_of(api: &Api, id: &str) -> Option<Value> {
    let group = api.group("Probe").await;
    let answer = api.put(&format!("/{group}/members/{id}"), Value::Null).await;
    (answer.status == 200).then_some(answer.body)
}

#[tokio::test]
async fn newest_version_of_account_wins_in_any_order() {
    let api = Api::start().await;
    for (number, order) in ORDERS.into_iter().enumerate() {
        for count in [2, 3] {
            let id = format!("acc-{number}-{count}");
            let events = [
                account_event("Created", &id, "first", T1),
                account_event("Updated", &id, "second", T2),
                account_event("Deleted", &id, "gone", T3),
            ];
            for index in order.into_iter().filter(|index| *index < count) {
                // Every event is delivered twice.
                assert!(api.hand(&[events[index].clone(), events[index].clone()]).await.is_empty());
            }
            let expected = (count == 2).then(|| json!("second"));
            assert_eq!(name_of(&api, &id).await, expected, "order {order:?} of {count}");
        }
    }
    assert!(api.dead_letter_reasons().is_empty());
}

/// Among events of one moment a deletion wins, then a status other than active. Between two active ones the choice is
/// arbitrary, but the same in any order.
#[tokio::test]
async fn events_of_one_moment_have_the_same_winner_in_any_order() {
    let api = Api::start().await;
    let with_status = |id: &str, name: &str, status: &str| {
        let mut event = account_event("Updated", id, name, T1);
        event["detail"]["status"] = json!(status);
        event
    };
    let mut active_winners = Vec::new();
    for (number, order) in ORDERS.into_iter().enumerate() {
        let id = format!("acc-{number}");
        let events =
            [with_status(&id, "a", "active"), with_status(&id, "b", "active"), with_status(&id, "c", "suspended")];
        for index in order {
            api.hand(&[events[index].clone()]).await;
        }
        let member = member_of(&api, &id).await.unwrap();
        assert_eq!((&member["name"], &member["status"]), (&json!("c"), &json!("suspended")));
        let id = format!("acc-{number}-active");
        for index in order.into_iter().filter(|index| *index < 2) {
            let name = ["a", "b"][index];
            api.hand(&[with_status(&id, name, "active")]).await;
        }
        active_winners.push(name_of(&api, &id).await.unwrap());
        let deletion = account_event("Deleted", &id, "", T1);
        for event in [deletion, with_status(&id, "back", "suspended")] {
            api.hand(&[event]).await;
        }
        assert_eq!(name_of(&api, &id).await, None, "the deletion wins");
        api.hand(&[account_event("Created", &id, "back", T2)]).await;
        assert_eq!(name_of(&api, &id).await, Some(json!("back")), "a newer description makes it known again");
    }
    active_winners.dedup();
    assert_eq!(active_winners.len(), 1);
}

/// Sources count in whole seconds: an account is created and then completed within one of them.
#[tokio::test]
async fn update_wins_over_the_creation_of_the_same_moment() {
    let api = Api::start().await;
    let group = api.group("Probe").await;
    for number in 0..40 {
        let id = format!("acc-{number}");
        let mut created = account_event("Created", &id, "new", T1);
        created["detail"]["email"] = json!("");
        created["detail"]["status"] = json!("invited");
        let updated = account_event("Updated", &id, "complete", T1);
        let in_order = [created, updated];
        let events = if number % 2 == 0 {
            in_order
        } else {
            let [created, updated] = in_order;
            [updated, created]
        };

        for event in events {
            api.hand(&[event]).await;
        }

        let member = api.put(&format!("/{group}/members/{id}"), Value::Null).await.ok();
        assert_eq!((&member["email"], &member["status"]), (&json!("complete@company.com"), &json!("active")), "{id}");
    }
}

/// Such an event would supersede all later ones until its date.
#[tokio::test]
async fn event_dated_more_than_five_minutes_ahead_becomes_a_dead_letter() {
    let api = Api::start().await;
    let group = api.group("A").await;
    api.hand(&[account_event("Created", "acc-1", "before", T1)]).await;
    let now = i64::try_from(millis() / 1_000).unwrap();
    let ahead = |seconds: i64| Timestamp::from_unix_seconds(now + seconds).to_string();
    let (an_hour, a_year) = (3_600, 365 * 24 * 3_600);
    for seconds in [400, an_hour, a_year] {
        for event in [
            account_event("Created", "acc-1", "ahead", &ahead(seconds)),
            account_event("Updated", "acc-1", "ahead", &ahead(seconds)),
            account_event("Deleted", "acc-1", "", &ahead(seconds)),
            request_event("add", &group, "acc-1", &ahead(seconds)),
        ] {
            assert!(api.hand(&[event]).await.is_empty());
            let reason = api.dead_letter_reasons().pop().unwrap();
            assert_eq!(reason, "the event is dated more than five minutes ahead");
        }
    }
    assert_eq!(api.dead_letter_reasons().len(), 12);

    let mut suspended = account_event("Updated", "acc-1", "after", &ahead(240));
    suspended["detail"]["status"] = json!("suspended");
    api.hand(&[suspended, request_event("add", &group, "acc-1", &ahead(240))]).await;

    let member = api.get(&format!("/{group}/members/acc-1")).await.ok();
    assert_eq!((&member["name"], &member["status"]), (&json!("after"), &json!("suspended")));
}

#[tokio::test]
async fn member_rows_copy_the_winner_of_one_moment() {
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let mut pump = Pump::of(&api).await;
    let group = api.group("A").await;
    api.hand(&[account_event("Created", "x", "x", T1)]).await;
    api.put(&format!("/{group}/members/x"), Value::Null).await.ok();
    let mut suspended = account_event("Updated", "x", "x", T1);
    suspended["detail"]["status"] = json!("suspended");
    api.hand(&[suspended]).await;
    pump.drain(&api.app).await;
    assert_eq!(api.get(&format!("/{group}/members/x")).await.ok()["status"], json!("suspended"));
    assert_sound(&violations(&api).await);
}

/// Each invalid field, in a batch with a valid event.
#[tokio::test]
async fn invalid_event_becomes_a_dead_letter_and_blocks_no_other() {
    let api = Api::start().await;
    let account = account_event("Created", "good", "good", T1);
    let request = request_event("add", NO_GROUP, "good", T1);
    let with = |event: &Value, pointer: &str, value: Value| {
        let mut event = event.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        event
    };
    let without = |event: &Value, name: &str| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove(name);
        event
    };
    let invalid = [
        (with(&account, "/detail-type", json!("Account Renamed")), "detail-type"),
        (without(&account, "detail-type"), "detail-type"),
        (without(&account, "id"), "id"),
        (without(&account, "source"), "source"),
        (with(&account, "/time", json!("today")), "time"),
        (without(&account, "detail"), "detail"),
        (with(&account, "/detail/id", json!("a b")), "detail.id"),
        (with(&account, "/detail/id", json!(7)), "detail.id"),
        (with(&account, "/detail/name", json!("")), "detail.name"),
        (with(&account, "/detail/name", json!("a\u{1b}[31m")), "detail.name"),
        (with(&account, "/detail/email", Value::Null), "detail.email"),
        (with(&account, "/detail/status", json!("s".repeat(257))), "detail.status"),
        (with(&account, "/detail/updated_at", json!("today")), "detail.updated_at"),
        (with(&request, "/detail/group_id", json!("grp-123")), "detail.group_id"),
        (with(&request, "/detail/account_id", json!("..")), "detail.account_id"),
        (with(&request, "/detail/action", json!("replace")), "detail.action"),
        (with(&request, "/detail/requested_by", json!("")), "detail.requested_by"),
        (with(&request, "/detail/requested_at", json!("2024")), "detail.requested_at"),
    ];
    // The published schemas agree with the code.
    assert!(schemas::is_valid(&account) && schemas::is_valid(&request));
    for (event, field) in &invalid {
        assert!(!schemas::is_valid(event), "{event}");
        assert!(api.hand(&[event.clone(), account.clone()]).await.is_empty());
        let reason = api.dead_letter_reasons().pop().unwrap();
        assert!(reason.starts_with(&format!("{field} must be ")), "{reason}");
        assert_eq!(api.bus.dead_letters().unwrap().pop().unwrap().body, event.to_string(), "as received");
    }
    assert_eq!(name_of(&api, "good").await, Some(json!("good")));
    for (text, reason) in [("no JSON", "the event is not JSON"), ("[]", "event must be a JSON object")] {
        assert!(api.hand(&[json!(text)]).await.is_empty());
        assert_eq!(api.dead_letter_reasons().pop().unwrap(), reason);
    }
    // Unknown fields are ignored.
    let more = with(&with(&account, "/detail/more", json!(1)), "/more", json!([]));
    assert!(schemas::is_valid(&more) && api.hand(&[more]).await.is_empty());
    assert_eq!(api.dead_letter_reasons().len(), invalid.len() + 2);
}

/// A busy table, an internal error, and a queue of dead letters that does not answer: no event is lost.
#[tokio::test]
async fn event_is_retried_while_a_dependency_fails() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let soon = tokio::time::Instant::now() + Duration::from_millis(500);
    let mut deps = api.apply_events_deps();
    deps.app.store = deps.app.store.until(soon);
    let request = request_event("add", &group, "acc-1", T1);
    let too_old = 0;
    // A busy table: retried at any age.
    faults.repeat("BatchGetItem", Fault::Throttle, 1_000);
    assert_eq!(hand(&deps, std::slice::from_ref(&request), too_old).await, [0]);
    faults.stop();
    // An internal error: retried at first, then a dead letter.
    faults.repeat("BatchGetItem", Fault::Malformed, 2);
    let deps = api.apply_events_deps();
    assert_eq!(hand(&deps, std::slice::from_ref(&request), millis()).await, [0]);
    assert!(api.dead_letter_reasons().is_empty());
    assert!(hand(&deps, std::slice::from_ref(&request), too_old).await.is_empty());
    assert_eq!(api.dead_letter_reasons(), ["BatchGetItem failed: ValidationException"]);
    // An answer lost after the commit: applied, once.
    faults.next("TransactWriteItems", Fault::AnswerLost);
    assert!(hand(&deps, std::slice::from_ref(&request), millis()).await.is_empty());
    assert_eq!(api.get(&format!("/{group}")).await.ok()["member_count"], json!(1));
    // An invalid event, and no queue for its dead letter.
    let letters = Faults::default();
    let mut deps = api.apply_events_deps();
    deps.dead_letters = api.publish_events_deps(&letters.start_proxy(&api.bus_endpoint()).await).dead_letters;
    letters.next("SendMessage", Fault::Malformed);
    assert_eq!(hand(&deps, &[json!("no JSON")], millis()).await, [0]);
    letters.next("SendMessage", Fault::AnswerLost);
    assert!(hand(&deps, &[json!("no JSON")], millis()).await.is_empty());
}

/// Events of a thousand accounts, with requests for membership, each delivered twice and all in random order.
#[tokio::test(flavor = "multi_thread")]
async fn thousand_accounts_end_in_their_newest_state_in_any_order() {
    let count = if crate::harness::is_embedded() { 1_000 } else { 100 };
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let [parent, child] = api.chain(&["above", "below"]).await.try_into().unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let (mut events, mut expected) = (Vec::new(), Vec::new());
    for number in 0..count {
        let id = format!("acc-{number:04}");
        let time = |second: usize| format!("2024-03-01T00:00:{second:02}Z");
        events.push(account_event("Created", &id, "created", &time(1)));
        let updates = random.usize(0..3);
        for update in 0..updates {
            events.push(account_event("Updated", &id, &format!("update-{update}"), &time(2 + update)));
        }
        let is_deleted = random.u8(0..5) == 0;
        events.extend(is_deleted.then(|| account_event("Deleted", &id, "gone", &time(9))));
        let name = updates.checked_sub(1).map_or("created".to_owned(), |last| format!("update-{last}"));
        let requests = random.usize(0..3);
        for request in 0..requests {
            let action = if request == 0 { "add" } else { "remove" };
            events.push(request_event(action, &child, &id, &time(20 + request)));
        }
        expected.extend((!is_deleted && requests == 1).then_some((id, name)));
    }
    let mut delivered: Vec<Value> = events.iter().chain(&events).cloned().collect();
    random.shuffle(&mut delivered);
    let (deps, mut pump) = (api.apply_events_deps(), Pump::of(&api).await);
    let mut waiting: Vec<Value> = Vec::new();
    for batch in delivered.chunks(50) {
        let failed = hand(&deps, batch, millis()).await;
        waiting.extend(failed.into_iter().map(|index| batch[index].clone()));
        pump.drain(&api.app).await;
    }
    // Requests that came before their account. Those of deleted accounts are now too old and become dead letters.
    let too_old = 0;
    assert!(hand(&deps, &waiting, too_old).await.is_empty());
    pump.drain(&api.app).await;
    for group in [&parent, &child] {
        let members = api.all_items(&format!("/{group}/members?limit=1000"), "members").await;
        let text = |member: &Value, field: &str| member[field].as_str().unwrap().to_owned();
        let found: Vec<_> = members.iter().map(|member| (text(member, "id"), text(member, "name"))).collect();
        assert_eq!(found, expected);
    }
    let dead_letters = api.dead_letter_reasons();
    assert!(!dead_letters.is_empty());
    assert!(dead_letters.iter().all(|reason| reason.ends_with("does not exist, after all this time")));
    assert_sound(&violations(&api).await);
}

/// The local queue behaves like SQS.
#[tokio::test]
async fn queue_redelivers_a_failed_message_alone_until_the_receive_limit() {
    let api = Api::start().await;
    let group = api.group("A").await;
    let mut source = template().queue.clone();
    source.max_receive_count = 3;
    let poller = QueuePoller::new(&api.bus, &source, APPLY_EVENTS, api.apply_events_deps());
    let request = request_event("add", &group, "acc-1", T1);
    api.bus.send(vec![account_event("Created", "acc-2", "x", T1), request.clone(), json!(7)]).unwrap();
    assert!(api.bus.has_new().unwrap());
    assert_eq!(poller.poll().await.unwrap(), 3);
    assert!(!api.bus.has_new().unwrap());
    assert_eq!(api.dead_letter_reasons(), ["event must be a JSON object"]);
    assert_eq!(poller.poll().await.unwrap(), 0, "a failed message is redelivered after a pause");
    let mut deliveries = 1;
    while api.dead_letter_reasons().len() == 1 {
        deliveries += poller.poll().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(deliveries, 3);
    let dead = api.bus.dead_letters().unwrap();
    assert_eq!((&dead[1].body, &dead[1].reason), (&request.to_string(), &None));
    api.accounts(&["acc-1"]).await;
    assert_eq!(api.bus.redrive().unwrap(), 2);
    poller.poll().await.unwrap();
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert_eq!(api.dead_letter_reasons(), ["event must be a JSON object"]);
}
