//! What other systems tell: once, twice, late, in any order, at fault, and while the table is busy.

use std::time::Duration;

use groups_local::functions::APPLY_EVENTS;
use groups_local::queue_poller::QueuePoller;
use serde_json::{Value, json};

use crate::harness::exchange::{ORDERS, T1, T2, T3, account_event, hand, millis, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, NO_GROUP, schemas, template};

/// What the account is called now, seen through a group of its own; `None` when it is not known.
async fn name_of(api: &Api, id: &str) -> Option<Value> {
    member_of(api, id).await.map(|member| member["name"].clone())
}

async fn member_of(api: &Api, id: &str) -> Option<Value> {
    let group = api.group("Probe").await;
    let answer = api.put(&format!("/{group}/members/{id}"), Value::Null).await;
    (answer.status == 200).then_some(answer.body)
}

#[tokio::test]
async fn accounts_end_as_their_newest_version_whatever_the_order() {
    let api = Api::start().await;
    for (number, order) in ORDERS.into_iter().enumerate() {
        for told in [2, 3] {
            let id = format!("acc-{number}-{told}");
            let events = [
                account_event("Created", &id, "first", T1),
                account_event("Updated", &id, "second", T2),
                account_event("Deleted", &id, "gone", T3),
            ];
            for index in order.into_iter().filter(|index| *index < told) {
                // Everything is delivered twice.
                assert!(api.hand(&[events[index].clone(), events[index].clone()]).await.is_empty());
            }
            let expected = (told == 2).then(|| json!("second"));
            assert_eq!(name_of(&api, &id).await, expected, "order {order:?} of {told}");
        }
    }
    assert!(api.dead().is_empty());
}

/// Of one moment: a deletion, then another status than active, then either, but the same whatever the order.
#[tokio::test]
async fn what_is_told_of_one_moment_comes_to_the_same() {
    let api = Api::start().await;
    let with_status = |id: &str, name: &str, status: &str| {
        let mut event = account_event("Updated", id, name, T1);
        event["detail"]["status"] = json!(status);
        event
    };
    let mut told = Vec::new();
    for (number, order) in ORDERS.into_iter().enumerate() {
        let id = format!("acc-{number}");
        let events =
            [with_status(&id, "a", "active"), with_status(&id, "b", "active"), with_status(&id, "c", "suspended")];
        for index in order {
            api.hand(&[events[index].clone()]).await;
        }
        let member = member_of(&api, &id).await.unwrap();
        assert_eq!((&member["name"], &member["status"]), (&json!("c"), &json!("suspended")));
        // Between two that are active, what decides is anything, but the same thing.
        let id = format!("acc-{number}-active");
        for index in order.into_iter().filter(|index| *index < 2) {
            let name = ["a", "b"][index];
            api.hand(&[with_status(&id, name, "active")]).await;
        }
        told.push(name_of(&api, &id).await.unwrap());
        let gone = account_event("Deleted", &id, "", T1);
        for event in [gone, with_status(&id, "back", "suspended")] {
            api.hand(&[event]).await;
        }
        assert_eq!(name_of(&api, &id).await, None, "the deletion stands");
        api.hand(&[account_event("Created", &id, "back", T2)]).await;
        assert_eq!(name_of(&api, &id).await, Some(json!("back")), "a newer description makes it known again");
    }
    told.dedup();
    assert_eq!(told.len(), 1);
}

