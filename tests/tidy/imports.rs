//! Which file imports which: rooms and layers point one way, and no two files import each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::rust::{Mention, Path, code, definitions, paths};
use super::{Source, files};

/// The rooms of `shared`, each with the rooms that it may import.
const ROOMS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("authz", &["domain"]),
    ("api", &["domain"]),
    ("config", &["authz", "domain"]),
    ("http", &["api", "authz", "domain"]),
    ("aws", &["config", "domain"]),
    ("bus", &["aws", "config", "domain"]),
    ("store", &["authz", "aws", "config", "domain", "telemetry"]),
    ("events", &["api", "authz", "bus", "domain", "store"]),
    ("propagation", &["authz", "domain", "store", "telemetry"]),
    ("telemetry", &["domain"]),
    ("verify", &["domain", "propagation", "store"]),
    ("app", &["api", "authz", "aws", "bus", "config", "domain", "http", "propagation", "store", "telemetry"]),
];

/// The layers of `shared/src/store`, lowest first: at most six. A unit (a file or a folder) imports units of lower layers
/// only.
const LAYERS: [&[&str]; 6] = [
    &["keys", "hints"],
    &["table"],
    &["rows", "pagination"],
    &["jobs", "accounts", "group_snapshot", "pending"],
    &["groups", "members"],
    &["history", "maintenance", "stream"],
];

/// The one import within a layer: the first unit may import the second.
const WITHIN_LAYER: (&str, &str) = ("members", "groups");

/// Imports as (importing file, imported file).
type Imports = BTreeSet<(String, String)>;

/// The modules of a package.
struct Package<'a> {
    sources: BTreeMap<Vec<String>, &'a Source>,
    paths: BTreeMap<Vec<String>, Vec<Path>>,
}

/// The end of a path: a module, or an item that the module's file defines.
struct Target {
    module: Vec<String>,
    is_item: bool,
}

impl<'a> Package<'a> {
    /// Reads the files below the folder of a package's sources. Unit tests may import everything.
    fn new(folder: &str, sources: &'a [Source]) -> Self {
        let sources: BTreeMap<_, _> = sources
            .iter()
            .filter(|source| !source.is_test())
            .filter_map(|source| Some((module(folder, &source.path)?, source)))
            .collect();
        let paths = sources.iter().map(|(module, source)| (module.clone(), paths(&source.text))).collect();
        Self { sources, paths }
    }

    /// Returns every import between two files, except a parent's re-exports of its children.
    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, paths) in &self.paths {
            for path in paths {
                let Some(target) = self.resolve(module, &path.segments, 0) else { continue };
                // A module that is imported as a whole is followed where one of its items is mentioned.
                let is_followed = !target.is_item && path.name.is_some();
                let is_reexport_of_child = path.mention == Mention::Reexport && target.module.starts_with(module);
                if target.module != *module && !is_followed && !is_reexport_of_child {
                    imports.insert((self.path(module), self.path(&target.module)));
                }
            }
        }
        imports
    }

    fn path(&self, module: &[String]) -> String {
        self.sources[module].path.clone()
    }

    /// Follows a path that a module's file has, through re-exports, to the file that defines its item.
    fn resolve(&self, module: &[String], segments: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = segments.split_first()?;
        if depth > 16 {
            return None;
        }
        let child = [module, std::slice::from_ref(first)].concat();
        match first.as_str() {
            "crate" => self.follow(Vec::new(), rest, depth),
            "self" => self.follow(module.to_vec(), rest, depth),
            "super" => {
                let mut module = module;
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                for _ in 0..ups {
                    module = module.split_last()?.1;
                }
                self.follow(module.to_vec(), &segments[ups..], depth)
            }
            _ if self.sources.contains_key(&child) => self.follow(child, rest, depth),
            _ if rest.is_empty() => None,
            // A name that a `use` of this file has for a module.
            _ => {
                let path =
                    self.paths[module].iter().find(|path| imports_as(path, first) && path.segments != segments)?;
                let target = self.resolve(module, &path.segments, depth + 1)?;
                if target.is_item { None } else { self.follow(target.module, rest, depth + 1) }
            }
        }
    }

    /// Follows the segments from a module, by child modules and by names that its file imports.
    fn follow(&self, mut module: Vec<String>, segments: &[String], depth: usize) -> Option<Target> {
        for (at, segment) in segments.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.sources.contains_key(&child) {
                module = child;
            } else if let Some(target) = self.imported(&module, segment, depth) {
                let rest = &segments[at + 1..];
                return if target.is_item { Some(target) } else { self.follow(target.module, rest, depth + 1) };
            } else {
                return self.sources.contains_key(&module).then_some(Target { module, is_item: true });
            }
        }
        self.sources.contains_key(&module).then_some(Target { module, is_item: false })
    }

    /// Looks for a name among the `use`s of a module's file.
    fn imported(&self, module: &[String], name: &str, depth: usize) -> Option<Target> {
        let paths = self.paths.get(module)?;
        if let Some(path) = paths.iter().find(|path| imports_as(path, name)) {
            return self.resolve(module, &path.segments, depth + 1);
        }
        let globs = paths.iter().filter(|path| path.name.is_none() && path.mention == Mention::Reexport);
        let mut targets = globs.filter_map(|path| self.resolve(module, &path.segments, depth + 1));
        let target = targets.find(|target| self.defines(&target.module, name))?;
        Some(Target { is_item: true, ..target })
    }

    /// Whether the module's file defines a type, function or constant of this name.
    fn defines(&self, module: &[String], name: &str) -> bool {
        let text = &self.sources[module].text;
        let is_function = [format!("fn {name}("), format!("fn {name}<"), format!("const {name}:")];
        definitions(text).iter().any(|it| it == name) || is_function.iter().any(|it| text.contains(it))
    }
}

