//! `cargo bench`: measures the release binaries and writes `docs/performance.md`.
//!
//! Counts instructions, bytes and memory, which a busy machine does not change, and compares them with a function that does
//! nothing (`bare`). Options:
//!
//! - `cargo bench -- --check` compares the counts with `benches/performance/budgets.txt`, and `docs/performance.md` with the
//!   files it is generated from. It writes nothing, and leaves out `bare` and times, which have no budget that fails.
//! - `cargo bench -- --build` only builds the binaries that `--check` measures.
//! - `cargo bench -- --docs` generates `docs/performance.md` again without measuring.

mod calls;
mod docs;
mod events;
mod growth;
mod plot;
mod process;
mod report;
mod rows;
mod runtime_api;
mod table;
mod terminator;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use events::{Function, MEASURED, list_members};
use process::{Counts, Endpoints, Run};
use report::{Budgets, Figure, START_RATIO, Unit};
use table::Local;
use terminator::Terminator;

/// Starts of each process when start times are compared, alternating.
const STARTS: usize = 20;
/// Attempts at a figure that exceeds its budget.
const ATTEMPTS: usize = 3;
/// Calls before a process's memory is read. Some functions need a different account for each.
const CALLS: usize = 1_000;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_given = |option: &str| std::env::args().any(|argument| argument == option);
    if is_given("--docs") {
        docs::write(&root, &docs::measured(&root));
        return ExitCode::SUCCESS;
    }
    let is_check = is_given("--check") || is_given("--build");
    let functions = if is_check { &MEASURED[1..] } else { &MEASURED };
    let release = build(&root, functions);
    if is_given("--build") {
        return ExitCode::SUCCESS;
    }
    let local = Local::start(&root.join("target/debug/groups-local").to_string_lossy());
    local.create_accounts(CALLS);
    let budgets = Budgets::read(&root);
    let mut figures = measure(functions, &release, &local, &budgets);
    if !is_check {
        figures.push(start_ratio(&release, &local));
    }
    let table = budgets.table(&figures);
    println!("{table}");
    if !is_check {
        docs::write(&root, &table);
    }
    let within_budgets = budgets.check(&figures);
    let docs_match = docs::match_sources(&root);
    if within_budgets && docs_match { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the functions and the local server; returns the folder of the release binaries.
fn build(root: &Path, functions: &[Function]) -> PathBuf {
    // Cargo sets these for this process. Build scripts that watch them would run again, and all that depends on them.
    let inherited = std::env::vars_os().map(|(name, _)| name);
    let inherited: Vec<OsString> = inherited.filter(|name| is_set_by_cargo(&name.to_string_lossy())).collect();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        for name in &inherited {
            command.env_remove(name);
        }
        let status = command.current_dir(root).args(["build", "--locked", "--quiet"]).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "cargo build {}", arguments.join(" "));
    };
    let binaries: Vec<&str> = functions.iter().flat_map(|(name, _)| ["--bin", name]).collect();
    cargo(&[&["--release"], &binaries[..]].concat());
    cargo(&["--bin", "groups-local"]);
    root.join("target/release")
}

