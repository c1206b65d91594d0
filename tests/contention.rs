//! Many callers on a table that conflicts and throttles as DynamoDB does: no answer is an internal error, no change is lost.

mod model;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::harness::clock::{TestClock, later};
use crate::harness::contention::Contention;
use crate::harness::pump::{Pump, assert_sound, violations, violations_before_stream};
use crate::harness::{Answer, Api, now, numbered};

const CALLERS: usize = 20;
const MEMBERS: usize = 40;

/// Memberships that end at the same second.
const ENDING: usize = 200;

/// Adds numbered accounts with many callers, each to the group that `group_of` returns. Returns the answers.
async fn add_members<'a>(api: &Api, group_of: impl Fn(usize) -> &'a str) -> Vec<Answer> {
    api.numbered_accounts(0..MEMBERS).await;
    let paths = (0..MEMBERS).map(|number| format!("/{}/members/{}", group_of(number), numbered(number)));
    let additions = paths.map(|path| async move { api.put(&path, Value::Null).await });
    stream::iter(additions.collect::<Vec<_>>()).buffer_unordered(CALLERS).collect().await
}

/// Asserts that each answer is a success or asks the caller to retry. Returns the number of successes.
fn successes(answers: &[Answer]) -> usize {
    for answer in answers {
        let asks_to_retry = answer.status == 503 && answer.header("retry-after").is_some();
        assert!(answer.status.is_success() || asks_to_retry, "{}: {}", answer.status, answer.text);
    }
    answers.iter().filter(|answer| answer.status.is_success()).count()
}

async fn counts(api: &Api, group: &str) -> (usize, usize) {
    let group = api.get(&format!("/{group}")).await.ok();
    let count = |name: &str| usize::try_from(group[name].as_u64().unwrap()).unwrap();
    (count("member_count"), count("direct_member_count"))
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_to_one_group_conflict_and_counts_stay_exact() {
    let contention = Contention::new(1);
    let api = &Api::start_contended(&contention).await;
    let group = &api.group("Busy").await;

    let answers = add_members(api, |_| group).await;

    let added = successes(&answers);
    let load = contention.take();
    assert!(load.conflicts > 0, "some conflict: {load:?}");
    assert!(added > 0 && load.requests["TransactWriteItems"] >= added, "{added} were added: {load:?}");
    let members = api.all_items(&format!("/{group}/members"), "members").await;
    // An addition that was answered with 503 may have happened.
    assert!((added..=MEMBERS).contains(&members.len()), "{added} were added, {} are members", members.len());
    assert_eq!(counts(api, group).await, (members.len(), members.len()));
    assert_sound(&violations_before_stream(api).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_below_one_group_reach_it_by_the_stream() {
    let contention = Contention::new(2);
    let api = &Api::start_contended(&contention).await;
    let top = &api.group("Top").await;
    let (left, right) = (&api.group("Left").await, &api.group("Right").await);
    api.nest(top, left).await;
    api.nest(top, right).await;

    let answers = add_members(api, |number| if number % 2 == 0 { left } else { right }).await;
    Pump::of(api).await.drain(&api.app).await;

    let added = successes(&answers);
    assert!(added > 0, "none was added");
    let (of_left, of_right) = (counts(api, left).await.0, counts(api, right).await.0);
    assert!(
        (added..=MEMBERS).contains(&(of_left + of_right)),
        "{added} were added, {of_left} and {of_right} are members"
    );
    assert_eq!(counts(api, top).await, (of_left + of_right, 0));
    assert_sound(&violations(api).await);
}

/// A mark is in all sixteen count shards, which the additions write.
#[tokio::test(flavor = "multi_thread")]
async fn busy_group_becomes_privileged() {
    let contention = Contention::new(4);
    let api = &Api::start_contended(&contention).await;
    let group = &api.group("Busy").await;
    let flag = async {
        // Once the additions are under way.
        while api.get(&format!("/{group}")).await.ok()["member_count"] == json!(0) {}
        api.patch(&format!("/{group}"), json!({ "is_privileged": true })).await
    };

    let (answers, flagged) = futures::future::join(add_members(api, |_| group), flag).await;

    assert!(successes(&answers) > 0);
    assert_eq!(flagged.ok()["is_privileged"], json!(true));
    assert!(contention.take().conflicts > 0);
    assert_sound(&violations_before_stream(api).await);
}

/// Each end is a change of the same group and of the one above, whose count shards they share.
#[tokio::test(flavor = "multi_thread")]
async fn memberships_that_end_together_end_in_one_run() {
    let contention = Contention::new(5);
    let api = &Api::start_contended(&contention).await;
    let chain = api.chain(&["Top", "Busy"]).await;
    api.numbered_accounts(0..ENDING).await;
    let accounts: Vec<String> = (0..ENDING).map(numbered).collect();
    let body = json!({ "add": accounts, "expires_at": later(now(), 3_600) });
    let outcomes = api.patch(&format!("/{}/members", chain[1]), body).await.ok();
    assert!(outcomes["outcomes"].as_array().unwrap().iter().all(|it| it["outcome"] == "added"));
    let an_hour_later = TestClock::new();
    an_hour_later.advance(3_600);
    contention.take();

    let begun = std::time::Instant::now();
    let swept = api.expire_members_by(&an_hour_later).await;

    let load = contention.take();
    println!("{ENDING} ends in {:?}: {load:?}", begun.elapsed());
    assert_eq!(swept, json!({ "due": ENDING, "left": 0 }));
    assert!(load.conflicts > 0);
    assert_eq!((counts(api, &chain[1]).await, counts(api, &chain[0]).await), ((0, 0), (0, 0)));
    Pump::of(api).await.drain(&api.app).await;
    assert_sound(&violations(api).await);
}

/// A busy group's partition is empty before its callers are done: additions wait, and reads and other groups do not.
#[tokio::test(flavor = "multi_thread")]
async fn reads_and_other_groups_pass_while_a_partition_is_throttled() {
    let contention = Contention::new(3);
    let api = &Api::start_contended(&contention).await;
    let (busy, quiet) = (&api.group("Busy").await, &api.group("Quiet").await);
    api.numbered_accounts(0..1).await;
    // Its debt lasts longer than a call.
    contention.spend_write_units(&format!("GROUP#{busy}"), 1_000_000.0);
    contention.take();

    let [to_busy, to_quiet] = [busy, quiet].map(|group| format!("/{group}/members/{}", numbered(0)));
    let (refused, added) = tokio::join!(api.put(&to_busy, Value::Null), api.put(&to_quiet, Value::Null));

    assert_eq!((refused.status.as_u16(), refused.header("retry-after").is_some()), (503, true), "{}", refused.text);
    assert_eq!(added.status, 200, "{}", added.text);
    assert!(contention.take().throttles > 1, "the addition was retried");
    assert_eq!(api.get(&format!("/{busy}")).await.ok()["member_count"], json!(0));
    assert_sound(&violations_before_stream(api).await);
}
