//! `cargo local` with nested groups: the stream, kills during a job, `verify`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ENGINEERING_TEAM, Server, assert_refused, listener_to, run, start_with_accounts};
use crate::harness::{Answer, numbered, variable};

/// Nests a group with many members and kills the server twice during the job, which continues after each restart.
#[tokio::test(flavor = "multi_thread")]
async fn nesting_job_survives_kills() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let path = file.to_str().unwrap();
    let count = usize::try_from(variable("GROUPS_TEST_MEMBERS").unwrap_or(1_500)).unwrap();
    let server = start_with_accounts(&file, count).await;
    let mut ids = Vec::new();
    for name in ["Parent", "Child"] {
        let group = Answer::to(server.request(Method::POST, "").json(&json!({ "name": name }))).await;
        ids.push(group.body["id"].as_str().unwrap().to_owned());
    }
    for start in (0..count).step_by(500) {
        let add: Vec<String> = (start..count.min(start + 500)).map(numbered).collect();
        let request = server.request(Method::PATCH, &format!("/{}/members", ids[1])).json(&json!({ "add": add }));
        let body = Answer::to(request).await.ok();
        let outcomes = body["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), add.len());
        assert!(outcomes.iter().all(|it| it["outcome"] == json!("added")));
    }
    let started = Instant::now();
    let nest = Answer::to(server.request(Method::PUT, &format!("/{}/groups/{}", ids[0], ids[1]))).await;
    assert_eq!((nest.status.as_u16(), nest.header("membership-settled")), (200, Some("false")));
    assert!(started.elapsed() < Duration::from_secs(5), "the reply does not wait for the job");
    let mut server = server;
    for _ in 0..2 {
        let before = server.get(&format!("/{}", ids[0])).await["member_count"].as_u64().unwrap();
        while server.get(&format!("/{}", ids[0])).await["member_count"].as_u64().unwrap() < before + 100 {}
        server.kill();
        server = Server::start(&["--data", path]);
        let count = server.get(&format!("/{}", ids[0])).await["member_count"].clone();
        assert!(count.as_u64().unwrap() <= 1_000_000);
    }
    let idle = server.client.get(format!("{}/_local/idle?timeout=600", server.base)).send().await.unwrap();
    assert_eq!(idle.status().as_u16(), 200);
    let group = server.get(&format!("/{}", ids[0])).await;
    assert_eq!((&group["member_count"], &group["direct_member_count"]), (&json!(count), &json!(0)));
    if count <= 10_000 {
        listener_to(&file).assert_knows_all_of(&server.base, &server.reader).await;
    }
    server.kill();
    let output = run(&["verify", "--data", path]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 found\n");
    assert!(output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_and_repairs_violations() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let path = file.to_str().unwrap();
    Server::start(&["--data", path]).kill();
    assert!(run(&["verify", "--data", path]).status.success());
    let change = "UPDATE groups SET item_json = replace(item_json, '\"member_count\":{\"N\":\"45\"}', \
                  '\"member_count\":{\"N\":\"44\"}')";
    rusqlite::Connection::open(&file).unwrap().execute_batch(change).unwrap();
    let output = run(&["verify", "--data", path]);
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.starts_with(&format!("2: {ENGINEERING_TEAM}: counts 44 members")), "{report}");
    assert!(report.ends_with("1 found\n"), "{report}");
    assert!(run(&["verify", "--data", path, "--repair"]).status.success());
    assert!(run(&["verify", "--data", path]).status.success());
    let running = Server::start(&["--data", path]);
    let output = run(&["verify", "--endpoint-url", &running.table().await]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 found\n");
    for arguments in [&["verify", "--data", "/no/such/file"] as &[&str], &["verify", "--endpoint-url", "localhost"]] {
        assert_refused(&run(arguments), 1, "");
    }
    let output = run(&["verify", "--endpoint-url", &running.table().await, "--table", "no-such-table"]);
    assert_refused(&output, 1, "cannot read the table no-such-table: Scan failed: ResourceNotFoundException");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_replies_once_everything_is_processed() {
    let server = Server::start(&[]);
    let idle = async |query: &str| {
        let response = server.client.get(format!("{}/_local/idle{query}", server.base)).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    assert_eq!(idle("").await, (200, json!({ "idle": true })));
    assert_eq!(idle("?timeout=60").await, (200, json!({ "idle": true })));
    let (status, body) = idle("?timeout=0").await;
    assert!(matches!((status, body["idle"].as_bool()), (200, Some(true)) | (504, Some(false))));
    for query in ["?timeout=x", "?timeout=601", "?timeout=", "?wait=1"] {
        assert_eq!(idle(query).await.0, 400);
    }
    let deleted = server.request(Method::DELETE, &format!("/{ENGINEERING_TEAM}")).send().await.unwrap();
    assert_eq!(deleted.status().as_u16(), 204);
    assert_eq!(idle("?timeout=60").await.0, 200);
    let output = run(&["verify", "--endpoint-url", &server.table().await]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 found\n");
}
