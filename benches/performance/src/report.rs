//! What was measured, for people and for CI.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// By how much a count may differ from run to run: hash maps have other seeds each time.
const TOLERANCE: f64 = 1.02;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Instructions, by callgrind.
    Instructions,
    /// Bytes.
    Bytes,
    /// A ratio of two times.
    Times,
}

/// Something measured.
pub(crate) struct Figure {
    /// What.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: Unit,
}

impl Figure {
    fn shown(&self) -> String {
        match self.unit {
            Unit::Instructions if self.value >= 100_000.0 => format!("{:.2} M instructions", self.value / 1e6),
            Unit::Instructions => format!("{:.1} k instructions", self.value / 1e3),
            Unit::Bytes => format!("{:.2} MB", self.value / 1e6),
            Unit::Times => format!("{:.2}", self.value),
        }
    }
}

/// Prints what was measured and writes it to `docs/performance.md`, or holds it to the budgets.
pub(crate) fn finish(root: &Path, figures: &[Figure], check: bool) -> ExitCode {
    let path = root.join("benches/performance/budgets.txt");
    let budgets = std::fs::read_to_string(path).expect("the budgets are there");
    let budgets: Vec<(&str, f64)> = budgets
        .lines()
        .filter_map(|line| line.split_once(" | "))
        .map(|(name, most)| (name, most.replace(',', "").parse().expect("a budget is a number")))
        .collect();
    let mut table = String::from("| what | measured | at most |\n|---|---|---|\n");
    let mut is_kept = true;
    for figure in figures {
        let budget = budgets.iter().find(|(name, _)| *name == figure.name).map(|(_, most)| *most);
        let most = budget.map_or_else(String::new, |value| Figure { value, name: String::new(), ..*figure }.shown());
        writeln!(table, "| {} | {} | {most} |", figure.name, figure.shown()).expect("memory");
        // Times are for people: a busy machine changes them.
        if budget.is_some_and(|most| figure.value > most * TOLERANCE) && figure.unit != Unit::Times {
            is_kept = false;
            eprintln!("{}: {} is more than {most}", figure.name, figure.shown());
        }
    }
    let unknown = budgets.iter().filter(|(name, _)| !figures.iter().any(|figure| figure.name == *name));
    for (name, _) in unknown {
        is_kept = false;
        eprintln!("{name} has a budget and was not measured");
    }
    println!("{table}");
    if !check {
        let text = format!("{HEAD}{table}");
        std::fs::write(root.join("docs/performance.md"), text).expect("docs can be written");
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const HEAD: &str = "# What the functions cost

Written by `cargo bench`, which starts the release binaries under an emulated Lambda Runtime API, over a table of `cargo local`, beside a
function that does nothing (`bare`). Instructions are callgrind's: the same on a busy machine and on an idle one. *Start* is all of the
process until it asks for its first event, the connection to the table included, which is opened before that; a warm call is one of ten
after the first. `cargo bench -- --check` holds the counts to `benches/performance/budgets.txt`, as CI does; the ratio of times is for
people. What calls ask of the table is in [access-patterns.md](access-patterns.md).

";
