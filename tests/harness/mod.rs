//! Starts the whole API over a fresh table and offers short calls to it. Every test begins here.

mod answer;
pub mod clock;
pub mod contention;
pub mod contract;
pub mod exchange;
pub mod faults;
pub mod log;
pub mod meter;
pub mod proxy;
pub mod pump;
pub mod recorder;
pub mod schemas;
pub mod tokens;
pub mod workspace;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use groups_local::activity::Activity;
use groups_local::authorizers::{Authorizers, accept_token};
use groups_local::bus::Bus;
use groups_local::gateway::Gateway;
use groups_local::jwt::Verifier;
use groups_local::local_endpoints::LocalEndpoints;
use groups_local::table;
use groups_local::template::Template;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::app::{App, REQUEST_TIME_BUDGET};
use shared::authz::{Administer, Caller, Granted, ManageMembers, Read, Role};
use shared::config::Config;
use shared::domain::clock::SystemClock;
use shared::domain::{
    Account, AccountId, AccountVersion, Actor, Clock, GroupId, MemberChange, Moment, Precondition, Timestamp,
};
use shared::propagation::Propagation;
use shared::store::{Store, client_for};
use tokio::net::TcpListener;

pub use answer::Answer;
use clock::TestClock;
use contention::Contention;
use faults::Faults;
use log::LogCapture;
use meter::Meter;
use recorder::Recorder;
pub use tokens::{key, token};

/// Returns the template of the workspace, read once.
pub fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| Template::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap())
}

/// Returns the configuration of the template with this table.
fn template_config(table: &str) -> Config {
    let environment = &template().environment;
    let variable = |name: &str| match name {
        "TABLE_NAME" => Some(table.to_owned()),
        name => environment.get(name).cloned(),
    };
    Config::from_variables(variable).unwrap()
}

/// Returns the configuration of the template with this table, but writes settle in time even on a busy machine.
pub fn config(table: &str) -> Config {
    Config { settle_budget: Duration::from_secs(60), ..template_config(table) }
}

