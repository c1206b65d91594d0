//! A large group on a table that conflicts, throttles and waits as DynamoDB does.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{members, put, refused};
use crate::harness::contention::Contention;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, numbered, template, variable};

/// Members that do not fit the time of one invocation are left to the next request, and no answer says that they are done.
/// `GROUPS_TEST_MEMBERS=10000` fills a group with 10,000, in invocations of the template's 29 seconds.
#[tokio::test(flavor = "multi_thread")]
async fn filling_a_large_group_goes_on_where_it_stopped() {
    let count = variable("GROUPS_TEST_MEMBERS").map(|count| usize::try_from(count).unwrap());
    let mut template = template().clone();
    if count.is_none() {
        template.timeout_seconds = 2;
        template.routes.iter_mut().for_each(|route| route.timeout_seconds = 2);
    }
    let is_short = count.is_none();
    let count = count.unwrap_or(1_500);
    let contention = Contention::new(19);
    let api = &Api::start_contended_as(&template, &contention).await;
    let chain = api.chain(&["Company", "All"]).await;
    api.numbered_accounts(0..count).await;
    let ids: Vec<String> = (0..count).map(numbered).collect();
    let values: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({ "displayName": "All", "members": values });
    contention.take();

    let (begun, mut unfinished, mut done) = (std::time::Instant::now(), 0, 0);
    loop {
        let answer = put(api, &format!("/Groups/{}?excludedAttributes=members", chain[1]), body.clone()).await;
        if answer.status == StatusCode::OK {
            break;
        }
        let detail = refused(&answer, 503, None).to_owned();
        assert_eq!(answer.header("retry-after"), Some("1"));
        let present = members(api, &chain[1]).await.len();
        assert!(present > done, "{detail}");
        (unfinished, done) = (unfinished + 1, present);
    }

    let (seconds, load) = (begun.elapsed().as_secs_f32(), contention.take());
    let written: f64 = load.units.values().map(|units| units.write).sum();
    let (requests, conflicts) = (load.requests, load.conflicts);
    println!(
        "{count} members in {seconds:.1} s, {unfinished} answers with 503; {requests:?}, {conflicts} conflicts, {written} write units"
    );
    assert!(unfinished > 0 || !is_short);
    Pump::of(api).await.drain(&api.app).await;
    assert_eq!(members(api, &chain[1]).await, ids);
    let group = api.get(&format!("/{}", chain[0])).await.ok();
    assert_eq!(group["member_count"], json!(count));
    assert_sound(&violations(api).await);
}