fn is_set_by_cargo(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn measure(functions: &[Function], release: &Path, local: &Local, budgets: &Budgets) -> Vec<Figure> {
    let plain = Endpoints { table: local.table.clone(), bus: local.bus(), ca_bundle: None };
    let mut figures = Vec::new();
    for (name, make_events) in functions {
        let (binary, events) = (release.join(name), |count| make_events(local, count));
        figures.extend(measure_function(name, &Run { binary: &binary, events: &events, endpoints: &plain }, budgets));
    }
    let (secure, _terminator) = behind_tls(&plain);
    let (binary, events) = (release.join("get-group"), |count| events::get_group(local, count));
    let get = Run { binary: &binary, events: &events, endpoints: &secure };
    figures.extend(within_budget(budgets, || tls_figures("get-group", &get.counts())));
    let binary = release.join("list-members");
    let listing = |members| {
        let event = list_members(local, members);
        let run = Run { binary: &binary, events: &|count| vec![event.clone(); count], endpoints: &plain };
        run.counts().warm
    };
    let member = (listing(CALLS) - listing(100)) / (CALLS - 100) as f64;
    figures.push(Figure::new("list-members: a listed member", member, Unit::Instructions));
    figures
}

/// Measures one function: instructions of its start and calls, size, memory.
fn measure_function(name: &str, run: &Run<'_>, budgets: &Budgets) -> Vec<Figure> {
    eprintln!("{name}");
    let size = std::fs::metadata(run.binary).expect("the binary was built").len();
    let bytes = [("size", size), ("memory after 1,000 calls", run.peak_memory(CALLS))]
        .map(|(label, value)| Figure::new(&format!("{name}: {label}"), value as f64, Unit::Bytes));
    let mut figures = within_budget(budgets, || call_figures(name, &run.counts()));
    figures.extend(bytes);
    figures
}

fn call_figures(name: &str, counts: &Counts) -> Vec<Figure> {
    let figures =
        [("start to first poll", counts.start), ("first call after it", counts.first), ("a warm call", counts.warm)];
    figures.map(|(label, value)| Figure::new(&format!("{name}: {label}"), value, Unit::Instructions)).into()
}

/// The same over TLS. The first call costs no handshake: the connection is opened before it.
fn tls_figures(name: &str, counts: &Counts) -> Vec<Figure> {
    [
        ("start to first answer, over TLS", counts.start + counts.first),
        ("first call after the start, over TLS", counts.first),
        ("a warm call over TLS", counts.warm),
    ]
    .map(|(label, value)| Figure::new(&format!("{name}: {label}"), value, Unit::Instructions))
    .into()
}

/// Measures until no figure exceeds its budget, at most [`ATTEMPTS`] times, and keeps the lowest. On a busy machine a
/// handshake can time out, and its work is then counted for the next call.
fn within_budget(budgets: &Budgets, measure: impl Fn() -> Vec<Figure>) -> Vec<Figure> {
    let mut lowest = measure();
    for _ in 1..ATTEMPTS {
        if !lowest.iter().any(|figure| budgets.is_exceeded(figure)) {
            break;
        }
        let again = lowest.iter_mut().zip(measure()).filter(|(figure, _)| budgets.is_exceeded(figure));
        again.for_each(|(figure, again)| figure.value = figure.value.min(again.value));
    }
    lowest
}

/// The same endpoints with TLS in front of the table, for as long as the terminator lives.
fn behind_tls(plain: &Endpoints) -> (Endpoints, Terminator) {
    let terminator = Terminator::start(&plain.table);
    let ca_bundle = Some(terminator.ca_bundle.to_string_lossy().into_owned());
    (Endpoints { table: terminator.url.clone(), ca_bundle, ..plain.clone() }, terminator)
}

/// Measures the ratio of median start times. Starts alternate, so that other load on the machine affects both alike.
fn start_ratio(release: &Path, local: &Local) -> Figure {
    // Nothing listens there, so that the ratio compares the processes and not the table's response time.
    let endpoints = Endpoints { table: "http://127.0.0.1:9".into(), bus: local.bus(), ca_bundle: None };
    let binaries = ["get-group", "bare"].map(|name| release.join(name));
    let start = |binary| Run { binary, events: &|_| Vec::new(), endpoints: &endpoints }.start_time();
    let pairs: Vec<(Duration, Duration)> = (0..STARTS).map(|_| (start(&binaries[0]), start(&binaries[1]))).collect();
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let ratio = median(pairs.iter().map(|pair| pair.0).collect()) / median(pairs.iter().map(|pair| pair.1).collect());
    Figure::new(START_RATIO, ratio, Unit::Times)
}
