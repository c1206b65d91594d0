//! Events in the hands of a test: those that come in, those that go out, and who hears them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use groups_local::functions::APPLY_EVENTS;
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{ApplyEventsDeps, PublishEventsDeps, REQUEST_TIME_BUDGET};
use shared::aws::Connection;
use shared::bus::{DeadLetters, EventBus};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;

use super::log::canary_in;
use super::{Answer, Api, schemas, token};

/// Three moments, and the orders in which they can be told.
pub const T1: &str = "2024-01-15T10:30:00Z";
pub const T2: &str = "2024-01-15T10:30:00.000001Z";
pub const T3: &str = "2024-01-16T00:00:00+02:00";
pub const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// How long a request waits for its account, as the template has it.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(3_600);

impl Api {
    /// Where the bus answers the SDK.
    pub fn bus_endpoint(&self) -> String {
        format!("{}/_local/aws", self.base)
    }

    /// What taking events in needs.
    pub fn intake(&self) -> ApplyEventsDeps {
        let connection = Connection::to(&self.bus_endpoint());
        let dead_letters = DeadLetters::connected(&connection, "https://sqs.local/dead-letters", REQUEST_TIME_BUDGET);
        ApplyEventsDeps { app: self.app.clone(), dead_letters, patience: REQUEST_PATIENCE }
    }

    /// What sending events out needs, over a bus at this URL.
    pub fn outlet(&self, endpoint: &str) -> PublishEventsDeps {
        let connection = Connection::to(endpoint);
        let dead_letters = DeadLetters::connected(&connection, "https://sqs.local/dead-letters", REQUEST_TIME_BUDGET);
        PublishEventsDeps { bus: EventBus::connected(&connection, "default", REQUEST_TIME_BUDGET), dead_letters }
    }

    /// Hands events to the function on the queue as one batch; gives the places of those that have to come again.
    pub async fn hand(&self, events: &[Value]) -> Vec<usize> {
        hand(&self.intake(), events, millis()).await
    }

    /// How the account is a member of the group, if it is.
    pub async fn membership(&self, group: &str, account: &str) -> Option<String> {
        let answer = self.get(&format!("/{group}/members/{account}")).await;
        (answer.status == 200).then(|| answer.body["membership_type"].as_str().unwrap().to_owned())
    }

    /// What cannot be taken: the reasons, the oldest first.
    pub fn dead(&self) -> Vec<String> {
        let letters = self.bus.dead_letters().unwrap().into_iter();
        let reasons: Vec<String> = letters.map(|letter| letter.reason.unwrap_or_default()).collect();
        assert_eq!(reasons.iter().find_map(|reason| canary_in(reason)), None, "{reasons:?}");
        reasons
    }

    /// Every event that was published, in order.
    pub fn published(&self) -> Vec<Value> {
        let events = self.bus.published_after(0, usize::MAX >> 1).unwrap();
        events.into_iter().map(|(_, event)| serde_json::from_str(&event).unwrap()).collect()
    }
}

/// The present, as queues tell it.
pub fn millis() -> u64 {
    SystemClock.unix_millis()
}

/// Hands messages that came to the queue at this time to the function as one batch; gives the places of those that have
/// to come again.
pub async fn hand(intake: &ApplyEventsDeps, events: &[Value], sent_at: u64) -> Vec<usize> {
    let record = |(place, event): (usize, &Value)| {
        let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        json!({
            "messageId": place.to_string(), "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "2", "SentTimestamp": sent_at.to_string() },
        })
    };
    let records: Vec<Value> = events.iter().enumerate().map(record).collect();
    let answer = APPLY_EVENTS.answer(intake, json!({ "Records": records }), &Context::default()).await.unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
}

/// An event of the account system.
pub fn account_event(kind: &str, id: &str, name: &str, updated_at: &str) -> Value {
    let detail = json!({
        "id": id, "name": name, "email": format!("{name}@company.com"), "status": "active", "updated_at": updated_at,
    });
    enveloped(&format!("Account {kind}"), "accounts", &unique_id(), updated_at, detail)
}

