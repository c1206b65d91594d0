//! Generates the section on requests and dollars of each call and of a month, from the files of `cargo measure` and from list
//! prices.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::rows::{Row, Rows};

/// The measured size that is shown: levels of nesting and members, groups to search, characters of a name.
const TYPICAL: [(&str, &str); 2] = [("levels", "3"), ("members", "1000")];
const GROUPS: &str = "10000";
const CHARACTERS: &str = "20";
/// A search term that finds a full page.
const TERM: &str = "sales";

/// The call after which work follows: propagation and an event for each of its levels.
const CHANGE: &str = "add a member";
const LEVELS: f64 = 3.0;

/// List prices, and assumptions about calls and about a month.
struct Prices {
    list: Rows,
    assumed: Rows,
    fixed: Rows,
    month: Rows,
}

impl Prices {
    fn of(&self, item: &str) -> f64 {
        self.list.number_of(item, "dollars a million")
    }

    fn assumed(&self, name: &str) -> f64 {
        self.assumed.number_of(name, "value")
    }

    /// Dollars of a million invocations that each wait for this number of rounds.
    fn lambda(&self, rounds: f64) -> f64 {
        let milliseconds =
            rounds * self.assumed("milliseconds of a round") + self.assumed("milliseconds beside rounds");
        let seconds = milliseconds / 1e3 * self.assumed("gigabytes of memory");
        self.of("Lambda, requests") + seconds * self.of("Lambda, gigabyte-seconds")
    }

    fn table(&self, row: Row<'_>) -> f64 {
        let read = row.number("read units") * self.of("DynamoDB, read request units");
        read + row.number("write units") * self.of("DynamoDB, write request units")
    }

    fn logs(&self, lines: &str) -> f64 {
        self.assumed(lines) * self.of("CloudWatch Logs, kilobytes")
    }

    /// Dollars of the work that follows a million changed memberships: a record for each of the two stream consumers, an event,
    /// and its line in the audit log.
    fn after_change(&self) -> f64 {
        let read = self.assumed("read units after a changed membership") * self.of("DynamoDB, read request units");
        let write = self.assumed("write units after a changed membership") * self.of("DynamoDB, write request units");
        let invocations = self.lambda(5.0) + self.lambda(1.0) + 2.0 * self.logs("kilobytes of log lines of a call");
        let event = self.of("EventBridge, custom events") + self.logs("kilobytes of a published event's log line");
        read + write + invocations + event
    }
}

