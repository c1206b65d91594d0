//! `cargo measure load`: loads on a table that conflicts and throttles as DynamoDB does (`harness::contention`), through the
//! gateway, while the table's stream is consumed. Times are printed only: this machine's own work adds to the model's
//! latency, so they mean something in a release build on an idle machine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use reqwest::Method;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::harness::contention::{Contention, Counts};
use crate::harness::exchange::{hand, millis, request_event};
use crate::harness::pump::{assert_sound, violations};
use crate::harness::{Api, numbered, template};
use crate::lanes::Consumers;

/// No load sends a request after this time, nor waits longer for its effects.
const LONGEST: Duration = Duration::from_secs(60);

const CALLERS: usize = 120;
const ADDITIONS: usize = 800;

/// Additions at each depth.
const AT_DEPTH: usize = 12;

const EVENTS: usize = 400;

/// Invocations of `apply-events` at once: the default of the template's `IncomingConcurrency`.
const INVOCATIONS: usize = 20;

const NESTED: usize = 400;

/// An addition of an account to a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Addition {
    group: String,
    account: String,
}

/// An answered request.
#[derive(Debug)]
struct Answered {
    status: u16,
    is_settled: bool,
    time: Duration,
}

/// A fresh table under the model, and the consumers of its stream.
struct Table {
    api: Api,
    contention: Contention,
    consumers: Consumers,
}

/// A measured load.
struct Measured {
    name: String,
    answers: Vec<Answered>,
    /// Changes that happened.
    changes: usize,
    /// From the first request to the last answer.
    sending: Duration,
    /// From the last answer until all groups show all changes; `None` if they did not in time.
    visible: Option<Duration>,
    load: Counts,
}

