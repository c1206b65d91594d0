//! `docs/performance.md` and its plots: what was measured now, and what follows from files that are checked in.

use std::path::{Path, PathBuf};

use crate::{alternatives, calls, growth};

const DOCUMENT: &str = "docs/performance.md";
/// What begins the part that was measured, and what comes after each part.
const MEASURED: &str = "## What the processes cost\n\n";
const NEXT: &str = "\n## ";

/// Writes them, with this measured.
pub(crate) fn write(root: &Path, measured: &str) {
    std::fs::create_dir_all(root.join("docs/performance")).expect("docs can be written");
    for (path, text) in files(root, measured) {
        std::fs::write(path, text).expect("docs can be written");
    }
}

/// Whether they are what would be written, but for what is measured each time.
pub(crate) fn are_true(root: &Path) -> bool {
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let differ: Vec<PathBuf> = files(root, &measured(root))
        .into_iter()
        .filter(|(path, now)| text(path) != *now)
        .map(|(path, _)| path)
        .collect();
    for path in &differ {
        eprintln!("{} is not what its sources say; `cargo bench -- --docs` writes it anew", path.display());
    }
    differ.is_empty()
}

/// What was measured when they were written.
pub(crate) fn measured(root: &Path) -> String {
    let text = std::fs::read_to_string(root.join(DOCUMENT)).unwrap_or_default();
    let (_, rest) = text.split_once(MEASURED).unwrap_or_default();
    rest.split_once(NEXT).unwrap_or_default().0.to_owned()
}

fn files(root: &Path, measured: &str) -> Vec<(PathBuf, String)> {
    let (growth, plots) = growth::section(root);
    let sections = [calls::section(root), growth, alternatives::section(root)].join("\n");
    let document = format!("{HEAD}{MEASURED}{measured}\n{sections}");
    let plots = plots.into_iter().map(|(file, image)| (root.join("docs/performance").join(file), image));
    std::iter::once((root.join(DOCUMENT), document)).chain(plots).collect()
}

const HEAD: &str = "# What it costs

Written by `cargo bench`, which starts the release binaries under an emulated Lambda Runtime API, over a table and a bus of `cargo local`,
beside a function that does nothing (`bare`). Instructions are callgrind's: nearly the same on a busy machine and on an idle one, but for
handshakes that run out of time; what is too much is measured again. *Start* is all of the process until it asks for its first event, the
connection to the table included, which is opened before that; a warm call is one of a hundred after the first. `add-member` and
`apply-events` add another account with each call. `cargo bench -- --check` holds the counts to `benches/performance/budgets.txt` and this
page to the files it is made from, as CI does; the ratio of times is for people.

";
