//! Reads the text files with tables: a line of column names, rows with ` | ` between cells, an empty line between tables.

use std::path::Path;

/// A table.
pub(crate) struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A row of a table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    cells: &'a [String],
}

impl Rows {
    /// Reads all tables of a file in `benches`.
    pub(crate) fn read(root: &Path, name: &str) -> Vec<Self> {
        let text = std::fs::read_to_string(root.join("benches").join(name)).expect("the file is checked in");
        text.split("\n\n").map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.split(" | ").map(str::to_owned).collect::<Vec<_>>());
        Self { columns: lines.next().unwrap_or_default(), rows: lines.collect() }
    }

    /// Iterates over the rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells })
    }

    /// Returns the number in a column of the row whose first cell is `name`.
    pub(crate) fn number_of(&self, name: &str, column: &str) -> f64 {
        let row = self.iter().find(|row| row.cells[0] == name);
        row.unwrap_or_else(|| panic!("no row is named {name}")).number(column)
    }
}

impl<'a> Row<'a> {
    /// Returns the cell in a column, or an empty text where the table has no such column.
    pub(crate) fn text(self, column: &str) -> &'a str {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.cells.get(place)).map_or("", String::as_str)
    }

    /// Returns the number in a column, or 0 where the table has no such column.
    pub(crate) fn number(self, column: &str) -> f64 {
        match self.text(column) {
            "" => 0.0,
            text => text.parse().unwrap_or_else(|_| panic!("{text} is not a number")),
        }
    }

    /// Reports whether the cell in a column is `text`.
    pub(crate) fn has(self, column: &str, text: &str) -> bool {
        self.text(column) == text
    }
}
