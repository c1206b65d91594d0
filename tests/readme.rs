//! The calls shown in `README.md` and `docs/tour.md`: each file is run, in its order, against its own `cargo local`.

use std::process::Command;

use crate::cargo_local::Server;
use crate::harness::workspace::root;

/// Returns every command of the `console` blocks with the output shown below it.
fn calls(document: &str) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for block in document.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => calls.push((command.to_owned(), String::new())),
                None => calls.last_mut().unwrap().1.push_str(&format!("{line}\n")),
            }
        }
    }
    calls
}

/// Whether the output is as shown, where `…` matches any text.
fn is_as_shown(shown: &str, output: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = output.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Runs the calls of a document, of which there are at least `expected_calls`, twice against one server.
fn assert_calls_answer_as_shown(document: &str, expected_calls: usize) {
    let calls = calls(&std::fs::read_to_string(root().join(document)).unwrap());
    assert!(calls.len() >= expected_calls, "{document} shows {} calls", calls.len());
    // More than the embedded table needs when all tests run at once.
    let server = Server::start_with(&[], &[("SETTLE_BUDGET_MS", "5000")]);
    let scim_token = crate::cargo_local::command(&["scim-token"]).output().unwrap().stdout;
    let scim_token = String::from_utf8(scim_token).unwrap().trim().to_owned();
    for (command, shown) in calls.iter().chain(&calls) {
        let command = command.replace("http://127.0.0.1:3000", &server.base);
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("ADMIN", &server.administrator)
            .env("READER", &server.reader)
            .env("API", format!("{}/api/v1/groups", server.base))
            .env("SCIM", format!("{}/scim/v2", server.base))
            .env("SCIM_TOKEN", &scim_token)
            .env("TEAM", "grp-018d0cab-c440-7000-8000-000000000001")
            .env("FINANCE", "grp-018d0cab-c440-7000-8000-000000000006")
            .env("NEWSLETTER", "grp-018d0cab-c440-7000-8000-000000000007")
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap().replace('\r', "");
        assert!(is_as_shown(shown.trim_end(), output.trim_end()), "{command}\nprinted\n{output}\nnot\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_scim_guide_answers_as_shown() {
    assert_calls_answer_as_shown("docs/scim.md", 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_readme_answers_as_shown() {
    assert_calls_answer_as_shown("README.md", 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_tour_answers_as_shown() {
    assert_calls_answer_as_shown("docs/tour.md", 32);
}

#[test]
fn the_readme_has_every_route_of_the_template() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for route in crate::harness::template().documented_routes() {
        let (method, path, function) = (&route.method, &route.path, &route.function);
        let row = format!("| `{method} {path}` | [{function}](functions/{function}/src/lib.rs) |");
        assert!(readme.contains(&row), "{row}");
    }
}
