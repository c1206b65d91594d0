//! What every test starts from: the whole API over a fresh table, and short words for calling it.

mod answer;
pub mod contract;
pub mod exchange;
pub mod faults;
pub mod log;
pub mod meter;
pub mod pump;
pub mod recorder;
pub mod schemas;
pub mod tokens;
pub mod workspace;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use groups_local::bus::Bus;
use groups_local::gateway::Gateway;
use groups_local::jwt::Verifier;
use groups_local::local_endpoints::LocalEndpoints;
use groups_local::table;
use groups_local::template::Template;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::app::{App, REQUEST_TIME_BUDGET};
use shared::authz::{Administer, Caller, Granted, Ingest, Read, Role};
use shared::config::Config;
use shared::domain::clock::SystemClock;
use shared::domain::{Account, AccountId, AccountVersion, Change, Clock, GroupId, Moment, Timestamp};
use shared::propagation::Propagation;
use shared::store::{Store, client_for};
use tokio::net::TcpListener;

pub use answer::Answer;
use faults::Faults;
use log::Watch;
use meter::Meter;
use recorder::Recorder;
pub use tokens::{key, token};

/// The template of the workspace, read once.
pub fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| Template::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap())
}

/// The configuration that the template gives, but for the table.
pub fn config(table: &str) -> Config {
    let environment = &template().environment;
    let variable = |name: &str| match name {
        "TABLE_NAME" => Some(table.to_owned()),
        name => environment.get(name).cloned(),
    };
    let config = Config::from_variables(variable).unwrap();
    // Whether what follows from a write is done in time is not to depend on how busy the machine is.
    Config { settle_budget: Duration::from_secs(60), ..config }
}

