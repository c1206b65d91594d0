//! Generates the section on requests and dollars of each call, from the files of `cargo measure` and from list prices.

use std::fmt::Write;
use std::path::Path;

use crate::rows::{Row, Rows};

/// The measured size that is shown: levels of nesting and members, groups to search, characters of a name.
const TYPICAL: [(&str, &str); 2] = [("levels", "3"), ("members", "1000")];
const GROUPS: &str = "10000";
const CHARACTERS: &str = "20";
/// A search term that finds a full page.
const TERM: &str = "sales";

/// List prices, and assumptions about the time of a call.
struct Prices {
    list: Rows,
    assumed: Rows,
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
}

/// Returns the section.
pub(crate) fn section(root: &Path) -> String {
    let mut tables = Rows::read(root, "performance/prices.txt").into_iter();
    let prices = Prices { list: tables.next().expect("prices"), assumed: tables.next().expect("assumptions") };
    let (membership, search) = (Rows::read(root, "membership.txt"), Rows::read(root, "search.txt"));
    let mut table = String::from(
        "| call | requests | rounds | read units | write units | $ API and Lambda | $ table | $ together |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let typical = membership[0].iter().filter(|row| TYPICAL.iter().all(|(column, size)| row.has(column, size)));
    for row in typical {
        line(&mut table, row.text("call"), row, &prices);
    }
    let found = search[0].iter().filter(|row| row.has("term", TERM) && row.has("groups", GROUPS));
    found.for_each(|row| line(&mut table, "search groups", row, &prices));
    let named = search[1].iter().filter(|row| row.has("characters", CHARACTERS));
    named.for_each(|row| line(&mut table, &format!("{} a group", row.text("call")), row, &prices));
    format!("{INTRODUCTION}{table}\n{}", assumptions(&prices))
}

fn line(table: &mut String, name: &str, row: Row<'_>, prices: &Prices) {
    let (requests, rounds) = (row.number("requests"), row.number("rounds"));
    let (read, write) = (row.number("read units"), row.number("write units"));
    let (call, units) = (prices.of("HTTP API, requests") + prices.lambda(rounds), prices.table(row));
    let together = call + units;
    writeln!(table, "| {name} | {requests} | {rounds} | {read} | {write} | {call:.2} | {units:.2} | {together:.2} |")
        .expect("memory");
}

/// The text below the table: prices, assumptions, and the cost of events.
fn assumptions(prices: &Prices) -> String {
    let received = 3.0 * prices.of("SQS, requests") + prices.lambda(1.0);
    let published = prices.of("EventBridge, custom events") + prices.lambda(1.0);
    let [round, further, memory] = ["milliseconds of a round", "milliseconds beside rounds", "gigabytes of memory"]
        .map(|name| prices.assumed(name));
    let assumed = |name| prices.assumed.iter().find(|row| row.has("assumed", name)).map_or("", |row| row.text("value"));
    let (region, date) = (assumed("region"), assumed("list prices of"));
    format!(
        "Dollars are for a million calls at list prices of {date} in {region}, without free tiers; `benches/performance/prices.txt` names the\n\
         price lists. A call is assumed to take {round} ms for each round and {further} ms beside, with {memory} GB of memory.\n\
         \n\
         A million events cost ${received:.2} to receive one by one (three requests to the queue, one invocation), beside their requests to the\n\
         table. They cost ${published:.2} to publish one by one. Batches of ten need a tenth of the invocations. Reading the stream is free.\n"
    )
}

const INTRODUCTION: &str = "## Requests and dollars of each call

Requests, rounds (requests that wait for one another) and units are counted by `cargo measure`, which writes and checks
`benches/membership.txt` and `benches/search.txt`; `cargo bench` only reads them. The sizes are a group of 1,000 members below two others, a
search for a page of fifty in 10,000 groups, and names of 20 characters. Later work that a write causes (jobs, events) is not included.

";
