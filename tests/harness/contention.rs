//! A proxy between the SDK and the table that adds the effects of load on DynamoDB. An emulator answers at once, never lets
//! two transactions conflict, and never throttles.
//!
//! The assumptions:
//!
//! - *Latency* is log-normal around a median: GetItem and Query 4 ms, BatchGetItem and BatchWriteItem 6, single writes 6, TransactGetItems 10,
//!   TransactWriteItems 16 and 0.1 for each item. Transactions take two to four times as long as plain requests (Idziorek et
//!   al., "Distributed Transactions at Scale in Amazon DynamoDB", USENIX ATC 2023). The medians are of one region and are an
//!   assumption, as is the shape: sigma is 0.35, so the 99th percentile is 2.3 times the median. The emulator's own time is a
//!   part of it: a request is passed on earlier by what the emulator took lately for its kind.
//! - *Refusals* take the median of a single write, 6 ms: a conflict shows in the prepare phase, after one trip to the storage
//!   nodes (Idziorek et al.).
//! - *Conflicts*: each item of a TransactWriteItems, also of a `ConditionCheck`, is in flight from its arrival until it is
//!   applied. Another TransactWriteItems or TransactGetItems is cancelled with `TransactionConflict` for exactly these items;
//!   a single write fails with `TransactionConflictException`; other reads pass and see the old item (DynamoDB Developer
//!   Guide, "Transaction conflict handling in DynamoDB"). TransactGetItems reads twice (Idziorek et al.), so it
//!   also conflicts with a transaction that begins meanwhile; so does a single write, which is applied at the end of its
//!   latency. Conflicts of TransactGetItems with single writes are left out.
//! - *Partitions*: each partition key has 1,000 write units and 3,000 read units a second (DynamoDB Developer Guide, "Best
//!   practices for designing and using partition keys effectively"): a bucket that is refilled all the time. It holds five
//!   seconds of units. DynamoDB keeps up to five minutes, but does not promise them ("Burst capacity"). The least that a
//!   request can cost is taken at its arrival. The rest follows with its answer and may leave a debt.
//! - *Throttling*: a request on an empty bucket fails with `ProvisionedThroughputExceededException`. A transaction is
//!   cancelled with `ProvisionedThroughputExceeded` for the items of this partition. A BatchGetItem or BatchWriteItem fails as a
//!   whole; DynamoDB would take the items of other partitions.
//! - *Units* are those that the emulator reports, in equal parts for the items of a request. A failed condition costs the
//!   least possible: one unit, two in a transaction. A conflict costs nothing.

mod call;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::meter::Units;
use super::proxy::{self, Upstream};
use call::{Axis, Call, Kind, Partition, Touch};

/// Of the logarithm of a latency.
const SIGMA: f64 = 0.35;

/// The median latency of a refusal.
const REFUSAL: Duration = Duration::from_millis(6);

/// The burst that an unused partition saves, in seconds.
const BURST: f64 = 5.0;

/// The status and the body of an answer.
pub type Reply = (StatusCode, Bytes);

/// The model of a table under load.
#[derive(Debug, Clone)]
pub struct Contention(Arc<Mutex<Model>>);

/// The events since the last [`Contention::take`].
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Requests by operation, refused ones included.
    pub requests: BTreeMap<String, usize>,
    /// Requests that met a transaction.
    pub conflicts: usize,
    /// Requests that met an empty bucket.
    pub throttles: usize,
    /// Units by partition key.
    pub units: BTreeMap<String, Units>,
}

#[derive(Debug)]
struct Model {
    random: fastrand::Rng,
    /// Items of transactions that are not applied yet.
    in_flight: HashSet<String>,
    buckets: HashMap<(Axis, Partition), Bucket>,
    /// The emulator's recent time for each kind of request.
    emulator: HashMap<Kind, Duration>,
    counts: Counts,
}

/// The units that a partition has left.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    /// Returns a full bucket with this many units a second.
    pub fn full(rate: f64, now: Instant) -> Self {
        Self { rate, left: rate * BURST, filled: now }
    }

    /// Whether it has these units now.
    pub fn has(&mut self, units: f64, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = self.rate.mul_add(elapsed, self.left).min(self.rate * BURST);
        self.filled = now;
        self.left >= units
    }

    /// Takes these units, also if it has fewer. Negative ones are returned.
    pub const fn take(&mut self, units: f64) {
        self.left -= units;
    }
}

impl Contention {
    /// Starts with no load. Latencies are drawn by the seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Model {
            random: fastrand::Rng::with_seed(seed),
            in_flight: HashSet::new(),
            buckets: HashMap::new(),
            emulator: HashMap::new(),
            counts: Counts::default(),
        })))
    }

    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.model().counts)
    }

    /// Takes write units from a partition, as if others had used them.
    pub fn spend_write_units(&self, partition: &str, units: f64) {
        self.model().spend((Axis::Write, partition.to_owned()), units);
    }

    /// Draws a latency around this median.
    pub fn draw(&self, median: Duration) -> Duration {
        self.model().draw(median)
    }

    /// Starts the proxy in front of the table at this URL. Returns the URL of the proxy.
    pub async fn start_proxy(&self, endpoint: &str) -> String {
        let proxy = Proxy { contention: self.clone(), upstream: Upstream::new(endpoint) };
        proxy::serve(Router::new().fallback(pass).with_state(proxy)).await
    }

    /// Passes a request to `apply` after its latency, unless it conflicts or its partitions have no units left.
    pub async fn pass<F>(&self, operation: &str, mut request: Value, apply: impl FnOnce(Value) -> F) -> Reply
    where
        F: Future<Output = Reply>,
    {
        let call = Call::read(operation, &request);
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        let (latency, admitted) = self.model().admit(operation, &call);
        sleep(latency).await;
        if let Err(refusal) = admitted {
            return refusal;
        }
        if let Some(refusal) = self.model().met_meanwhile(&call) {
            return refusal;
        }
        let passed_on = Instant::now();
        let reply = apply(request).await;
        self.model().learn(call.kind, passed_on.elapsed());
        self.model().finish(&call, &reply);
        reply
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }
}

