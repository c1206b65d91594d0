//! The README's calls, run as they stand there.

use std::process::Command;

use crate::cargo_local::Server;
use crate::harness::workspace::root;

/// Every command of a `console` block with the output under it.
fn calls(readme: &str) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => calls.push((command.to_owned(), String::new())),
                None => calls.last_mut().unwrap().1.push_str(&format!("{line}\n")),
            }
        }
    }
    calls
}

/// Whether the output is as the README shows it; `…` stands for anything.
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

#[tokio::test(flavor = "multi_thread")]
async fn every_call_answers_as_shown() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let calls = calls(&readme);
    assert!(calls.len() >= 14, "the calls were found");
    let server = Server::start(&[]);
    for (command, shown) in calls {
        let command = command.replace("http://127.0.0.1:3000", &server.base);
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("ADMIN", &server.administrator)
            .env("READER", &server.reader)
            .env("API", format!("{}/api/v1/groups", server.base))
            .env("TEAM", "grp-018d0cab-c440-7000-8000-000000000001")
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap().replace('\r', "");
        assert!(is_as_shown(shown.trim_end(), output.trim_end()), "{command}\ngave\n{output}\nnot\n{shown}");
    }
}

#[test]
fn the_readme_has_every_route_of_the_template() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for route in &crate::harness::template().routes {
        let (method, path, function) = (&route.method, &route.path, &route.function);
        let row = format!("| `{method} {path}` | [{function}](functions/{function}/src/lib.rs) |");
        assert!(readme.contains(&row), "{row}");
    }
}
