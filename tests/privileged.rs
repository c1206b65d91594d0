//! Privileged groups: a caller without the privileged role changes nothing that could alter who is in one.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::authz::Role;
use shared::config::Config;
use shared::domain::GroupId;
use shared::propagation::Propagation;
use shared::store::client_for;
use shared::store::keys::Key;
use shared::verify::{InvariantViolation, repair};

use crate::harness::clock::TestClock;
use crate::harness::exchange::{PRIVILEGED_SOURCE, T1, T2, request_event};
use crate::harness::faults::{Fault, Faults};
use crate::harness::pump::{Pump, assert_sound, drain_all, violations};
use crate::harness::recorder::{operations, writes};
use crate::harness::{Answer, Api, now, numbered, token, variable};

/// A mark that is left over is removed once it is older than any function runs.
const MARK_IS_LEFT_OVER: u64 = 16;

fn configure(config: &mut Config) {
    config.policy.privileged_role = Role::parse("Guardian").unwrap();
}

async fn start() -> Api {
    Api::start_configured(configure).await
}

/// Sends a request of an administrator with the privileged role.
async fn with_role(api: &Api, method: Method, path: &str, body: Value) -> Answer {
    let token = token("grace", &["Administrator", "Guardian"]);
    Answer::to(api.request_as(Some(&token), method, path).json(&body)).await
}

async fn flag(api: &Api, group: &str, is_privileged: bool) -> Answer {
    with_role(api, Method::PATCH, &format!("/{group}"), json!({ "is_privileged": is_privileged })).await
}

async fn nest(api: &Api, parent: &str, child: &str) -> Answer {
    with_role(api, Method::PUT, &format!("/{parent}/groups/{child}"), json!({})).await
}

async fn unnest(api: &Api, parent: &str, child: &str) -> Answer {
    with_role(api, Method::DELETE, &format!("/{parent}/groups/{child}"), json!({})).await
}

/// A privileged group, a group nested in it, and one nested in that, with the member `acc-00000` each; and an ordinary one.
async fn hierarchy(api: &Api) -> [String; 4] {
    let chain = api.chain(&["Admins", "Staff", "Team"]).await;
    for group in &chain {
        api.members(group, 0..1).await;
    }
    api.numbered_accounts(1..2).await;
    assert_eq!(flag(api, &chain[0], true).await.status, 200);
    let ordinary = api.group("Ordinary").await;
    [chain[0].clone(), chain[1].clone(), chain[2].clone(), ordinary]
}

/// All requests that change a group, each allowed to an administrator where the group is an ordinary one.
fn changes(group: &str, ordinary: &str) -> Vec<(Method, String, Value)> {
    vec![
        (Method::PUT, format!("/{group}"), json!({ "description": "taken over" })),
        (Method::PATCH, format!("/{group}"), json!({ "name": "Taken over" })),
        (Method::PATCH, format!("/{group}"), json!({ "is_privileged": false })),
        (Method::PATCH, format!("/{group}"), json!({ "external_id": "taken-over" })),
        (Method::PATCH, format!("/{group}"), json!({})),
        (Method::PUT, format!("/{group}/members/acc-00001"), json!({})),
        (Method::PUT, format!("/{group}/members/acc-00000"), json!({})),
        (Method::DELETE, format!("/{group}/members/acc-00000"), json!({})),
        (Method::PATCH, format!("/{group}/members"), json!({ "add": ["acc-00001"], "remove": ["acc-00000"] })),
        (Method::PUT, format!("/{group}/groups/{ordinary}"), json!({})),
        (Method::DELETE, format!("/{group}/groups/{ordinary}"), json!({})),
        (Method::DELETE, format!("/{group}"), json!({})),
    ]
}

