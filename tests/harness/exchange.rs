//! Builds incoming events, delivers them to the function on the queue, and reads the published ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use groups_local::functions::{APPLY_EVENTS, EXPIRE_MEMBERS};
use lambda_http::Context;
use serde_json::{Value, json};
use shared::app::{App, ApplyEventsDeps, ExpireMembersDeps, PublishEventsDeps, REQUEST_TIME_BUDGET};
use shared::aws::Connection;
use shared::bus::{DeadLetters, EventBus};
use shared::domain::clock::SystemClock;
use shared::domain::{Clock, ExpiryNotice};

use super::clock::TestClock;
use super::log::canary_in;
use super::{Answer, Api, config, schemas, token};

/// Three moments, earliest first, and every order in which their events can arrive.
pub const T1: &str = "2024-01-15T10:30:00Z";
pub const T2: &str = "2024-01-15T10:30:00.000001Z";
pub const T3: &str = "2024-01-16T00:00:00+02:00";
pub const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// How long a request for membership is retried while its account is unknown. The same as in the template.
pub const MEMBERSHIP_REQUEST_BUDGET: Duration = Duration::from_secs(3_600);

/// An event source that may change members of privileged groups.
pub const PRIVILEGED_SOURCE: &str = "com.example.privileged";

impl Api {
    /// The URL at which the local bus serves the SDK.
    pub fn bus_endpoint(&self) -> String {
        format!("{}/_local/aws", self.base)
    }

    /// Returns the dependencies of `apply-events`.
    pub fn apply_events_deps(&self) -> ApplyEventsDeps {
        let connection = Connection::to(&self.bus_endpoint());
        let dead_letters = DeadLetters::connected(&connection, "https://sqs.local/dead-letters", REQUEST_TIME_BUDGET);
        let privileged_sources = [PRIVILEGED_SOURCE.to_owned()].into();
        let request_time_budget = MEMBERSHIP_REQUEST_BUDGET;
        ApplyEventsDeps { app: self.app.clone(), dead_letters, request_time_budget, privileged_sources }
    }

    /// Returns the dependencies of `expire-members`.
    pub fn expire_members_deps(&self) -> ExpireMembersDeps {
        ExpireMembersDeps { app: self.app.clone(), notice: ExpiryNotice::parse("7").unwrap() }
    }

    /// Starts, announces and ends the memberships whose time has come.
    pub async fn expire_members(&self) -> Value {
        EXPIRE_MEMBERS.answer(&self.expire_members_deps(), &Context::default()).await.unwrap()
    }

    /// The same by another clock than that of the API.
    pub async fn expire_members_by(&self, clock: &TestClock) -> Value {
        let app = App::new(config(&self.table), self.app.store.clone(), Arc::new(clock.clone()));
        let deps = ExpireMembersDeps { app, ..self.expire_members_deps() };
        EXPIRE_MEMBERS.answer(&deps, &Context::default()).await.unwrap()
    }

    /// Returns the dependencies of `publish-events`, with the bus at this URL.
    pub fn publish_events_deps(&self, endpoint: &str) -> PublishEventsDeps {
        let connection = Connection::to(endpoint);
        let dead_letters = DeadLetters::connected(&connection, "https://sqs.local/dead-letters", REQUEST_TIME_BUDGET);
        let bus = EventBus::connected(&connection, "default", REQUEST_TIME_BUDGET);
        PublishEventsDeps { app: self.app.clone(), bus, dead_letters }
    }

    /// Delivers events to `apply-events` as one batch. Returns the indices of those to retry.
    pub async fn hand(&self, events: &[Value]) -> Vec<usize> {
        hand(&self.apply_events_deps(), events, millis()).await
    }

    /// Returns the membership type of the account in the group, or `None` if it is no member.
    pub async fn membership(&self, group: &str, account: &str) -> Option<String> {
        let answer = self.get(&format!("/{group}/members/{account}")).await;
        (answer.status == 200).then(|| answer.body["membership_type"].as_str().unwrap().to_owned())
    }

    /// Returns the reasons of all dead letters, oldest first. Asserts that none leaks a canary.
    pub fn dead_letter_reasons(&self) -> Vec<String> {
        let letters = self.bus.dead_letters().unwrap().into_iter();
        let reasons: Vec<String> = letters.map(|letter| letter.reason.unwrap_or_default()).collect();
        assert_eq!(reasons.iter().find_map(|reason| canary_in(reason)), None, "{reasons:?}");
        reasons
    }

