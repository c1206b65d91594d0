//! Finds the folder of the workspace, the binaries of its packages and the recorded events.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::template;

/// Returns the folder of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the path of a function's binary. If `GROUPS_ARTIFACTS` names the output folder of `sam build` and has this
/// function, it is that one, else cargo's.
pub fn function(name: &str) -> PathBuf {
    let Some(folder) = given("GROUPS_ARTIFACTS") else { return binary(name) };
    let folder = root().join(folder);
    let built = |name: &str| folder.join(format!("{}Function/bootstrap", resource_of(name)));
    let any = template().policies.keys().any(|function| built(function).is_file());
    assert!(any, "{} has no function: sam build", folder.display());
    Some(built(name)).filter(|path| path.is_file()).unwrap_or_else(|| binary(name))
}

/// Reads a path from the environment, set by a developer or the gate.
#[expect(clippy::disallowed_methods, reason = "which files and tools to test with is the developer's to say")]
pub fn given(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// Returns the prefix of the names of a function's resources.
pub fn resource_of(function: &str) -> String {
    function.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Returns the recorded event of a function.
pub fn recorded(function: &str) -> Value {
    let path = root().join(format!("tests/events/{function}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns the path of a binary of the workspace. Cargo builds only the binaries of a test's own package for it. The first
/// call in a run builds the others.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(root());
        // Cargo sets these variables for a test. Crates that watch them, and all that depend on those, would be compiled
        // again now and once more after the tests.
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
