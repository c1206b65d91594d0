//! `cargo bench`: what the release binaries cost, as counts that a busy machine does not change, beside a function that does
//! nothing. Writes `docs/performance.md`; `cargo bench -- --check` holds the counts to `benches/performance/budgets.txt`
//! instead, and `docs/performance.md` to the files it is made from, which `cargo bench -- --docs` does without measuring.
//! `cargo bench -- --alternatives` measures what was decided against.

mod alternatives;
mod calls;
mod docs;
mod growth;
mod handed;
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

use handed::{MEASURED, listing};
use process::{Counts, Place, Run};
use report::{Budgets, Figure, Unit};
use table::Local;
use terminator::Terminator;

/// Starts of a process of each kind, in turn.
const STARTS: usize = 20;
/// How often what is too much is measured.
const TRIES: usize = 3;
/// Calls before a process's memory is looked at; each may want an account of its own.
const CALLS: usize = 1_000;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_given = |argument: &str| std::env::args().any(|given| given == argument);
    if is_given("--docs") {
        docs::write(&root, &docs::measured(&root));
        return ExitCode::SUCCESS;
    }
    let is_of_alternatives = is_given("--alternatives");
    let release = build(&root, if is_of_alternatives { &alternatives::BINARIES } else { &[] });
    let local = Local::start(&root.join("target/debug/groups-local").to_string_lossy());
    local.accounts(CALLS);
    let is_well = if is_of_alternatives {
        let is_noticed = alternatives::measure(&root, &release, &local);
        docs::write(&root, &docs::measured(&root));
        is_noticed
    } else {
        let budgets = Budgets::read(&root);
        let figures = measure(&release, &local, &budgets);
        let table = budgets.table(&figures);
        println!("{table}");
        if !is_given("--check") {
            docs::write(&root, &table);
        }
        let is_kept = budgets.hold(&figures);
        docs::are_true(&root) && is_kept
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds what is measured; gives the folder with it.
fn build(root: &Path, further: &[&str]) -> PathBuf {
    // What cargo tells this process of itself would have others built anew whose build scripts look at it.
    let own = std::env::vars_os().map(|(name, _)| name);
    let own: Vec<OsString> = own.filter(|name| is_of_this_build(&name.to_string_lossy())).collect();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        for name in &own {
            command.env_remove(name);
        }
        let status = command.current_dir(root).args(["build", "--locked", "--quiet"]).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "cargo build {}", arguments.join(" "));
    };
    let names = MEASURED.iter().map(|(name, _)| *name).chain(further.iter().copied());
    let binaries: Vec<&str> = names.flat_map(|name| ["--bin", name]).collect();
    cargo(&[&["--release"], &binaries[..]].concat());
    cargo(&["--bin", "groups-local"]);
    root.join("target/release")
}

fn is_of_this_build(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn measure(release: &Path, local: &Local, budgets: &Budgets) -> Vec<Figure> {
    let here = Place { table: local.table.clone(), bus: local.bus(), bundle: None };
    let mut figures = Vec::new();
    for (name, events) in MEASURED {
        let binary = release.join(name);
        let events = |times| events(local, times);
        let run = Run { binary: &binary, events: &events, place: &here, further: &[] };
        figures.extend(costs(name, &run, budgets));
    }
    let [nothing, get_group, list_members] = ["bare", "get-group", "list-members"].map(|name| release.join(name));
    let events = |times| MEASURED[1].1(local, times);
    let get = Run { binary: &get_group, events: &events, place: &here, further: &[] };
    let (secure, _terminator) = behind_tls(&here);
    let secure = Run { place: &secure, ..get };
    figures.extend(least(budgets, || over_tls("get-group", &secure.counts())));
    let of = |members| {
        let event = listing(local, members);
        Run { binary: &list_members, events: &|times| vec![event.clone(); times], ..get }.counts().warm
    };
    let listed = (of(CALLS) - of(100)) / (CALLS - 100) as f64;
    figures.push(Figure::new("list-members: a listed member", listed, Unit::Instructions));
    // Nobody is there: what is compared is what the processes do, and not how long a table takes to answer.
    let nowhere = Place { table: "http://127.0.0.1:9".into(), ..here.clone() };
    let ratio = start_ratio(&Run { place: &nowhere, ..get }, &Run { binary: &nothing, ..get });
    figures.push(Figure::new("get-group: start without a table, times that of bare", ratio, Unit::Times));
    figures
}

/// What a process costs.
fn costs(name: &str, run: &Run<'_>, budgets: &Budgets) -> Vec<Figure> {
    eprintln!("{name}");
    let size = std::fs::metadata(run.binary).expect("it was built").len();
    let bytes = [("size", size), ("memory after 1,000 calls", run.peak_memory(CALLS))]
        .map(|(what, value)| Figure::new(&format!("{name}: {what}"), value as f64, Unit::Bytes));
    let mut figures = least(budgets, || plain(name, &run.counts()));
    figures.extend(bytes);
    figures
}

/// What its calls cost.
fn plain(name: &str, counts: &Counts) -> Vec<Figure> {
    let figures =
        [("start to first poll", counts.start), ("first call after it", counts.first), ("a warm call", counts.warm)];
    figures.map(|(what, value)| Figure::new(&format!("{name}: {what}"), value, Unit::Instructions)).into()
}

/// What they cost over TLS. The first is like any other: the connection was opened before.
fn over_tls(name: &str, counts: &Counts) -> Vec<Figure> {
    [
        ("start to first answer, over TLS", counts.start + counts.first),
        ("first call after the start, over TLS", counts.first),
        ("a warm call over TLS", counts.warm),
    ]
    .map(|(what, value)| Figure::new(&format!("{name}: {what}"), value, Unit::Instructions))
    .into()
}

/// The least of what is measured, again where it is too much: on a busy machine a handshake may run out of time, and what
/// comes late be counted for the call after it.
fn least(budgets: &Budgets, measure: impl Fn() -> Vec<Figure>) -> Vec<Figure> {
    let mut least = measure();
    for _ in 1..TRIES {
        if !least.iter().any(|figure| budgets.is_exceeded(figure)) {
            break;
        }
        let again = least.iter_mut().zip(measure()).filter(|(figure, _)| budgets.is_exceeded(figure));
        again.for_each(|(figure, again)| figure.value = figure.value.min(again.value));
    }
    least
}

/// The same place, the table behind TLS for as long as the end of it is there.
fn behind_tls(place: &Place) -> (Place, Terminator) {
    let terminator = Terminator::start(&place.table);
    let bundle = Some(terminator.bundle.to_string_lossy().into_owned());
    (Place { table: terminator.url.clone(), bundle, ..place.clone() }, terminator)
}

/// Medians of starts in turn, so that what else the machine does meets both.
fn start_ratio(run: &Run<'_>, bare: &Run<'_>) -> f64 {
    let pairs: Vec<(Duration, Duration)> = (0..STARTS).map(|_| (run.start_time(), bare.start_time())).collect();
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    median(pairs.iter().map(|pair| pair.0).collect()) / median(pairs.iter().map(|pair| pair.1).collect())
}
