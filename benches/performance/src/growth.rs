//! Generates the plots of how the cost of calls grows.

use std::collections::BTreeSet;
use std::path::Path;

use crate::plot::{Line, Panel, svg};
use crate::rows::{Row, Rows};

/// A plot over one growing size.
struct Dimension {
    /// File of the plot.
    file: &'static str,
    title: &'static str,
    /// File of the measurement, in `benches`.
    measured: &'static str,
    /// Column that names the lines.
    line: &'static str,
    /// Column of the growing size.
    grows: &'static str,
    /// Column and value of a size that does not grow.
    fixed: Option<(&'static str, &'static str)>,
    /// Columns that are plotted, one panel each.
    measures: &'static [&'static str],
}

/// The columns of `cargo measure`.
const COSTS: &[&str] = &["requests", "read units", "write units"];

const DIMENSIONS: [Dimension; 3] = [
    Dimension {
        file: "members.svg",
        title: "Over members of a group",
        measured: "membership.txt",
        line: "call",
        grows: "members",
        fixed: Some(("levels", "1")),
        measures: COSTS,
    },
    Dimension {
        file: "depth.svg",
        title: "Over levels of nesting, with 1,000 members",
        measured: "membership.txt",
        line: "call",
        grows: "levels",
        fixed: Some(("members", "1000")),
        measures: COSTS,
    },
    Dimension {
        file: "groups.svg",
        title: "Over groups, of searches for a page of fifty",
        measured: "search.txt",
        line: "term",
        grows: "groups",
        fixed: None,
        measures: COSTS,
    },
];

/// The plot of the loads: the time of an addition, in both designs.
const LOADS: Dimension = Dimension {
    file: "load.svg",
    title: "One caller adds members at a depth: median milliseconds",
    measured: "load.txt",
    line: "design",
    grows: "levels",
    fixed: Some(("load", "one caller")),
    measures: &["p50 ms"],
};

/// Returns the section and its plots, as file names in `docs/performance` and images.
pub(crate) fn section(root: &Path) -> (String, Vec<(&'static str, String)>) {
    let mut text = INTRODUCTION.to_owned();
    let mut plots = Vec::new();
    for dimension in &DIMENSIONS {
        plots.push((dimension.file, plot(root, dimension)));
        text.push_str(&format!("\n![{}](performance/{})\n", dimension.title, dimension.file));
    }
    let loads = std::fs::read_to_string(root.join("benches").join(LOADS.measured)).expect("loads were measured");
    let loads = markdown(&loads);
    plots.push((LOADS.file, plot(root, &LOADS)));
    text.push_str(&format!("\n{CONTENTION}\n{loads}\n![{}](performance/{})\n", LOADS.title, LOADS.file));
    (text, plots)
}

/// A table of Markdown.
fn markdown(rows: &str) -> String {
    let mut lines = rows.lines();
    let columns = lines.next().unwrap_or_default();
    let rule = "|---".repeat(columns.split(" | ").count());
    let rows = lines.map(|row| format!("| {row} |\n"));
    format!("| {columns} |\n{rule}|\n{}", rows.collect::<String>())
}

fn plot(root: &Path, dimension: &Dimension) -> String {
    let measured = Rows::read(root, dimension.measured).swap_remove(0);
    let panels = dimension.measures.iter().map(|measure| panel(dimension, &measured, measure));
    let panels: Vec<Panel> = panels.filter(|panel| !panel.lines.is_empty()).collect();
    svg(dimension.title, &panels)
}

fn panel(dimension: &Dimension, measured: &Rows, measure: &str) -> Panel {
    let mut lines: Vec<Line> = Vec::new();
    let rows: Vec<Row<'_>> =
        measured.iter().filter(|row| dimension.fixed.is_none_or(|(column, text)| row.has(column, text))).collect();
    let mut seen = BTreeSet::new();
    let names = rows.iter().map(|row| row.text(dimension.line)).filter(|name| seen.insert(*name));
    for (number, name) in names.enumerate() {
        let of_line = rows.iter().filter(|row| row.has(dimension.line, name));
        let mut points: Vec<(f64, f64)> =
            of_line.map(|row| (row.number(dimension.grows), row.number(measure))).collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        // A logarithmic axis has no zero.
        if points.iter().any(|(_, value)| *value <= 0.0) {
            continue;
        }
        // Calls with equal costs share a line.
        match lines.iter_mut().find(|line| line.points == points) {
            Some(line) => line.names.push(name.to_owned()),
            None => lines.push(Line { number, names: vec![name.to_owned()], points }),
        }
    }
    Panel { title: measure.to_owned(), grows: dimension.grows.to_owned(), lines }
}

const INTRODUCTION: &str = "## Growth of the cost

From the same files. Both axes are logarithmic. Calls with equal costs share a line; a call without a cost has none.
";

const CONTENTION: &str = "## Many callers at once

`cargo run --release --bin measure -- load` puts a model of DynamoDB's latency, conflicts and throttled partitions in front of the table
(`tests/harness/contention.rs` has its assumptions). Times are of one run on two cores that also ran the gateway, the emulator and the stream.
";
