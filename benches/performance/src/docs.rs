//! Generates `docs/performance.md` and its plots, from a new measurement and from files that are checked in.

use std::path::{Path, PathBuf};

use crate::{calls, growth};

const DOCUMENT: &str = "docs/performance.md";
/// Heading of the measured section, and the beginning of the next heading.
const MEASURED: &str = "## Cost of the processes\n\n";
const NEXT: &str = "\n## ";

/// Writes the document and its plots, with `measured` as the measured section.
pub(crate) fn write(root: &Path, measured: &str) {
    std::fs::create_dir_all(root.join("docs/performance")).expect("docs can be written");
    for (path, text) in files(root, measured) {
        std::fs::write(path, text).expect("docs can be written");
    }
}

/// Reports whether the files match their sources; the measured section may differ.
pub(crate) fn match_sources(root: &Path) -> bool {
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let differ: Vec<PathBuf> = files(root, &measured(root))
        .into_iter()
        .filter(|(path, generated)| text(path) != *generated)
        .map(|(path, _)| path)
        .collect();
    for path in &differ {
        eprintln!("{} differs from its sources; `cargo bench -- --docs` generates it", path.display());
    }
    differ.is_empty()
}

/// Returns the measured section of the checked-in document.
pub(crate) fn measured(root: &Path) -> String {
    let text = std::fs::read_to_string(root.join(DOCUMENT)).unwrap_or_default();
    let (_, rest) = text.split_once(MEASURED).unwrap_or_default();
    rest.split_once(NEXT).unwrap_or_default().0.to_owned()
}

fn files(root: &Path, measured: &str) -> Vec<(PathBuf, String)> {
    let (growth, plots) = growth::section(root);
    let sections = [calls::section(root), growth].join("\n");
    let document = format!("{HEAD}{MEASURED}{measured}\n{sections}");
    let plots = plots.into_iter().map(|(file, image)| (root.join("docs/performance").join(file), image));
    std::iter::once((root.join(DOCUMENT), document)).chain(plots).collect()
}

const HEAD: &str = "# Performance

Written by `cargo bench`. It starts the release binaries under an emulated Lambda Runtime API, with the table and the bus of `cargo local`,
and compares them with a function that does nothing (`bare`).

- Instructions are callgrind's. A busy machine hardly changes them, but for handshakes that time out; a figure over its budget is measured
  again.
- *Start* is the process until it polls for its first event. It includes the connection to the table, which is opened before that.
- A warm call is the average of the hundred calls after the first.
- `add-member` and `apply-events` add a different account with each call.

`cargo bench -- --check`, which CI runs, compares the counts with `benches/performance/budgets.txt`, and this page with the files that it is
generated from. The ratio of times is not checked.

";