#[tokio::test]
async fn caller_without_the_role_changes_nothing_in_or_below_a_privileged_group() {
    let api = start().await;
    let [admins, staff, team, ordinary] = hierarchy(&api).await;
    for group in [&admins, &staff, &team] {
        for (method, path, body) in changes(group, &ordinary) {
            api.recorder.take();
            let answer = Answer::to(api.request(method.clone(), &path).json(&body)).await;
            let message = answer.refused(403, "FORBIDDEN");
            let reason = if *group == admins { "is privileged" } else { "is nested in the privileged group" };
            for part in ["the role Guardian", "claim cognito:groups", reason, admins.as_str()] {
                assert!(message.contains(part), "{method} {path}: {message}");
            }
            assert!(api.recorder.take().iter().all(|request| request.operation != "TransactWriteItems"));
        }
    }
    for group in [&admins, &staff, &team] {
        assert_eq!(api.member_types(group).await.len(), 1);
    }
    for (method, path, body) in changes(&team, &ordinary).into_iter().filter(|(method, ..)| *method != Method::DELETE) {
        let answer = with_role(&api, method.clone(), &path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn making_a_group_privileged_needs_the_role() {
    let api = start().await;
    let ordinary = api.group("Ordinary").await;
    let create = json!({ "name": "Admins", "is_privileged": true });
    let message = "this needs the role Guardian in the token's claim cognito:groups: the group would be privileged";
    assert_eq!(api.post("", create.clone()).await.refused(403, "FORBIDDEN"), message);
    let change = json!({ "is_privileged": true });
    assert_eq!(api.patch(&format!("/{ordinary}"), change).await.refused(403, "FORBIDDEN"), message);
    assert_eq!(api.get(&format!("/{ordinary}")).await.ok()["is_privileged"], json!(false));
    let created = with_role(&api, Method::POST, "", create).await;
    assert_eq!(created.status, StatusCode::CREATED);
    // A new group has no mark, only the flag.
    let admins = created.body["id"].as_str().unwrap();
    for (method, path, body) in changes(admins, &ordinary) {
        Answer::to(api.request(method, &path).json(&body)).await.refused(403, "FORBIDDEN");
    }
}

/// The members of the nested group do not change: those of the group around it do.
#[tokio::test]
async fn privileged_group_may_be_nested_in_an_ordinary_one_without_the_role() {
    let api = start().await;
    let [admins, _, _, ordinary] = hierarchy(&api).await;
    api.nest(&ordinary, &admins).await;
    assert_eq!(api.member_types(&ordinary).await.len(), 1);
    api.put(&format!("/{ordinary}/members/acc-00001"), Value::Null).await.ok();
    assert_eq!(api.member_types(&admins).await.len(), 1);
}

#[tokio::test]
async fn guard_ends_with_the_flag_and_with_the_nesting() {
    let clock = TestClock::new();
    let api = Api::start_clocked(configure, &clock, None).await;
    let [admins, staff, team, _] = hierarchy(&api).await;
    let add = async |group: &str| api.put(&format!("/{group}/members/acc-00001"), Value::Null).await;
    let remove = async |group: &str| api.delete(&format!("/{group}/members/acc-00001")).await;

    clock.advance(MARK_IS_LEFT_OVER);
    assert_eq!(unnest(&api, &staff, &team).await.status, 204);
    add(&team).await.ok();
    add(&staff).await.refused(403, "FORBIDDEN");
    // The mark is gone, and costs nothing any more.
    api.recorder.take();
    assert_eq!(remove(&team).await.status, 204);
    assert_eq!(operations(&api.recorder.take()), ["BatchGetItem", "TransactWriteItems"]);

    assert_eq!(nest(&api, &staff, &team).await.status, 200);
    add(&team).await.refused(403, "FORBIDDEN");
    assert_eq!(flag(&api, &admins, false).await.status, 200);
    clock.advance(MARK_IS_LEFT_OVER);
    for group in [&team, &staff, &admins] {
        add(group).await.ok();
    }
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
}

/// The flag is not committed, but the groups are marked. Until no function can be at it any more, changes wait.
#[tokio::test]
async fn marks_of_a_request_that_failed_are_removed_later() {
    let (clock, faults) = (TestClock::new(), Faults::default());
    let api = Api::start_clocked(configure, &clock, Some(&faults)).await;
    let chain = api.chain(&["Admins", "Staff"]).await;
    api.numbered_accounts(0..1).await;
    faults.next("TransactWriteItems", Fault::Passes).next("TransactWriteItems", Fault::Passes);
    faults.next("TransactWriteItems", Fault::Malformed);
    assert_eq!(flag(&api, &chain[0], true).await.status, 500);
    assert_eq!(faults.left(), 0);

    let path = format!("/{}/members/acc-00000", chain[1]);
    api.put(&path, Value::Null).await.refused(503, "UNAVAILABLE");
    clock.advance(MARK_IS_LEFT_OVER);
    api.put(&path, Value::Null).await.ok();
    assert_eq!(api.get(&format!("/{}", chain[0])).await.ok()["is_privileged"], json!(false));
}

#[tokio::test]
async fn request_by_event_for_a_privileged_group_needs_a_named_source() {
    let api = start().await;
    let [admins, _, team, ordinary] = hierarchy(&api).await;
    let request = request_event("add", &team, "acc-00001", T1);
    for _ in 0..2 {
        assert!(api.hand(std::slice::from_ref(&request)).await.is_empty());
    }
    let reason = format!(
        "the group is nested in the privileged group {admins}, and the event's source is not in PRIVILEGED_SOURCES"
    );
    assert_eq!(api.dead_letter_reasons(), [reason.clone(), reason]);
    assert_eq!(api.membership(&team, "acc-00001").await, None);

    let mut trusted = request_event("add", &team, "acc-00001", T2);
    trusted["source"] = json!(PRIVILEGED_SOURCE);
    assert!(api.hand(&[trusted, request_event("add", &ordinary, "acc-00001", T1)]).await.is_empty());
    for group in [&team, &ordinary] {
        assert_eq!(api.membership(group, "acc-00001").await.as_deref(), Some("direct"));
    }
    assert_eq!(api.dead_letter_reasons().len(), 2);
}

/// Changes that begin after the reply to the flag are all refused; those before it may be made.
#[tokio::test(flavor = "multi_thread")]
async fn flag_and_concurrent_changes_of_members_have_an_order() {
    let api = &start().await;
    let chain = api.chain(&["Admins", "Staff", "Team"]).await;
    let team = &chain[2];
    api.numbered_accounts(0..120).await;
    let is_flagged = &std::sync::atomic::AtomicBool::new(false);
    let flagging = async {
        assert_eq!(flag(api, &chain[0], true).await.status, 200);
        is_flagged.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let adding = stream::iter(0..120)
        .map(|number| async move {
            let began_after = is_flagged.load(std::sync::atomic::Ordering::SeqCst);
            let answer = api.put(&format!("/{team}/members/{}", numbered(number)), Value::Null).await;
            (began_after, answer.status.as_u16())
        })
        .buffer_unordered(8)
        .collect::<Vec<(bool, u16)>>();
    let ((), added) = futures::future::join(flagging, adding).await;
    assert!(added.iter().all(|(began_after, status)| *status == 403 || !began_after && *status == 200), "{added:?}");
    assert!(added.iter().any(|(began_after, _)| *began_after), "the flag was set while members were added");
    let members = added.iter().filter(|(_, status)| *status == 200).count();
    assert_eq!(api.get(&format!("/{}", chain[0])).await.ok()["member_count"], json!(members));
}

const GROUPS: usize = 6;
const ACCOUNTS: usize = 3;

/// Direct members, nestings and flags, as all replies so far say.
#[derive(Default)]
struct Expected {
    members: BTreeSet<(usize, usize)>,
    edges: BTreeSet<(usize, usize)>,
    privileged: BTreeSet<usize>,
}

impl Expected {
    /// Whether the group is privileged, or nested in a privileged one.
    fn is_guarded(&self, group: usize) -> bool {
        self.privileged.contains(&group)
            || self.edges.iter().any(|(parent, child)| *child == group && self.is_guarded(*parent))
    }

    fn is_below(&self, below: usize, group: usize) -> bool {
        below == group || self.edges.iter().any(|(parent, child)| *parent == group && self.is_below(below, *child))
    }

    fn effective(&self, group: usize) -> BTreeSet<usize> {
        let of = |below: &usize| self.is_below(*below, group);
        self.members.iter().filter(|(below, _)| of(below)).map(|(_, account)| *account).collect()
    }
}

/// A random sequence of requests, with and without the role: each is refused exactly where it could alter a privileged group.
async fn random_history(seed: u64) {
    let clock = TestClock::new();
    let api = Api::start_clocked(configure, &clock, None).await;
    api.numbered_accounts(0..ACCOUNTS).await;
    let mut groups = Vec::new();
    for group in 0..GROUPS {
        groups.push(api.group(&format!("Group {group}")).await);
    }
    let (mut random, mut expected) = (fastrand::Rng::with_seed(seed), Expected::default());
    for step in 0..60 {
        clock.advance(MARK_IS_LEFT_OVER);
        let (group, other, account) = (random.usize(..GROUPS), random.usize(..GROUPS), random.usize(..ACCOUNTS));
        let has_role = random.bool();
        let is_guarded = expected.is_guarded(group);
        let member = format!("/{}/members/{}", groups[group], numbered(account));
        let nesting = format!("/{}/groups/{}", groups[group], groups[other]);
        let (method, path, body, allowed) = match random.u8(..10) {
            0..3 => (Method::PUT, member, json!({}), 200),
            3..5 => {
                (Method::DELETE, member, json!({}), if expected.members.contains(&(group, account)) { 204 } else { 0 })
            }
            5..7 => (Method::PUT, nesting, json!({}), if expected.is_below(group, other) { 409 } else { 200 }),
            7..9 => {
                (Method::DELETE, nesting, json!({}), if expected.edges.contains(&(group, other)) { 204 } else { 404 })
            }
            _ => (Method::PATCH, format!("/{}", groups[group]), json!({ "is_privileged": random.bool() }), 200),
        };
        let token = token("somebody", if has_role { &["Administrator", "Guardian"] } else { &["Administrator"] });
        let answer = Answer::to(api.request_as(Some(&token), method.clone(), &path).json(&body)).await;
        let makes_privileged = body["is_privileged"] == json!(true);
        let status = if !has_role && (is_guarded || makes_privileged) { 403 } else { allowed };
        let is_right = answer.status == status || status == 0 && [404, 409].contains(&answer.status.as_u16());
        assert!(is_right, "seed {seed}, step {step}: {method} {path} {body}: {} instead of {status}", answer.text);
        let before: Vec<BTreeSet<usize>> = expected.privileged.iter().map(|group| expected.effective(*group)).collect();
        match (answer.status.as_u16(), method, path.contains("/members/")) {
            (200, Method::PUT, true) => drop(expected.members.insert((group, account))),
            (204, _, true) => drop(expected.members.remove(&(group, account))),
            (200, Method::PUT, false) => drop(expected.edges.insert((group, other))),
            (204, ..) => drop(expected.edges.remove(&(group, other))),
            (200, ..) if makes_privileged => drop(expected.privileged.insert(group)),
            (200, ..) => drop(expected.privileged.remove(&group)),
            _ => {}
        }
        if !has_role {
            let after = expected.privileged.iter().map(|group| expected.effective(*group));
            assert!(after.eq(before), "seed {seed}, step {step}: a privileged group has other members");
        }
    }
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
    for (number, group) in groups.iter().enumerate() {
        let found: BTreeSet<String> = api.member_types(group).await.into_iter().map(|(account, _)| account).collect();
        assert_eq!(found, expected.effective(number).into_iter().map(numbered).collect(), "seed {seed}");
    }
}

#[tokio::test]
async fn random_requests_without_the_role_change_no_privileged_group() {
    for seed in 0..variable("GROUPS_TEST_HISTORIES").unwrap_or(8) {
        random_history(seed).await;
    }
}

/// Marks are nobody's concern: the flag alone is published.
#[tokio::test]
async fn marks_make_no_event_and_no_history() {
    let api = Api::start_streaming(configure, &Faults::default()).await;
    let chain = api.chain(&["Admins", "Staff"]).await;
    assert_eq!(flag(&api, &chain[0], true).await.status, 200);
    drain_all(&api).await;
    let published = api.published();
    let updated = published.iter().filter(|event| event["detail-type"] == "Group Updated");
    assert_eq!(updated.map(|event| &event["detail"]["group_id"]).collect::<Vec<_>>(), [&json!(chain[0])]);
    let history = api.get(&format!("/{}/history", chain[1])).await.ok();
    let changes = history["history"].as_array().unwrap().iter().map(|entry| entry["change"].as_str().unwrap());
    assert_eq!(changes.collect::<BTreeSet<_>>(), BTreeSet::from(["group_created", "group_nested"]));
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    assert_sound(&violations(&api).await);
}

#[tokio::test]
async fn lost_marks_are_found_and_written_again() {
    let api = Api::start_streaming(configure, &Faults::default()).await;
    let [_, staff, team, _] = hierarchy(&api).await;
    let mut pump = Pump::of(&api).await;
    pump.drain(&api.app).await;
    assert_sound(&violations(&api).await);
    let ids = [&staff, &team].map(|id| GroupId::parse(id).unwrap());
    let client = client_for(&api.endpoint, |builder| builder);
    for (key, id) in [(Key::group(&ids[0]), ids[0]), (Key::count(&ids[1], 7), ids[1])] {
        let update = client.update_item().table_name(&api.table).set_key(Some(key.to_attributes()));
        update.update_expression("REMOVE guard").send().await.unwrap();
        assert_eq!(violations(&api).await, [InvariantViolation::Unguarded(id)]);
        let propagation = Propagation { store: &api.store, actor: None, now: now() };
        assert_sound(&repair(propagation).await.unwrap());
    }
}

/// The cost of making a group privileged grows with the groups nested in it; that of a change of members does not.
#[tokio::test]
async fn guard_costs_requests_only_where_groups_become_privileged() {
    let api = start().await;
    let chain = api.chain(&["Admins", "Staff", "Team"]).await;
    api.recorder.take();
    assert_eq!(flag(&api, &chain[0], true).await.status, 200);
    let requests = api.recorder.take();
    // A mark for each group, then the flag; for each group its children, and a second look at those that are there.
    assert_eq!(writes(&requests).len(), 4);
    assert_eq!(operations(&requests).iter().filter(|it| **it == "TransactGetItems").count(), 2);

    let ordinary = api.group("Ordinary").await;
    api.numbered_accounts(0..1).await;
    api.recorder.take();
    api.put(&format!("/{ordinary}/members/acc-00000"), Value::Null).await.ok();
    assert_eq!(operations(&api.recorder.take()), ["BatchGetItem", "TransactWriteItems"]);
    api.put(&format!("/{}/members/acc-00000", chain[2]), Value::Null).await.refused(403, "FORBIDDEN");
    assert_eq!(operations(&api.recorder.take()), ["BatchGetItem"; 4]);
}