/// Returns the section.
pub(crate) fn section(root: &Path) -> String {
    let mut tables = Rows::read(root, "performance/prices.txt").into_iter();
    let mut next = || tables.next().expect("prices.txt has four tables");
    let prices = Prices { list: next(), assumed: next(), fixed: next(), month: next() };
    let (membership, search) = (Rows::read(root, "membership.txt"), Rows::read(root, "search.txt"));
    let mut table = String::from(
        "| call | requests | rounds | read units | write units | $ API and Lambda | $ table | $ logs | $ together |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut calls = BTreeMap::new();
    let typical = membership[0].iter().filter(|row| TYPICAL.iter().all(|(column, size)| row.has(column, size)));
    for row in typical {
        line(&mut table, row.text("call"), row, &prices, &mut calls);
    }
    let found = search[0].iter().filter(|row| row.has("term", TERM) && row.has("groups", GROUPS));
    found.for_each(|row| line(&mut table, "search groups", row, &prices, &mut calls));
    let named = search[1].iter().filter(|row| row.has("characters", CHARACTERS));
    named.for_each(|row| line(&mut table, &format!("{} a group", row.text("call")), row, &prices, &mut calls));
    format!("{INTRODUCTION}{table}\n{}\n{}", assumptions(&prices), month(&prices, &calls))
}

/// Adds the line of a call to the table, and its dollars to those of all calls.
fn line(table: &mut String, name: &str, row: Row<'_>, prices: &Prices, calls: &mut BTreeMap<String, f64>) {
    let (requests, rounds) = (row.number("requests"), row.number("rounds"));
    let (read, write) = (row.number("read units"), row.number("write units"));
    let (call, units) = (prices.of("HTTP API, requests") + prices.lambda(rounds), prices.table(row));
    let logs = prices.logs("kilobytes of log lines of a call");
    let together = call + units + logs;
    writeln!(
        table,
        "| {name} | {requests} | {rounds} | {read} | {write} | {call:.2} | {units:.2} | {logs:.2} | {together:.2} |"
    )
    .expect("memory");
    calls.insert(name.to_owned(), together);
}

/// The dollars of an example month.
fn month(prices: &Prices, calls: &BTreeMap<String, f64>) -> String {
    let mut table = String::from("| in a month | dollars |\n|---|---|\n");
    let mut all = 0.0;
    let mut add = |what: &str, dollars: f64| {
        all += dollars;
        writeln!(table, "| {what} | {dollars:.2} |").expect("memory");
    };
    for row in prices.month.iter() {
        let (call, thousands) = (row.text("call"), row.number("thousands a month"));
        let often =
            if thousands >= 1e3 { format!("{} million", thousands / 1e3) } else { format!("{thousands} thousand") };
        add(&format!("{call}, {often} times"), calls[call] * thousands / 1e3);
        if call == CHANGE {
            add("the work after it", prices.after_change() * LEVELS * thousands / 1e3);
        }
    }
    for row in prices.fixed.iter() {
        let (name, number) = (row.text("fixed"), row.number("number"));
        add(&format!("{number} {name}"), number * row.number("dollars a month"));
    }
    format!("{MONTH}{table}| together | {all:.2} |\n")
}

/// The text below the table: prices, assumptions, and the cost of events.
fn assumptions(prices: &Prices) -> String {
    let received = 3.0 * prices.of("SQS, requests") + prices.lambda(1.0);
    let published = prices.of("EventBridge, custom events") + prices.lambda(1.0);
    let after = prices.after_change();
    let [round, further, memory] = ["milliseconds of a round", "milliseconds beside rounds", "gigabytes of memory"]
        .map(|name| prices.assumed(name));
    let assumed = |name| prices.assumed.iter().find(|row| row.has("assumed", name)).map_or("", |row| row.text("value"));
    let (region, date) = (assumed("region"), assumed("list prices of"));
    format!(
        "Dollars are for a million calls at list prices of {date} in {region}, without free tiers; `benches/performance/prices.txt` names the\n\
         price lists. A call is assumed to take {round} ms for each round and {further} ms beside, with {memory} GB of memory.\n\
         \n\
         A million events cost ${received:.2} to receive one by one (three requests to the queue, one invocation), beside their requests to the\n\
         table. They cost ${published:.2} to publish one by one. Batches of ten need a tenth of the invocations. Reading the stream is free.\n\
         \n\
         A changed membership has more work after it: both stream consumers, history, an event, its line in the audit log. A million cost ${after:.2}\n\
         for each level, with a batch for each; `cargo local --log json` shows their units.\n"
    )
}

const INTRODUCTION: &str = "## Requests and dollars of each call

Requests, rounds (requests that wait for one another) and units are counted by `cargo measure`, which writes and checks
`benches/membership.txt` and `benches/search.txt`; `cargo bench` only reads them. The sizes are a group of 1,000 members below two others, a
search for a page of fifty in 10,000 groups, and names of 20 characters. Later work that a write causes (jobs, events) is not included.

";

const MONTH: &str = "### An example month

100,000 accounts in 10,000 groups, each account in twenty of them, directly or through three levels. Applications check memberships ten
million times. The table is assumed to have 1.2 kB for each of two million memberships, with its mirror and audit record, and 0.8 kB for
each of 7.9 million changes in the 400 days of history.

";
