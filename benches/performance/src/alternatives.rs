//! What was decided against, measured: `cargo bench -- --alternatives`. Each default of the SDK that costs something has to
//! exceed a budget of get-group when it is put back, so that whoever does hears of it.

use std::fmt::Write;
use std::path::Path;

use crate::handed::MEASURED;
use crate::process::{Place, Run};
use crate::report::{Budgets, Figure, Unit, shown};
use crate::rows::Rows;
use crate::table::Local;
use crate::{behind_tls, costs, least, over_tls, plain};

const FILE: &str = "performance/alternatives.txt";
/// Binaries that are built for it.
pub(crate) const BINARIES: [&str; 2] = ["put-back", "all-in-one"];

/// What is put back, as `benches/alternatives` knows it, and whether it costs so much that a budget is exceeded. What does not is
/// held off by `tests/config.rs`.
const PUT_BACK: [(&str, &str, bool); 6] = [
    ("system-roots", "the system's root certificates", true),
    ("provider-chain", "region and credentials looked for", true),
    ("late-connection", "a connection when it is needed", true),
    ("user-agent", "what the SDK tells of itself", true),
    ("stalled-streams", "stalled-stream protection", false),
    ("retries", "retries of the SDK's", false),
];
/// Figures of a default put back: a binary that can put each back is larger anyway.
const OF_DEFAULTS: [&str; 5] = [
    "start to first poll",
    "first call after it",
    "a warm call",
    "start to first answer, over TLS",
    "first call after the start, over TLS",
];
/// Figures of a binary, and routes that are asked for.
const OF_BINARIES: [&str; 5] =
    ["start to first poll", "first call after it", "a warm call", "size", "memory after 1,000 calls"];
const ROUTES: [&str; 2] = ["get-group", "add-member"];

/// Measures all and writes the file; whether each default put back is noticed.
pub(crate) fn measure(root: &Path, release: &Path, local: &Local) -> bool {
    let place = Place { table: local.table.clone(), bus: local.bus(), bundle: None };
    let budgets = Budgets::read(root);
    let (defaults, is_noticed) = put_back(&budgets, release, local, &place);
    let mut text = format!("{defaults}\nbinary | {}\n", OF_BINARIES.join(" | "));
    for route in ROUTES {
        for (name, binary) in [("", route), (" in one for all", BINARIES[1])] {
            let events = |times| events(route)(local, times);
            let further = [("ROUTE", route)];
            let run = Run { binary: &release.join(binary), events: &events, place: &place, further: &further };
            line(&mut text, &format!("{route}{name}"), &costs(route, &run, &budgets), &OF_BINARIES);
            text.push('\n');
        }
    }
    std::fs::write(root.join("benches").join(FILE), text).expect("it can be written");
    is_noticed
}

/// The table of defaults: what get-group costs, and what it would cost with each; and whether those are noticed that do.
fn put_back(budgets: &Budgets, release: &Path, local: &Local, place: &Place) -> (String, bool) {
    let [own, nothing] =
        ["get-group", BINARIES[0]].map(|binary| get_group(budgets, &release.join(binary), "", local, place));
    let is_late = |figure: &Figure| what(figure).ends_with("over TLS") && budgets.is_exceeded(figure);
    assert!(!own.iter().chain(&nothing).any(is_late), "the machine is too busy for handshakes");
    let mut text = format!("put back | {} | exceeded\nnothing", OF_DEFAULTS.join(" | "));
    line(&mut text, "", &own, &OF_DEFAULTS);
    text.push_str(" | \n");
    let mut is_noticed = true;
    for (key, name, is_dear) in PUT_BACK {
        let mut figures = get_group(budgets, &release.join(BINARIES[0]), key, local, place);
        // The binary that can put back costs something of its own.
        for ((figure, own), nothing) in figures.iter_mut().zip(&own).zip(&nothing) {
            figure.value += own.value - nothing.value;
        }
        let exceeded: Vec<&str> = figures.iter().filter(|figure| budgets.is_exceeded(figure)).map(what).collect();
        if exceeded.is_empty() == is_dear {
            is_noticed = false;
            eprintln!("{name} put back exceeds {} budgets", exceeded.len());
        }
        line(&mut text, name, &figures, &OF_DEFAULTS);
        writeln!(text, " | {}", exceeded.join("; ")).expect("memory");
    }
    (text, is_noticed)
}

fn get_group(budgets: &Budgets, binary: &Path, key: &str, local: &Local, place: &Place) -> Vec<Figure> {
    eprintln!("put back: {key}");
    let events = |times| events("get-group")(local, times);
    let run = Run { binary, events: &events, place, further: &[("PUT_BACK", key)] };
    let (secure, _terminator) = behind_tls(place);
    let secure = Run { place: &secure, ..run };
    let mut figures = least(budgets, || plain("get-group", &run.counts()));
    figures.extend(least(budgets, || over_tls("get-group", &secure.counts())));
    figures.retain(|figure| OF_DEFAULTS.contains(&what(figure)));
    figures
}

fn events(name: &str) -> crate::handed::Maker {
    MEASURED.iter().find(|(measured, _)| *measured == name).expect("it is measured").1
}

/// A figure's name without its function's.
fn what(figure: &Figure) -> &str {
    figure.name.split_once(": ").map_or(figure.name.as_str(), |(_, what)| what)
}

fn line(text: &mut String, name: &str, figures: &[Figure], columns: &[&str]) {
    text.push_str(name);
    for column in columns {
        let figure = figures.iter().find(|figure| what(figure) == *column).expect("it was measured");
        write!(text, " | {:.0}", figure.value).expect("memory");
    }
}

/// The section, from the file as it is.
pub(crate) fn section(root: &Path) -> String {
    let tables: Vec<String> = Rows::read(root, FILE).iter().map(table).collect();
    format!("{INTRODUCTION}{}", tables.join("\n"))
}

fn table(rows: &Rows) -> String {
    let columns = rows.columns();
    let mut table = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows.iter() {
        let cells: Vec<String> = columns.iter().map(|column| cell(column, row.text(column))).collect();
        writeln!(table, "| {} |", cells.join(" | ")).expect("memory");
    }
    table
}

fn cell(column: &str, text: &str) -> String {
    let unit = if OF_BINARIES[3..].contains(&column) { Unit::Bytes } else { Unit::Instructions };
    let text = text.parse().map_or_else(|_| text.to_owned(), |value| shown(value, unit));
    text.replace(" instructions", "")
}

const INTRODUCTION: &str = "## What was decided against

`cargo bench -- --alternatives` builds get-group with one of the SDK's defaults put back ([0018](decisions/0018-a-lean-client.md)), and
all routes in one binary ([0019](decisions/0019-a-binary-for-each-endpoint.md)), and fails when a default that costs something exceeds no
budget. It writes `benches/performance/alternatives.txt`. Figures with a default are get-group's and what the default adds; all are
instructions, but for sizes and memory.

";