    /// Returns every published event in order.
    pub fn published(&self) -> Vec<Value> {
        let events = self.bus.published_after(0, usize::MAX >> 1).unwrap();
        events.into_iter().map(|(_, event)| serde_json::from_str(&event).unwrap()).collect()
    }
}

/// The current time in Unix milliseconds, as SQS writes it.
pub fn millis() -> u64 {
    SystemClock.unix_millis()
}

/// Delivers messages to `apply-events` as one batch, as if sent to the queue at `sent_at` (Unix milliseconds). Returns the
/// indices of those to retry.
pub async fn hand(deps: &ApplyEventsDeps, events: &[Value], sent_at: u64) -> Vec<usize> {
    let record = |(index, event): (usize, &Value)| {
        let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        json!({
            "messageId": index.to_string(), "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "2", "SentTimestamp": sent_at.to_string() },
        })
    };
    let records: Vec<Value> = events.iter().enumerate().map(record).collect();
    let answer = APPLY_EVENTS.answer(deps, json!({ "Records": records }), &Context::default()).await.unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
}

/// Builds an event of the account system.
pub fn account_event(kind: &str, id: &str, name: &str, updated_at: &str) -> Value {
    let detail = json!({
        "id": id, "name": name, "email": format!("{name}@company.com"), "status": "active", "updated_at": updated_at,
    });
    enveloped(&format!("Account {kind}"), "accounts", &unique_id(), updated_at, detail)
}

/// Builds a request for membership, made at this time.
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

/// Another system, which knows groups and members only from the published events.
#[derive(Default)]
pub struct Listener {
    /// The newest revision of each group and its state, null once deleted.
    groups: BTreeMap<String, (u64, Value)>,
    /// The same for each membership, by group and account.
    members: BTreeMap<(String, String), (u64, Value)>,
    /// The detail of each event by its id.
    received: HashMap<String, Value>,
}

impl Listener {
    /// Receives an event. Events may arrive twice and in any order.
    pub fn hear(&mut self, event: &Value) {
        schemas::assert_valid(event);
        let (kind, detail) = (event["detail-type"].as_str().unwrap(), &event["detail"]);
        let text = |name: &str| detail[name].as_str().unwrap().to_owned();
        let first = self.received.entry(text("id")).or_insert_with(|| event["detail"].clone());
        assert_eq!(first, detail, "two events with one id are the same");
        // An announcement changes nothing.
        if kind == "Group Member Expiring" {
            return;
        }
        let (revision, after) = (detail["revision"].as_u64().unwrap(), detail["after"].clone());
        assert_eq!(kind.ends_with("Deleted") || kind.ends_with("Removed"), after.is_null());
        assert_eq!(kind.ends_with("Created"), kind.starts_with("Group C") && detail.get("before").is_none());
        let update = |known: &mut (u64, Value)| {
            if known.0 < revision {
                *known = (revision, after.clone());
            }
        };
        if kind.starts_with("Group Member") {
            update(self.members.entry((text("group_id"), text("account_id"))).or_default());
        } else {
            update(self.groups.entry(text("group_id")).or_default());
        }
    }

    /// Asserts that the listener knows exactly the groups and members that the API shows.
    pub async fn assert_knows(&self, api: &Api) {
        self.assert_knows_all_of(&api.base, &token("listener", &["Administrator"])).await;
    }

    /// Asserts the same as [`Self::assert_knows`] for the API at this URL.
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
            let fields = ["name", "description", "group_type", "is_privileged", "external_id", "email"];
            let fields = fields.map(|field| (field.to_owned(), group[field].clone()));
            // A field without a value is absent in events.
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            groups.insert(id, Value::Object(fields.collect()));
        }
        let exists = |(_, after): &&(u64, Value)| !after.is_null();
        let known_groups = self.groups.iter().filter(|(_, group)| exists(group));
        let known_groups = known_groups.map(|(id, (_, after))| (id.clone(), after.clone()));
        assert_eq!(known_groups.collect::<BTreeMap<_, _>>(), groups);
        let known_members = self.members.iter().filter(|(_, member)| exists(member)).map(|(key, (_, after))| {
            let mut after = after.clone();
            // The API shows no `via` of direct members.
            if after["membership_type"] == "direct" {
                after["via"] = json!([]);
            }
            (key.clone(), after)
        });
        assert_eq!(known_members.collect::<BTreeMap<_, _>>(), members);
    }
}
