//! The workspace from outside: its folder, and the binaries of its packages.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::template;

/// The folder of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A function's binary: as `sam build` made it, where `GROUPS_ARTIFACTS` names its folder and it made this one.
pub fn function(name: &str) -> PathBuf {
    let Some(folder) = given("GROUPS_ARTIFACTS") else { return binary(name) };
    let folder = root().join(folder);
    let built = |name: &str| folder.join(format!("{}Function/bootstrap", resource_of(name)));
    let any = template().policies.keys().any(|function| built(function).is_file());
    assert!(any, "{} has no function: sam build", folder.display());
    Some(built(name)).filter(|path| path.is_file()).unwrap_or_else(|| binary(name))
}

/// A path that the developer, or the gate, gives.
#[expect(clippy::disallowed_methods, reason = "what to test, and with what, is the developer's to say")]
pub fn given(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// What the names of a function's resources begin with.
pub fn resource_of(function: &str) -> String {
    function.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The event recorded for a function.
pub fn recorded(function: &str) -> Value {
    let path = root().join(format!("tests/events/{function}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A binary of the workspace. Cargo builds for a test only the binaries of the test's own package, so all others are
/// built here, once a run.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(root());
        // What cargo tells a test about itself would make crates that watch these variables, and all that depend on
        // them, be built anew; and again after the tests.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&*name);
            }
        }
        let status = build.status().unwrap();
        assert!(status.success(), "the binaries do not build");
        // This test is at <target>/debug/deps/suite-<hash>.
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
    });
    folder.join(name)
}