/// Whether the path is a `use` that makes its item or module known under this name.
fn imports_as(path: &Path, name: &str) -> bool {
    path.mention != Mention::Inline && path.name.as_deref() == Some(name)
}

/// Returns the path of the module that a file is: `[]` for `lib.rs`, `None` for files that no module can import.
fn module(folder: &str, path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    match inside {
        "lib" => module.clear(),
        "main" => return None,
        _ if module.last().is_some_and(|last| last == "mod") => drop(module.pop()),
        _ => {}
    }
    Some(module)
}

/// Returns all imports between the files of a package.
fn imports(folder: &str, sources: &[Source]) -> Imports {
    Package::new(folder, sources).imports()
}

fn imports_of_shared() -> Imports {
    let imports = imports("shared/src", &files("shared/src", "rs"));
    assert!(imports.len() > 150, "only {} imports were found", imports.len());
    imports
}

/// Returns the first part of a path below a folder: a folder or a file without its extension.
fn part<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')?.split('/').next().map(|part| part.trim_end_matches(".rs"))
}

#[test]
fn rooms_import_only_the_rooms_they_may() {
    let mut seen = BTreeSet::new();
    for (from, to) in imports_of_shared() {
        let (room, imported) = (part("shared/src", &from).unwrap(), part("shared/src", &to).unwrap());
        if room == imported {
            continue;
        }
        let rules = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, may_import) = rules.unwrap_or_else(|| panic!("{room} is a room without rules: add it to ROOMS"));
        assert!(may_import.contains(&imported), "{from} may not import {to}");
        seen.insert((room.to_owned(), imported.to_owned()));
    }
    assert!(seen.len() > 20, "only {} imports between rooms were found", seen.len());
}

#[test]
fn only_their_room_imports_these_packages_and_pure_rooms_stay_pure() {
    let mut rooms = BTreeSet::new();
    for source in files("shared/src", "rs").into_iter().filter(|source| !source.is_test()) {
        let (path, code) = (&source.path, code(&source.text));
        let room = part("shared/src", path).unwrap().to_owned();
        for (package, room_of) in [
            ("aws_sdk_dynamodb", "store"),
            ("serde_dynamo", "store"),
            ("aws_sdk_eventbridge", "bus"),
            ("aws_sdk_sqs", "bus"),
            ("aws_types", "aws"),
        ] {
            assert!(!code.contains(package) || room == room_of, "{path} imports {package}; only {room_of} may");
        }
        let is_pure = ["domain", "authz", "api"].contains(&room.as_str());
        let impure = ["async fn", "tokio", "lambda_http"].iter().find(|word| code.contains(**word));
        assert!(!is_pure || impure.is_none(), "{path} must be pure but has {}", impure.unwrap_or(&""));
        rooms.insert(room);
    }
    let expected = ROOMS.iter().map(|(room, _)| (*room).to_owned()).chain(["lib".to_owned()]).collect();
    assert_eq!(rooms, expected, "ROOMS lists the rooms of shared");
}

/// Returns a message for every import within `shared/src/store` that does not point to a lower layer.
fn wrong_layers(imports: &Imports) -> Vec<String> {
    const STORE: &str = "shared/src/store";
    let layer = |unit: &str| match unit {
        // Defines `Store` over the table. The imports of the module itself are not limited.
        "mod" => LAYERS.iter().position(|layer| layer.contains(&"table")),
        unit => LAYERS.iter().position(|layer| layer.contains(&unit)),
    };
    let mut wrong = BTreeSet::new();
    for (from, to) in imports {
        let (Some(unit), Some(imported)) = (part(STORE, from), part(STORE, to)) else { continue };
        let unknown = [unit, imported].into_iter().filter(|unit| layer(unit).is_none());
        wrong.extend(unknown.map(|unit| format!("{STORE}/{unit} is in no layer: add it to LAYERS")));
        let is_free = unit == imported || unit == "mod" || (unit, imported) == WITHIN_LAYER;
        if !is_free && layer(imported) >= layer(unit) && layer(unit).is_some() {
            wrong.insert(format!("{from} imports {to}, which is not in a lower layer"));
        }
    }
    wrong.into_iter().collect()
}

