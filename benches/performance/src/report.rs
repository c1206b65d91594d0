//! Compares figures with budgets and shows both as a table.

use std::fmt::Write;
use std::path::Path;

use crate::rows::{Row, Rows};

/// Factor by which a count may exceed its budget: hash maps are seeded differently each time, and libraries differ between
/// machines.
const TOLERANCE: f64 = 1.02;

/// The one figure that is a time. It depends on the machine, so it may be left out.
pub(crate) const START_RATIO: &str = "get-group: start without a table, times that of bare";

/// Unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Instructions, by callgrind.
    Instructions,
    /// Bytes.
    Bytes,
    /// A ratio of two times.
    Times,
}

/// A measured value.
pub(crate) struct Figure {
    /// Name, as in `budgets.txt`.
    pub(crate) name: String,
    /// Value, in its unit.
    pub(crate) value: f64,
    /// Unit.
    pub(crate) unit: Unit,
}

impl Figure {
    /// Creates a figure.
    pub(crate) fn new(name: &str, value: f64, unit: Unit) -> Self {
        Self { name: name.to_owned(), value, unit }
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Instructions if value >= 100_000.0 => format!("{:.2} M instructions", value / 1e6),
        Unit::Instructions => format!("{:.1} k instructions", value / 1e3),
        Unit::Bytes => format!("{:.2} MB", value / 1e6),
        Unit::Times => format!("{value:.2}"),
    }
}

/// Upper bounds of figures.
pub(crate) struct Budgets(Vec<Budget>);

struct Budget {
    name: String,
    most: f64,
}

impl Budgets {
    /// Reads `benches/performance/budgets.txt`.
    pub(crate) fn read(root: &Path) -> Self {
        let number = |text: &str| text.replace(',', "").parse().expect("a budget is a number");
        let rows = Rows::read(root, "performance/budgets.txt").swap_remove(0);
        let budget = |row: Row<'_>| Budget { name: row.text("figure").to_owned(), most: number(row.text("at most")) };
        Self(rows.iter().map(budget).collect())
    }

    fn of(&self, figure: &Figure) -> Option<f64> {
        self.0.iter().find(|budget| budget.name == figure.name).map(|budget| budget.most)
    }

    /// Reports whether a figure exceeds its budget. Times never do: a busy machine changes them.
    pub(crate) fn is_exceeded(&self, figure: &Figure) -> bool {
        figure.unit != Unit::Times && self.of(figure).is_some_and(|most| figure.value > most * TOLERANCE)
    }

    /// Prints each budget that is exceeded or was not measured. Reports whether there is none.
    pub(crate) fn check(&self, figures: &[Figure]) -> bool {
        let exceeded: Vec<&Figure> = figures.iter().filter(|figure| self.is_exceeded(figure)).collect();
        for figure in &exceeded {
            eprintln!("{}: {} is more than {}", figure.name, figure.value, self.of(figure).unwrap_or_default());
        }
        let is_measured = |name: &String| name == START_RATIO || figures.iter().any(|figure| figure.name == *name);
        let unknown: Vec<&String> =
            self.0.iter().map(|budget| &budget.name).filter(|name| !is_measured(name)).collect();
        for name in &unknown {
            eprintln!("{name} has a budget and was not measured");
        }
        exceeded.is_empty() && unknown.is_empty()
    }

    /// Formats figures and their budgets as a Markdown table.
    pub(crate) fn table(&self, figures: &[Figure]) -> String {
        let mut table = String::from("| figure | measured | at most |\n|---|---|---|\n");
        for figure in figures {
            let most = self.of(figure).map(|value| shown(value, figure.unit)).unwrap_or_default();
            writeln!(table, "| {} | {} | {most} |", figure.name, shown(figure.value, figure.unit)).expect("memory");
        }
        table
    }
}