/// Prints the table of all loads in Markdown, a line as soon as it is measured.
pub async fn measure() {
    println!(
        "| load | a second | p50 ms | p99 ms | statuses | settled | all visible after the last answer | conflicts | throttled \
         | requests | busiest partition: write units |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    println!("{}", one_group().await.line());
    println!("{}", below_one_group().await.line());
    for levels in [1, 3, 10, 20] {
        println!("{}", at_depth(levels).await.line());
    }
    println!("{}", by_event().await.line());
    println!("{}", nesting().await.line());
}

/// Many callers add accounts to one group.
async fn one_group() -> Measured {
    let table = Table::start(1).await;
    let group = table.api.group("Busy").await;
    let additions = (0..ADDITIONS).map(|number| Addition { group: group.clone(), account: numbered(number) });
    let name = format!("{CALLERS} callers, {ADDITIONS} additions to one group");
    table.additions(name, CALLERS, additions.collect(), &[&group]).await
}

/// Many callers add accounts to 25 groups under 5 under 1.
async fn below_one_group() -> Measured {
    let table = Table::start(2).await;
    let api = &table.api;
    let top = api.group("Top").await;
    let mut divisions = Vec::new();
    let mut teams = Vec::new();
    for division in 0..5 {
        let id = api.group(&format!("Division {division}")).await;
        api.nest(&top, &id).await;
        for team in 0..5 {
            teams.push(api.group(&format!("Team {division}.{team}")).await);
            api.nest(&id, &teams[teams.len() - 1]).await;
        }
        divisions.push(id);
    }
    let team = |number: usize| teams[number % teams.len()].clone();
    let additions = (0..ADDITIONS).map(|number| Addition { group: team(number), account: numbered(number) }).collect();
    let name = format!("{CALLERS} callers, {ADDITIONS} additions to 25 groups under 5 under 1");
    table.additions(name, CALLERS, additions, &[&top]).await
}

/// One caller adds accounts to the lowest of a chain of groups.
async fn at_depth(levels: usize) -> Measured {
    let table = Table::start(levels as u64).await;
    let names: Vec<String> = (0..levels).map(|level| format!("Level {level:02}")).collect();
    let ids = table.api.chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let lowest = &ids[levels - 1];
    let additions = (0..AT_DEPTH).map(|number| Addition { group: lowest.clone(), account: numbered(number) }).collect();
    table.additions(format!("one caller at depth {levels}"), 1, additions, &[&ids[0]]).await
}

/// The queue delivers requests for membership in one group.
async fn by_event() -> Measured {
    let mut table = Table::start(3).await;
    let group = table.api.group("Busy").await;
    table.api.numbered_accounts(0..EVENTS).await;
    table.contention.take();
    let (deps, api) = (&table.api.apply_events_deps(), &table.api);
    let at = "2024-01-15T10:30:00Z";
    let events: Vec<_> = (0..EVENTS).map(|number| request_event("add", &group, &numbered(number), at)).collect();
    let started = Instant::now();
    let batches = events.chunks(template().queue.batch_size).map(|batch| async move {
        let mut batch = batch.to_vec();
        let began = Instant::now();
        while !batch.is_empty() && started.elapsed() < LONGEST {
            let failed = hand(deps, &batch, millis()).await;
            batch = failed.into_iter().map(|index| batch[index].clone()).collect();
        }
        let status = if batch.is_empty() { 200 } else { 503 };
        Answered { status, is_settled: false, time: began.elapsed() }
    });
    let answers = stream::iter(batches.collect::<Vec<_>>()).buffer_unordered(INVOCATIONS).collect().await;
    let (sending, load) = (started.elapsed(), table.contention.take());
    assert_eq!(api.dead_letter_reasons(), Vec::<String>::new());
    let visible = table.visible(&[&group], EVENTS).await;
    table.assert_sound().await;
    let name = format!("{EVENTS} requests by event for one group (times are of a batch)");
    Measured { name, answers, changes: EVENTS, sending, visible, load }
}

/// One caller nests a group with members under two levels.
async fn nesting() -> Measured {
    let mut table = Table::start(4).await;
    let api = &table.api;
    let ids = api.chain(&["Top", "Middle"]).await;
    let child = api.group("Child").await;
    api.members(&child, 0..NESTED).await;
    table.consumers.caught_up().await;
    table.contention.take();
    let started = Instant::now();
    let answer = send(api, Method::PUT, &format!("/{}/groups/{child}", ids[1])).await;
    let visible = table.visible(&[&ids[0], &ids[1]], NESTED).await;
    // Its answer is early: a change is done when it is visible.
    let (sending, load) = (started.elapsed(), table.contention.take());
    table.assert_sound().await;
    let name = format!("nesting {NESTED} accounts under two levels (a second: until visible)");
    Measured { name, answers: vec![answer], changes: NESTED, sending, visible, load }
}

impl Table {
    async fn start(seed: u64) -> Self {
        let contention = Contention::new(seed);
        let api = Api::start_contended(&contention).await;
        let consumers = Consumers::start(&api).await;
        Self { api, contention, consumers }
    }

    /// Sends additions with many callers, each of which takes the next one. All changes show in the groups of `shown_in`.
    async fn additions(
        mut self,
        name: String,
        callers: usize,
        additions: Vec<Addition>,
        shown_in: &[&str],
    ) -> Measured {
        self.api.numbered_accounts(0..additions.len()).await;
        self.consumers.caught_up().await;
        self.contention.take();
        let (api, started) = (&self.api, Instant::now());
        let requests = additions.into_iter().map(|addition| async move {
            let path = format!("/{}/members/{}", addition.group, addition.account);
            let is_late = started.elapsed() >= LONGEST;
            if is_late { None } else { Some((send(api, Method::PUT, &path).await, addition)) }
        });
        let answered = stream::iter(requests.collect::<Vec<_>>()).buffer_unordered(callers);
        let answered: Vec<(Answered, Addition)> = answered.filter_map(std::future::ready).collect().await;
        let (sending, load) = (started.elapsed(), self.contention.take());
        let mut added = BTreeSet::new();
        for (answer, addition) in &answered {
            // A failed request may have been committed.
            let is_member = answer.status == 200 || {
                let path = format!("/{}/members/{}", addition.group, addition.account);
                send(api, Method::GET, &path).await.status == 200
            };
            if is_member {
                added.insert(addition);
            }
        }
        let changes = added.len();
        let visible = self.visible(shown_in, changes).await;
        self.assert_sound().await;
        let answers = answered.into_iter().map(|(answer, _)| answer).collect();
        Measured { name, answers, changes, sending, visible, load }
    }

    /// Waits until these groups have this many members. Returns how long that takes from now.
    async fn visible(&self, groups: &[&str], members: usize) -> Option<Duration> {
        let started = Instant::now();
        let mut pause = interval(Duration::from_millis(20));
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for group in groups {
            loop {
                let group = self.api.get(&format!("/{group}")).await;
                if group.body["member_count"].as_u64() == Some(members as u64) {
                    break;
                }
                if started.elapsed() > LONGEST {
                    return None;
                }
                pause.tick().await;
            }
        }
        Some(started.elapsed())
    }

    async fn assert_sound(&mut self) {
        self.consumers.caught_up().await;
        assert_sound(&violations(&self.api).await);
    }
}

/// Sends a request. The answer is not checked against the contract, which takes longer than the request.
async fn send(api: &Api, method: Method, path: &str) -> Answered {
    let started = Instant::now();
    let response = api.request(method, path).send().await.unwrap();
    let status = response.status().as_u16();
    let is_settled = response.headers().get("membership-settled").is_some_and(|value| value == "true");
    response.bytes().await.unwrap();
    Answered { status, is_settled, time: started.elapsed() }
}

impl Measured {
    fn line(&self) -> String {
        let mut times: Vec<u128> = self.answers.iter().map(|answer| answer.time.as_millis()).collect();
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for answer in &self.answers {
            *statuses.entry(answer.status).or_default() += 1;
        }
        let statuses: Vec<String> = statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        let settled = self.answers.iter().filter(|answer| answer.is_settled).count();
        let visible = self.visible.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let busiest = self.load.units.iter().max_by(|a, b| a.1.write.total_cmp(&b.1.write));
        let busiest = busiest.map_or_else(String::new, |(partition, units)| {
            let kind = partition.split('#').next().unwrap_or_default();
            format!("{kind}: {:.0}", units.write)
        });
        format!(
            "| {} | {:.0} | {} | {} | {} | {settled} of {} | {visible} | {} | {} | {} | {busiest} |",
            self.name,
            self.changes as f64 / self.sending.as_secs_f64(),
            at(50),
            at(99),
            statuses.join(", "),
            self.answers.len(),
            self.load.conflicts,
            self.load.throttles,
            self.load.requests.values().sum::<usize>(),
        )
    }
}