/// The proxy between the API and its table.
enum Between<'a> {
    Nothing,
    Faults(&'a Faults),
    Meter(&'a Meter),
    Contention(&'a Contention),
}

/// The long-lived token that the API accepts on routes for identity providers.
pub const LONG_LIVED_TOKEN: &str = "canary-of-a-long-lived-token";

/// The whole API over a fresh table.
pub struct Api {
    /// The URL of the API.
    pub base: String,
    /// A store of the test's own: its requests pass neither `recorder` nor a proxy.
    pub store: Store,
    pub app: App,
    /// Records the requests of `app` to the table.
    pub recorder: Recorder,
    /// Incoming and published events.
    pub bus: Bus,
    /// The URL of the table, without a proxy.
    pub endpoint: String,
    /// The name of the table.
    pub table: String,
    /// The log of this test.
    pub log: LogCapture,
    administrator: String,
    reader: String,
    client: reqwest::Client,
}

impl Api {
    pub async fn start() -> Self {
        Self::start_as(template(), |_| {}, Between::Nothing).await
    }

    /// Starts with another configuration than the template's.
    pub async fn start_configured(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(template(), configure, Between::Nothing).await
    }

    /// Starts with faults between the API and its table.
    pub async fn start_faulty(faults: &Faults) -> Self {
        Self::start_as(template(), |_| {}, Between::Faults(faults)).await
    }

    /// Starts with a meter between the API and its table, where transactions conflict.
    pub async fn start_metered(meter: &Meter) -> Self {
        let template = Template { timeout_seconds: 600, ..template().clone() };
        Self::start_as(&template, |config| config.settle_budget = Duration::from_secs(600), Between::Meter(meter)).await
    }

    /// Starts with a minute for each call instead of the template's ten seconds. For tests that put so much load on an
    /// emulator, which serves one request at a time, that calls take long.
    pub async fn start_with_long_timeout() -> Self {
        let template = Template { timeout_seconds: 60, ..template().clone() };
        Self::start_as(&template, |_| {}, Between::Nothing).await
    }

    /// Starts with a stream of the table, and with faults between the API and its table.
    pub async fn start_streaming(configure: impl FnOnce(&mut Config), faults: &Faults) -> Self {
        let clock = Arc::new(SystemClock);
        Self::start_over(&template().table, template(), configure, Between::Faults(faults), clock).await
    }

    /// Starts with a stream of the table, with a clock that the test moves, and with faults where there are any.
    pub async fn start_clocked(
        configure: impl FnOnce(&mut Config),
        clock: &TestClock,
        faults: Option<&Faults>,
    ) -> Self {
        let clock = Arc::new(clock.clone());
        let between = faults.map_or(Between::Nothing, Between::Faults);
        Self::start_over(&template().table, template(), configure, between, clock).await
    }

    /// Starts with a stream of the table, with the model of a table under load in front of it, and with the template's own
    /// time budgets.
    pub async fn start_contended(contention: &Contention) -> Self {
        Self::start_contended_as(template(), contention).await
    }

    /// Starts with the model of a table under load, and with the time budgets of this template.
    pub async fn start_contended_as(template: &Template, contention: &Contention) -> Self {
        let configure = |config: &mut Config| config.settle_budget = template_config("any").settle_budget;
        let clock = Arc::new(SystemClock);
        Self::start_over(&template.table, template, configure, Between::Contention(contention), clock).await
    }

    async fn start_as(template: &Template, configure: impl FnOnce(&mut Config), between: Between<'_>) -> Self {
        // Both emulators slow down with every record of a stream, Amazon's across all tables at once.
        let (table, clock) = (table::without_stream(&template.table), Arc::new(SystemClock));
        Self::start_over(&table, template, configure, between, clock).await
    }

    async fn start_over(
        properties: &Value,
        template: &Template,
        configure: impl FnOnce(&mut Config),
        between: Between<'_>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut template = template.clone();
        // A table outside this process may be slow. Only tests of faults need the template's time budget.
        if !is_embedded() && matches!(between, Between::Nothing) {
            template.timeout_seconds = template.timeout_seconds.max(60);
        }
        let log = LogCapture::start();
        let endpoint = table_endpoint().await;
        let table = format!("groups-{:016x}", unique());
        let plain = client_for(&endpoint, |builder| builder);
        assert!(table::create(&plain, &table, properties).await.unwrap());
        let through = match between {
            Between::Faults(faults) => faults.start_proxy(&endpoint).await,
            Between::Meter(meter) => meter.start_proxy(&endpoint).await,
            Between::Contention(contention) => contention.start_proxy(&endpoint).await,
            Between::Nothing => endpoint.clone(),
        };
        let recorder = Recorder::default();
        let client = client_for(&through, |builder| builder.interceptor(recorder.clone()));
        let mut config = config(&table);
        configure(&mut config);
        let app = App::new(config, Store::new(client, &table, REQUEST_TIME_BUDGET), clock);
        let jwt = Verifier::new([key()], &template.authorizer).unwrap();
        let variable = |name: &str| template.environment.get(name).cloned();
        let authorizers = Authorizers { jwt, token: accept_token(LONG_LIVED_TOKEN, variable).unwrap() };
        let bus = Bus::open(None).unwrap();
        let (store, activity) = (app.store.clone(), Activity::default());
        let local = LocalEndpoints { store, bus: bus.clone(), progress: Vec::new(), activity, table: endpoint.clone() };
        let gateway = Gateway::new(&template, authorizers, app.clone(), local).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(gateway.serve(listener, std::future::pending()));
        Self {
            base,
            store: Store::new(plain, &table, Duration::from_secs(60)),
            app,
            recorder,
            bus,
            endpoint,
            table,
            log,
            administrator: token("alice", &["Administrator"]),
            reader: token("bob", &[]),
            client: reqwest::Client::new(),
        }
    }

    /// Builds a request with this token. The path is relative to `/api/v1/groups`, unless it begins with `/api/` or `/scim/`.
    pub fn request_as(&self, token: Option<&str>, method: Method, path: &str) -> RequestBuilder {
        let is_whole = path.starts_with("/api/") || path.starts_with("/scim/");
        let of_groups = if is_whole { "" } else { "/api/v1/groups" };
        let request = self.client.request(method, format!("{}{of_groups}{path}", self.base));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Builds a request of an administrator.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(Some(&self.administrator), method, path)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request_as(Some(&self.reader), Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::PUT, path);
        Answer::to(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    /// Creates a group. Returns its id.
    pub async fn group(&self, name: &str) -> String {
        let answer = self.post("", json!({ "name": name })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Creates groups with these names and nests each in the one before it. Returns their ids.
    pub async fn chain(&self, names: &[&str]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for name in names {
            let id = self.group(name).await;
            if let Some(parent) = ids.last() {
                self.nest(parent, &id).await;
            }
            ids.push(id);
        }
        ids
    }

    /// Nests one group in another.
    pub async fn nest(&self, parent: &str, child: &str) {
        self.put(&format!("/{parent}/groups/{child}"), Value::Null).await.ok();
    }

    /// Returns the ids of a group's members, each with its membership type.
    pub async fn member_types(&self, group: &str) -> Vec<(String, String)> {
        let body = self.get(&format!("/{group}/members")).await.ok();
        let members = body["members"].as_array().unwrap();
        assert_eq!(body["count"], json!(members.len()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        members.iter().map(|member| (text(&member["id"]), text(&member["membership_type"]))).collect()
    }

    /// Stores accounts named after their ids.
    pub async fn accounts(&self, ids: &[&str]) {
        for id in ids {
            self.store.put_account(&event_source(), &account(id)).await.unwrap();
        }
    }

    /// Stores accounts with these numbers.
    pub async fn numbered_accounts(&self, numbers: Range<usize>) {
        for number in numbers {
            self.accounts(&[&numbered(number)]).await;
        }
    }

    /// Stores accounts with these numbers, adds them to the group, and propagates them to its ancestors.
    pub async fn members(&self, group: &str, numbers: Range<usize>) {
        self.numbered_accounts(numbers.clone()).await;
        let ids: Vec<AccountId> = numbers.map(|number| AccountId::parse(&numbered(number)).unwrap()).collect();
        let group = GroupId::parse(group).unwrap();
        for some in ids.chunks(500) {
            let changes: Vec<MemberChange> = some.iter().cloned().map(MemberChange::add).collect();
            self.store
                .change_members(&manage(), &group, &changes, &Precondition::NONE, now())
                .await
                .unwrap()
                .leave_to_stream();
            let propagation = Propagation { store: &self.store, actor: None, now: now() };
            propagation.propagate_members(&group, some).await.unwrap();
        }
    }

    /// Returns the items of all pages of a list.
    pub async fn all_items(&self, path: &str, items: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("{path}{after}")).await.ok();
            let of_page = page[items].as_array().unwrap();
            found.extend(of_page.iter().cloned());
            let info = &page["pageInfo"];
            if info["hasNextPage"] == json!(false) {
                assert_eq!(info["endCursor"], Value::Null);
                return found;
            }
            assert!(!of_page.is_empty(), "an empty page is never followed by another");
            after = format!("{separator}after={}", info["endCursor"].as_str().unwrap());
        }
    }
}

/// Whether the table is the embedded one, which is fast enough for thousands of transactions.
#[expect(clippy::disallowed_methods, reason = "which table to test is the developer's to say")]
pub fn is_embedded() -> bool {
    std::env::var_os("DYNAMODB_ENDPOINT").is_none()
}

/// Starts the embedded table, unless `DYNAMODB_ENDPOINT` names another one. Returns its URL.
#[expect(clippy::disallowed_methods, reason = "which table to test on is the machine's to say")]
async fn table_endpoint() -> String {
    match std::env::var("DYNAMODB_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => endpoint,
        _ => table::start_embedded(None).await.unwrap(),
    }
}

/// Reads a number from the environment, which makes a test longer or larger, or repeats one history.
#[expect(clippy::disallowed_methods, reason = "how much to test is the developer's to say")]
pub fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// Returns the id `acc-00007` for 7. Ids sort in the order of their numbers.
pub fn numbered(number: usize) -> String {
    format!("acc-{number:05}")
}

/// Returns a name of the maximum length without long repetitions. No other name needs more rows for the search.
pub fn longest_name() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| random.char('a'..='m')).take(256).collect()
}

/// Percent-encodes every byte of the text, for a path or a query.
pub fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Returns an account named after its id, like the contract's example.
pub fn account(id: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        name: format!("name.of.{id}"),
        email: format!("{id}@company.com"),
        status: "active".into(),
        version: version(1),
    }
}

/// Returns the version of an account described this many nanoseconds after 1970.
pub const fn version(number: i64) -> AccountVersion {
    AccountVersion::at(Moment::from_unix_nanos(number))
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The source of the events that tests apply.
pub fn event_source() -> Actor {
    Actor::new("tests")
}

pub fn administer() -> Granted<Administer> {
    let caller = Caller::new("tests", vec![Role::parse("Administrator").unwrap()]).unwrap();
    config("any").policy.authorize(&caller).unwrap()
}

pub fn manage() -> Granted<ManageMembers> {
    administer().to_manage_members()
}

pub fn read() -> Granted<Read> {
    config("any").policy.authorize(&Caller::new("tests", Vec::new()).unwrap()).unwrap()
}

/// A valid id of a group that does not exist.
pub const NO_GROUP: &str = "grp-018d0cab-c440-7000-8000-00000000ffff";
/// Texts that are no valid id of a group.
pub const IMPOSSIBLE_GROUPS: [&str; 4] =
    ["grp-123", "x", "018d0cab-c440-7000-8000-000000000001", "grp-018d0cab-c440-4000-8000-000000000001"];
