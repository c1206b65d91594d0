//! `cargo bench`: what the release binaries cost, as counts that a busy machine does not change, beside a function that does
//! nothing. Writes `docs/performance.md`; `cargo bench -- --check` holds the counts to `benches/performance/budgets.txt`
//! instead.

mod process;
mod report;
mod runtime_api;
mod table;
mod terminator;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use process::{Place, Run};
use report::{Figure, Unit};
use serde_json::Value;
use table::Local;
use terminator::Terminator;

/// Functions whose release binaries are measured.
const MEASURED: [&str; 3] = ["bare", "get-group", "list-members"];
/// Starts of a process of each kind, in turn.
const STARTS: usize = 20;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let release = build(&root);
    let local = Local::start(&root.join("target/debug/groups-local").to_string_lossy());
    let figures = measure(&root, &release, &local);
    report::finish(&root, &figures, std::env::args().any(|argument| argument == "--check"))
}

/// Builds what is measured; gives the folder with it.
fn build(root: &Path) -> PathBuf {
    let cargo = |arguments: &[&str]| {
        let status =
            Command::new("cargo").current_dir(root).args(["build", "--locked", "--quiet"]).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "cargo build {}", arguments.join(" "));
    };
    let binaries: Vec<&str> = MEASURED.iter().flat_map(|name| ["--bin", name]).collect();
    cargo(&[&["--release"], &binaries[..]].concat());
    cargo(&["--bin", "groups-local"]);
    root.join("target/release")
}

fn measure(root: &Path, release: &Path, local: &Local) -> Vec<Figure> {
    let event =
        |name: &str| std::fs::read_to_string(root.join(format!("tests/events/{name}.json"))).expect("it is recorded");
    let [bare, get_group, list_members] = MEASURED.map(|name| release.join(name));
    let plain = Place { table: local.table.clone(), bundle: None };
    let get_event = event("get-group");
    let get = Run { binary: &get_group, event: &get_event, place: &plain };
    let nothing = Run { binary: &bare, ..get };

    let mut figures = Vec::new();
    let mut note = |name: &str, value: f64, unit: Unit| {
        eprintln!("{name}");
        figures.push(Figure { name: name.to_owned(), value, unit });
    };
    for (name, run) in [("bare", &nothing), ("get-group", &get)] {
        note(&format!("{name}: start to first poll"), count(run.instructions(0)), Unit::Instructions);
        note(&format!("{name}: a warm call"), warm(run), Unit::Instructions);
        note(&format!("{name}: size"), size(run.binary), Unit::Bytes);
        note(&format!("{name}: memory after 1,000 calls"), count(run.peak_memory(1_000)), Unit::Bytes);
    }
    let terminator = Terminator::start(&local.table);
    let secure =
        Place { table: terminator.url.clone(), bundle: Some(terminator.bundle.to_string_lossy().into_owned()) };
    let over_tls = Run { place: &secure, ..get };
    note("get-group: start to first answer, over TLS", count(over_tls.instructions(1)), Unit::Instructions);
    note("get-group: a warm call over TLS", warm(&over_tls), Unit::Instructions);

    let team = "grp-018d0cab-c440-7000-8000-000000000001";
    let of = |members: usize| {
        let mut event: Value =
            serde_json::from_str(&event("list-members").replace(team, &local.group(members))).expect("JSON");
        // All of them, whatever page was asked for when it was recorded.
        event["rawQueryString"] = "".into();
        event.as_object_mut().map(|event| event.remove("queryStringParameters"));
        let event = event.to_string();
        warm(&Run { binary: &list_members, event: &event, place: &plain })
    };
    let (hundred, thousand) = (of(100), of(1_000));
    note("list-members: a listed member", (thousand - hundred) / 900.0, Unit::Instructions);
    note("list-members: size", size(&list_members), Unit::Bytes);
    // Nobody is there: what is compared is what the processes do, and not how long a table takes to answer.
    let nowhere = Place { table: "http://127.0.0.1:9".into(), bundle: None };
    let alone = Run { place: &nowhere, ..get };
    note("get-group: start without a table, times that of bare", start_ratio(&alone, &nothing), Unit::Times);
    figures
}

/// Instructions of one call of ten, after the first.
fn warm(run: &Run<'_>) -> f64 {
    (count(run.instructions(11)) - count(run.instructions(1))) / 10.0
}

const fn count(value: u64) -> f64 {
    value as f64
}

fn size(binary: &Path) -> f64 {
    count(std::fs::metadata(binary).expect("it was built").len())
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