#[test]
fn layers_of_the_store_import_lower_layers_only() {
    let imports = imports_of_shared();
    let of_store =
        imports.iter().filter(|(from, to)| [from, to].iter().all(|path| path.starts_with("shared/src/store/")));
    assert!(of_store.count() > 40, "the imports of the store were found");
    let wrong = wrong_layers(&imports);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the shortest circle through each file that is in one, without repetitions.
fn circles(imports: &Imports) -> Vec<String> {
    let mut circles = BTreeMap::new();
    for (from, to) in imports {
        if let Some(path) = way(imports, to, from) {
            let files: BTreeSet<&str> = path.iter().copied().collect();
            circles.entry(files).or_insert_with(|| [&[from.as_str()], path.as_slice()].concat().join(" → "));
        }
    }
    circles.into_values().collect()
}

/// Returns the shortest way from one file to another, both included.
fn way<'a>(imports: &'a Imports, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([from]);
    let mut ways = VecDeque::from([vec![from]]);
    while let Some(way) = ways.pop_front() {
        let last = way[way.len() - 1];
        if last == to {
            return Some(way);
        }
        for (_, next) in imports.iter().filter(|(importing, _)| importing == last) {
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[next]].concat());
            }
        }
    }
    None
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let local = imports("infra/local/src", &files("infra/local/src", "rs"));
    assert!(local.len() > 20, "only {} imports were found", local.len());
    for imports in [imports_of_shared(), local] {
        let circles = circles(&imports);
        assert!(circles.is_empty(), "{}", circles.join("\n"));
    }
}

/// Returns the imports of files below `shared/src`, given by path and text.
fn fixture(files: &[(&str, &str)]) -> Imports {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source::new(&format!("shared/src/{path}"), text)).collect();
    imports("shared/src", &sources)
}

fn between(from: &str, to: &str) -> (String, String) {
    (format!("shared/src/{from}"), format!("shared/src/{to}"))
}

#[test]
fn import_leads_to_the_file_that_defines_the_name() {
    let found = fixture(&[
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::*; pub struct Own;"),
        ("a/one.rs", "use super::Own; pub struct One;"),
        ("a/two.rs", "use super::one as first; pub struct Two; fn f() { first::One }"),
        ("a/tests.rs", "use super::*; use crate::b::B;"),
        ("b.rs", "use crate::a::{self, One as Renamed, Two}; fn f(own: a::Own) { std::mem::drop(own) }"),
    ]);
    let expected = [
        between("a/one.rs", "a/mod.rs"),
        between("a/two.rs", "a/one.rs"),
        between("b.rs", "a/mod.rs"),
        between("b.rs", "a/one.rs"),
        between("b.rs", "a/two.rs"),
    ];
    assert_eq!(found, expected.into_iter().collect());
    assert_eq!(circles(&found), [] as [String; 0]);
}

#[test]
fn circle_is_found_through_reexports() {
    let found = fixture(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; mod y; mod z; pub use x::X; pub use z::Z;"),
        ("a/x.rs", "use super::y::y; pub struct X;"),
        ("a/y.rs", "use super::Z; pub fn y() {}"),
        ("a/z.rs", "pub struct Z(crate::a::X);"),
    ]);
    let circles = circles(&found);
    let circle = "shared/src/a/x.rs → shared/src/a/y.rs → shared/src/a/z.rs → shared/src/a/x.rs";
    assert_eq!(circles, [circle]);
}

#[test]
fn parent_that_uses_its_child_and_is_used_by_it_is_a_circle() {
    let files = |parent| [("lib.rs", "mod a;"), ("a/mod.rs", parent), ("a/b.rs", "use super::A; pub struct B(A);")];
    assert_eq!(circles(&fixture(&files("mod b; pub use b::B; pub struct A;"))), [] as [String; 0]);
    assert_eq!(circles(&fixture(&files("mod b; use b::B; pub struct A; fn f(b: B) {}"))).len(), 1);
}

#[test]
fn import_of_a_higher_or_unknown_layer_is_found() {
    let found = fixture(&[
        ("lib.rs", "pub mod store;"),
        (
            "store/mod.rs",
            "mod keys; mod table; mod groups; mod members; mod other; pub use groups::Group; pub struct Store;",
        ),
        ("store/keys/mod.rs", "mod key; pub use key::Key; use super::Group;"),
        ("store/keys/key.rs", "pub struct Key;"),
        ("store/table.rs", "use super::keys::Key; use super::Store;"),
        ("store/groups/mod.rs", "use crate::store::{Store, table::Table, members::Member}; pub struct Group;"),
        ("store/members.rs", "use super::groups::Group; pub struct Member;"),
        ("store/other.rs", "use super::keys::Key;"),
    ]);
    let wrong = wrong_layers(&found);
    let expected = [
        "groups/mod.rs imports shared/src/store/members.rs, which is not in a lower layer",
        "keys/mod.rs imports shared/src/store/groups/mod.rs, which is not in a lower layer",
        "other is in no layer: add it to LAYERS",
        "table.rs imports shared/src/store/mod.rs, which is not in a lower layer",
    ];
    assert_eq!(wrong, expected.map(|message| format!("shared/src/store/{message}")));
}