/// Copies follow a description that stands over another of the same moment.
#[tokio::test]
async fn members_are_as_what_stands_of_one_moment() {
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

/// Every fault of an event, its field, and a batch that goes on without it.
#[tokio::test]
async fn an_event_at_fault_becomes_a_dead_letter_and_is_in_nobodys_way() {
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
    let faulty = [
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
    let is_valid = |event: &Value| {
        // The schemas are of the same opinion.
        schemas::is_valid(event)
    };
    assert!(is_valid(&account) && is_valid(&request));
    for (event, field) in &faulty {
        assert!(!is_valid(event), "{event}");
        assert!(api.hand(&[event.clone(), account.clone()]).await.is_empty());
        let reason = api.dead().pop().unwrap();
        assert!(reason.starts_with(&format!("{field} must be ")), "{reason}");
        assert_eq!(api.bus.dead_letters().unwrap().pop().unwrap().body, event.to_string(), "as it came");
    }
    assert_eq!(name_of(&api, "good").await, Some(json!("good")));
    for (text, told) in [("no JSON", "the event is not JSON"), ("[]", "event must be a JSON object")] {
        assert!(api.hand(&[json!(text)]).await.is_empty());
        assert_eq!(api.dead().pop().unwrap(), told);
    }
    // Fields that nobody knows are nobody's business.
    let more = with(&with(&account, "/detail/more", json!(1)), "/more", json!([]));
    assert!(is_valid(&more) && api.hand(&[more]).await.is_empty());
    assert_eq!(api.dead().len(), faulty.len() + 2);
}

/// A table that does not answer, a queue of dead letters that does not, and a fault of ours: nothing is lost.
#[tokio::test]
async fn what_cannot_be_done_now_comes_again() {
    let faults = Faults::default();
    let api = Api::start_faulty(&faults).await;
    api.accounts(&["acc-1"]).await;
    let group = api.group("A").await;
    let soon = tokio::time::Instant::now() + Duration::from_millis(500);
    let mut intake = api.intake();
    intake.app.store = intake.app.store.until(soon);
    let request = request_event("add", &group, "acc-1", T1);
    faults.repeat("BatchGetItem", Fault::Throttle, 1_000);
    // However old it is.
    assert_eq!(hand(&intake, std::slice::from_ref(&request), 0).await, [0]);
    faults.stop();
    // A fault of ours is not given up at once either.
    faults.repeat("BatchGetItem", Fault::Malformed, 2);
    let intake = api.intake();
    assert_eq!(hand(&intake, std::slice::from_ref(&request), millis()).await, [0]);
    assert!(api.dead().is_empty());
    assert!(hand(&intake, std::slice::from_ref(&request), 0).await.is_empty());
    assert_eq!(api.dead(), ["BatchGetItem failed: ValidationException"]);
    // The answer gets lost after the commit: it is done, and once.
    faults.next("TransactWriteItems", Fault::AnswerLost);
    assert!(hand(&intake, std::slice::from_ref(&request), millis()).await.is_empty());
    assert_eq!(api.get(&format!("/{group}")).await.ok()["member_count"], json!(1));
    // Nowhere to put what can never be done.
    let letters = Faults::default();
    let mut intake = api.intake();
    intake.dead_letters = api.outlet(&letters.stand_before(&api.bus_endpoint()).await).dead_letters;
    letters.next("SendMessage", Fault::Malformed);
    assert_eq!(hand(&intake, &[json!("no JSON")], millis()).await, [0]);
    letters.next("SendMessage", Fault::AnswerLost);
    assert!(hand(&intake, &[json!("no JSON")], millis()).await.is_empty());
}

/// A thousand accounts fed twice in random order, with updates, deletions and requests mixed in, end as their newest
/// versions say; all members are as asked for last, and the table is sound.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_accounts_in_any_order_end_as_their_newest_versions_say() {
    let count = if crate::harness::is_embedded() { 1_000 } else { 100 };
    let api = Api::start_streaming(|_| {}, &Faults::default()).await;
    let groups = api.chain(&["above", "below"]).await;
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
        let asks = random.usize(0..3);
        for ask in 0..asks {
            let action = if ask == 0 { "add" } else { "remove" };
            events.push(request_event(action, &groups[1], &id, &time(20 + ask)));
        }
        expected.extend((!is_deleted && asks == 1).then_some((id, name)));
    }
    let mut fed: Vec<Value> = events.iter().chain(&events).cloned().collect();
    random.shuffle(&mut fed);
    let (intake, mut pump) = (api.intake(), Pump::of(&api).await);
    let mut waiting: Vec<Value> = Vec::new();
    for batch in fed.chunks(50) {
        let again = hand(&intake, batch, millis()).await;
        waiting.extend(again.into_iter().map(|place| batch[place].clone()));
        pump.drain(&api.app).await;
    }
    // Those whose accounts were not known then; of accounts that are gone, for the last time.
    let for_the_last_time = 0;
    assert!(hand(&intake, &waiting, for_the_last_time).await.is_empty());
    pump.drain(&api.app).await;
    for group in &groups {
        let members = api.walk(&format!("/{group}/members?limit=1000"), "members").await;
        let text = |member: &Value, field: &str| member[field].as_str().unwrap().to_owned();
        let found: Vec<_> = members.iter().map(|member| (text(member, "id"), text(member, "name"))).collect();
        assert_eq!(found, expected);
    }
    assert!(api.dead().iter().all(|reason| reason.ends_with("does not exist, after all this time")));
    assert_sound(&violations(&api).await);
}

/// The queue of this machine is as SQS is: what fails comes again, alone, and not for ever.
#[tokio::test]
async fn the_queue_hands_out_what_failed_until_it_has_had_enough() {
    let api = Api::start().await;
    let group = api.group("A").await;
    let mut source = template().queue.clone();
    source.max_receive_count = 3;
    let poller = QueuePoller::new(&api.bus, &source, APPLY_EVENTS, api.intake());
    let request = request_event("add", &group, "acc-1", T1);
    api.bus.send(vec![account_event("Created", "acc-2", "x", T1), request.clone(), json!(7)]).unwrap();
    assert!(api.bus.has_new().unwrap());
    assert_eq!(poller.poll().await.unwrap(), 3);
    assert!(!api.bus.has_new().unwrap());
    assert_eq!(api.dead(), ["event must be a JSON object"]);
    assert_eq!(poller.poll().await.unwrap(), 0, "what failed comes after a while");
    let mut handed_out = 1;
    while api.dead().len() == 1 {
        handed_out += poller.poll().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(handed_out, 3);
    let dead = api.bus.dead_letters().unwrap();
    assert_eq!((&dead[1].body, &dead[1].reason), (&request.to_string(), &None));
    api.accounts(&["acc-1"]).await;
    assert_eq!(api.bus.redrive().unwrap(), 2);
    poller.poll().await.unwrap();
    assert_eq!(api.membership(&group, "acc-1").await, Some("direct".into()));
    assert_eq!(api.dead(), ["event must be a JSON object"]);
}