/// What stands between the API and its table.
enum Between<'a> {
    Nothing,
    Faults(&'a Faults),
    Meter(&'a Meter),
}

/// The whole API over a fresh table.
pub struct Api {
    pub base: String,
    pub store: Store,
    pub app: App,
    pub recorder: Recorder,
    /// What comes in and goes out.
    pub bus: Bus,
    /// Where the table is, and its name.
    pub endpoint: String,
    pub table: String,
    administrator: String,
    reader: String,
    client: reqwest::Client,
    _watch: Watch,
}

impl Api {
    pub async fn start() -> Self {
        Self::start_as(template(), |_| {}, Between::Nothing).await
    }

    /// With another configuration than the template's.
    pub async fn start_configured(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(template(), configure, Between::Nothing).await
    }

    /// With faults between the API and its table.
    pub async fn start_faulty(faults: &Faults) -> Self {
        Self::start_as(template(), |_| {}, Between::Faults(faults)).await
    }

    /// With a meter between the API and its table, where transactions conflict.
    pub async fn start_metered(meter: &Meter) -> Self {
        let template = Template { timeout_seconds: 600, ..template().clone() };
        Self::start_as(&template, |config| config.settle_budget = Duration::from_secs(600), Between::Meter(meter)).await
    }

    /// With a minute for each call instead of the template's ten seconds: for what must come out right on a table that
    /// does one thing at a time, however long that takes.
    pub async fn start_patient() -> Self {
        let template = Template { timeout_seconds: 60, ..template().clone() };
        Self::start_as(&template, |_| {}, Between::Nothing).await
    }

    /// With a stream of the table, and with faults between the API and it.
    pub async fn start_streaming(configure: impl FnOnce(&mut Config), faults: &Faults) -> Self {
        Self::start_over(&template().table, template(), configure, Between::Faults(faults)).await
    }

    async fn start_as(template: &Template, configure: impl FnOnce(&mut Config), between: Between<'_>) -> Self {
        Self::start_over(&table_without_stream(), template, configure, between).await
    }

    async fn start_over(
        properties: &Value,
        template: &Template,
        configure: impl FnOnce(&mut Config),
        between: Between<'_>,
    ) -> Self {
        let mut template = template.clone();
        // A slow table is no reason to give up, unless giving up is what it is about.
        if !is_embedded() && matches!(between, Between::Nothing) {
            template.timeout_seconds = template.timeout_seconds.max(60);
        }
        let watch = Watch::start();
        let endpoint = table_endpoint().await;
        let table = format!("groups-{:016x}", unique());
        let plain = client_for(&endpoint, |builder| builder);
        assert!(table::create(&plain, &table, properties).await.unwrap());
        let through = match between {
            Between::Faults(faults) => faults.stand_before(&endpoint).await,
            Between::Meter(meter) => meter.stand_before(&endpoint).await,
            Between::Nothing => endpoint.clone(),
        };
        let recorder = Recorder::default();
        let client = client_for(&through, |builder| builder.interceptor(recorder.clone()));
        let mut config = config(&table);
        configure(&mut config);
        let app = App::new(config, Store::new(client, &table, REQUEST_TIME_BUDGET), Arc::new(SystemClock));
        let verifier = Verifier::new([key()], &template.authorizer).unwrap();
        let bus = Bus::open(None).unwrap();
        let local = LocalEndpoints { store: app.store.clone(), bus: bus.clone(), progress: Vec::new() };
        let gateway = Gateway::new(&template, verifier, app.clone(), local).unwrap();
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
            administrator: token("alice", &["Administrator"]),
            reader: token("bob", &[]),
            client: reqwest::Client::new(),
            _watch: watch,
        }
    }

    /// A request with a token, to a path after the base of the groups.
    pub fn request_as(&self, token: Option<&str>, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1/groups{path}", self.base));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request of an administrator.
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

    /// A new group; its id.
    pub async fn group(&self, name: &str) -> String {
        let answer = self.post("", json!({ "name": name })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Groups with these names, each nested in the one before it; their ids.
    pub async fn chain(&self, names: &[&str]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for name in names {
            let id = self.group(name).await;
            if let Some(above) = ids.last() {
                self.nest(above, &id).await;
            }
            ids.push(id);
        }
        ids
    }

    /// Nests one group in another.
    pub async fn nest(&self, parent: &str, child: &str) {
        self.put(&format!("/{parent}/groups/{child}"), Value::Null).await.ok();
    }

    /// The ids of a group's members, each with how it is one.
    pub async fn member_types(&self, group: &str) -> Vec<(String, String)> {
        let body = self.get(&format!("/{group}/members")).await.ok();
        let members = body["members"].as_array().unwrap();
        assert_eq!(body["count"], json!(members.len()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        members.iter().map(|member| (text(&member["id"]), text(&member["membership_type"]))).collect()
    }

    /// Accounts that the system knows from now on, named after their ids.
    pub async fn accounts(&self, ids: &[&str]) {
        for id in ids {
            self.store.put_account(&ingest(), &account(id)).await.unwrap();
        }
    }

    /// Accounts with these numbers, known from now on.
    pub async fn numbered_accounts(&self, numbers: Range<usize>) {
        for number in numbers {
            self.accounts(&[&numbered(number)]).await;
        }
    }

    /// Accounts with these numbers, and direct members of the group, with all that follows.
    pub async fn members(&self, group: &str, numbers: Range<usize>) {
        self.numbered_accounts(numbers.clone()).await;
        let ids: Vec<AccountId> = numbers.map(|number| AccountId::parse(&numbered(number)).unwrap()).collect();
        let group = GroupId::parse(group).unwrap();
        for some in ids.chunks(500) {
            let changes: Vec<Change> = some.iter().cloned().map(Change::Add).collect();
            self.store.change_members(&administer(), &group, &changes, now()).await.unwrap();
            let granted = Granted::propagation();
            let propagation = Propagation { store: &self.store, granted: &granted, now: now() };
            propagation.climb(&group, some).await.unwrap();
        }
    }

    /// All pages of a list, item by item.
    pub async fn walk(&self, path: &str, items: &str) -> Vec<Value> {
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

/// The template's table, but for the stream: both emulators slow down with every record they keep of it, Amazon's across
/// all tables at once. Tests of `cargo local` have it.
pub fn table_without_stream() -> Value {
    let mut properties = template().table.clone();
    properties.as_object_mut().unwrap().remove("StreamSpecification");
    properties
}

/// Whether the table is the embedded one, which takes transactions by the thousand.
#[expect(clippy::disallowed_methods, reason = "which table to test is the developer's to say")]
pub fn is_embedded() -> bool {
    std::env::var_os("DYNAMODB_ENDPOINT").is_none()
}

/// The embedded table, or whatever `DYNAMODB_ENDPOINT` names.
#[expect(clippy::disallowed_methods, reason = "which table to test on is the machine's to say")]
async fn table_endpoint() -> String {
    match std::env::var("DYNAMODB_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => endpoint,
        _ => table::start_embedded(None).await.unwrap(),
    }
}

/// A number of the developer's: to test for longer, with more, or one history again.
#[expect(clippy::disallowed_methods, reason = "how much to test is the developer's to say")]
pub fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// `acc-00007` and so on: in the order of the numbers.
pub fn numbered(number: usize) -> String {
    format!("acc-{number:05}")
}

/// A name as long as can be in which nothing repeats for long: a search has as much of it as of any.
pub fn longest_name() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| random.char('a'..='m')).take(256).collect()
}

/// Every byte of the text as it may stand in a path or a query.
pub fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An account named after its id, as of the contract's example.
pub fn account(id: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        name: format!("name.of.{id}"),
        email: format!("{id}@company.com"),
        status: "active".into(),
        version: version(1),
    }
}

/// What was told of an account so many nanoseconds after 1970.
pub const fn version(number: i64) -> AccountVersion {
    AccountVersion::at(Moment::from_unix_nanos(number))
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

pub fn ingest() -> Granted<Ingest> {
    Granted::event_source("tests")
}

pub fn administer() -> Granted<Administer> {
    let caller = Caller::new("tests", vec![Role::parse("Administrator").unwrap()]).unwrap();
    config("any").policy.authorize(&caller).unwrap()
}

pub fn read() -> Granted<Read> {
    config("any").policy.authorize(&Caller::new("tests", Vec::new()).unwrap()).unwrap()
}

/// An id that a group could have, and none has.
pub const NO_GROUP: &str = "grp-018d0cab-c440-7000-8000-00000000ffff";
/// Texts that no group can have as an id.
pub const IMPOSSIBLE_GROUPS: [&str; 6] = [
    "grp-123",
    "x",
    "018d0cab-c440-7000-8000-000000000001",
    "GRP-018d0cab-c440-7000-8000-000000000001",
    "grp-018D0CAB-C440-7000-8000-000000000001",
    "grp-018d0cab-c440-4000-8000-000000000001",
];
