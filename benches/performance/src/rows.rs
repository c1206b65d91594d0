//! The text files with tables that this reads: cells between bars, a line of names first, tables apart by an empty line.

use std::path::Path;

/// A table.
pub(crate) struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// One of its lines.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    cells: &'a [String],
}

impl Rows {
    /// All tables of a file in `benches`.
    pub(crate) fn read(root: &Path, name: &str) -> Vec<Self> {
        let text = std::fs::read_to_string(root.join("benches").join(name)).expect("it is checked in");
        text.split("\n\n").map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.split(" | ").map(str::to_owned).collect::<Vec<_>>());
        Self { columns: lines.next().unwrap_or_default(), rows: lines.collect() }
    }

    /// Its columns' names.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Its lines.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells })
    }

    /// The number in a column of the line that begins so.
    pub(crate) fn number_of(&self, what: &str, column: &str) -> f64 {
        let row = self.iter().find(|row| row.cells[0] == what);
        row.unwrap_or_else(|| panic!("nothing tells of {what}")).number(column)
    }
}

impl<'a> Row<'a> {
    /// What it has in a column; nothing where there is no such column.
    pub(crate) fn text(self, column: &str) -> &'a str {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.cells.get(place)).map_or("", String::as_str)
    }

    /// The number in a column; none where there is no such column.
    pub(crate) fn number(self, column: &str) -> f64 {
        match self.text(column) {
            "" => 0.0,
            text => text.parse().unwrap_or_else(|_| panic!("{text} is no number")),
        }
    }

    /// Whether it has this there.
    pub(crate) fn has(self, column: &str, text: &str) -> bool {
        self.text(column) == text
    }
}