/// A request for membership, made at this time.
pub fn request_event(action: &str, group: &str, account: &str, at: &str) -> Value {
    let detail = json!({ "group_id": group, "account_id": account, "action": action, "requested_by": "carol" });
    enveloped("Group Membership Requested", "hr", &unique_id(), at, detail)
}

fn enveloped(kind: &str, source: &str, id: &str, time: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": id, "detail-type": kind, "source": source, "account": "111122223333", "time": time,
        "region": "us-east-1", "resources": [], "detail": detail,
    })
}

fn unique_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// Another system that knows of groups and members only what it hears.
#[derive(Default)]
pub struct Listener {
    groups: BTreeMap<String, (u64, Value)>,
    members: BTreeMap<(String, String), (u64, Value)>,
    heard: HashMap<String, Value>,
}

impl Listener {
    /// Hears an event, perhaps for the second time, perhaps after those that came later.
    pub fn hear(&mut self, event: &Value) {
        schemas::assert_valid(event);
        let (kind, detail) = (event["detail-type"].as_str().unwrap(), &event["detail"]);
        let text = |name: &str| detail[name].as_str().unwrap().to_owned();
        let first = self.heard.entry(text("id")).or_insert_with(|| event["detail"].clone());
        assert_eq!(first, detail, "an event that comes again is the same");
        let (revision, after) = (detail["revision"].as_u64().unwrap(), detail["after"].clone());
        assert_eq!(kind.ends_with("Deleted") || kind.ends_with("Removed"), after.is_null());
        assert_eq!(kind.ends_with("Created"), kind.starts_with("Group C") && detail.get("before").is_none());
        let newest = |known: &mut (u64, Value)| {
            if known.0 < revision {
                *known = (revision, after.clone());
            }
        };
        if kind.starts_with("Group Member") {
            newest(self.members.entry((text("group_id"), text("account_id"))).or_default());
        } else {
            newest(self.groups.entry(text("group_id")).or_default());
        }
    }

    /// Holds that it knows of just the groups and members that the API shows.
    pub async fn assert_knows(&self, api: &Api) {
        self.assert_knows_all_of(&api.base, &token("listener", &["Administrator"])).await;
    }

    /// As [`Self::assert_knows`], of whatever API this is.
    pub async fn assert_knows_all_of(&self, base: &str, token: &str) {
        let get = async |path: String, items: &str| {
            let request = reqwest::Client::new().get(format!("{base}/api/v1/groups{path}"));
            let page = Answer::to(request.bearer_auth(token)).await.ok();
            assert_eq!(page["pageInfo"]["hasNextPage"], json!(false));
            page[items].as_array().unwrap().clone()
        };
        let (mut groups, mut members) = (BTreeMap::new(), BTreeMap::new());
        for group in get("?limit=1000".into(), "groups").await {
            let id = group["id"].as_str().unwrap().to_owned();
            for member in get(format!("/{id}/members?limit=10000"), "members").await {
                let via = if member["via"].is_array() { member["via"].clone() } else { json!([]) };
                let known = json!({ "membership_type": member["membership_type"], "via": via });
                members.insert((id.clone(), member["id"].as_str().unwrap().to_owned()), known);
            }
            let fields = ["name", "description", "group_type", "is_privileged"];
            let fields = fields.map(|field| (field.to_owned(), group[field].clone()));
            groups.insert(id, Value::Object(fields.into_iter().collect()));
        }
        let there = |(_, after): &&(u64, Value)| !after.is_null();
        let known = self.groups.iter().filter(|(_, group)| there(group));
        assert_eq!(known.map(|(id, (_, after))| (id.clone(), after.clone())).collect::<BTreeMap<_, _>>(), groups);
        let known = self.members.iter().filter(|(_, member)| there(member)).map(|(place, (_, after))| {
            let mut after = after.clone();
            // What the API does not show of direct members.
            if after["membership_type"] == "direct" {
                after["via"] = json!([]);
            }
            (place.clone(), after)
        });
        assert_eq!(known.collect::<BTreeMap<_, _>>(), members);
    }
}