impl Model {
    /// Draws the time until a request that arrives now is passed on, and takes the units that it costs at least. From now on, the items of
    /// a transaction are in flight.
    fn admit(&mut self, operation: &str, call: &Call) -> (Duration, Result<(), Reply>) {
        *self.counts.requests.entry(operation.to_owned()).or_default() += 1;
        if let Some(refusal) = self.throttle(call).or_else(|| self.conflict(call)) {
            return (self.draw(REFUSAL), Err(refusal));
        }
        for touch in &call.touches {
            self.spend((call.kind.axis(), touch.partition.clone()), call.least());
        }
        if call.kind == Kind::TransactWrite {
            self.in_flight.extend(call.items().map(str::to_owned));
        }
        let emulator = self.emulator.get(&call.kind).copied().unwrap_or_default();
        (self.draw(call.median()).saturating_sub(emulator), Ok(()))
    }

    /// Moves the time that the emulator takes a fifth of the way to the latest.
    fn learn(&mut self, kind: Kind, latest: Duration) {
        let lately = self.emulator.entry(kind).or_insert(latest);
        *lately = (*lately * 4 + latest) / 5;
    }

    /// Refuses a request whose items a transaction has touched during its latency.
    fn met_meanwhile(&mut self, call: &Call) -> Option<Reply> {
        if call.kind == Kind::TransactWrite { None } else { self.conflict(call) }
    }

    /// Counts the units of an answered request, and ends the flight of its items.
    fn finish(&mut self, call: &Call, (status, body): &Reply) {
        if call.kind == Kind::TransactWrite {
            for item in call.items() {
                self.in_flight.remove(item);
            }
        }
        if !status.is_success() {
            return;
        }
        let body: Value = serde_json::from_slice(body).unwrap();
        let units = call::consumed(&body["ConsumedCapacity"]) / call.touches.len() as f64;
        for touch in &call.touches {
            self.spend((call.kind.axis(), touch.partition.clone()), units - call.least());
        }
    }

    /// Returns the refusal of a request that meets a partition without enough units.
    fn throttle(&mut self, call: &Call) -> Option<Reply> {
        let (now, axis) = (Instant::now(), call.kind.axis());
        let mut needed: HashMap<&Partition, f64> = HashMap::new();
        for touch in &call.touches {
            *needed.entry(&touch.partition).or_default() += call.least();
        }
        needed.retain(|partition, units| !self.bucket(&(axis, (*partition).clone()), now).has(*units, now));
        if needed.is_empty() {
            return None;
        }
        self.counts.throttles += 1;
        let is_refused = |touch: &Touch| needed.contains_key(&touch.partition);
        let code = |touch| if is_refused(touch) { "ProvisionedThroughputExceeded" } else { "None" };
        let codes: Vec<&str> = call.touches.iter().map(code).collect();
        Some(call.refusal("ProvisionedThroughputExceededException", &codes))
    }

    /// Returns the refusal of a request that meets a transaction.
    fn conflict(&mut self, call: &Call) -> Option<Reply> {
        let meets = |item: &str| call.kind.conflicts() && self.in_flight.contains(item);
        if !call.items().any(meets) {
            return None;
        }
        let codes: Vec<&str> =
            call.items().map(|item| if meets(item) { "TransactionConflict" } else { "None" }).collect();
        self.counts.conflicts += 1;
        Some(call.refusal("TransactionConflictException", &codes))
    }

    fn spend(&mut self, key: (Axis, Partition), units: f64) {
        self.bucket(&key, Instant::now()).take(units);
        let counted = self.counts.units.entry(key.1).or_default();
        *(if key.0 == Axis::Write { &mut counted.write } else { &mut counted.read }) += units;
    }

    fn bucket(&mut self, key: &(Axis, Partition), now: Instant) -> &mut Bucket {
        self.buckets.entry(key.clone()).or_insert_with(|| Bucket::full(key.0.rate(), now))
    }

    fn draw(&mut self, median: Duration) -> Duration {
        // Box and Muller: two uniform numbers make a normal one.
        let radius = (-2.0 * (1.0 - self.random.f64()).ln()).sqrt();
        let normal = radius * (TAU * self.random.f64()).cos();
        median.mul_f64((SIGMA * normal).exp())
    }
}

#[derive(Clone)]
struct Proxy {
    contention: Contention,
    upstream: Upstream,
}

async fn pass(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    // A task of its own: DynamoDB completes a request even if its caller is gone.
    let passed = tokio::spawn(async move {
        let request = serde_json::from_slice(&body).unwrap();
        let send = |request: Value| proxy.upstream.send(&headers, request.to_string().into_bytes());
        proxy.contention.pass(proxy::operation(&headers), request, send).await
    });
    let (status, answer) = passed.await.unwrap();
    proxy::answer(status, answer)
}
