//! The binary of `cargo local`: its flags, its data file, and its behaviour when killed.

mod demo;
mod events;
mod footprint;
mod nesting;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use reqwest::{Client, Method, RequestBuilder};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::harness::exchange::Listener;
use crate::harness::log::canary_in;
use crate::harness::workspace::{binary, root};
use crate::harness::{Answer, numbered};

const ENGINEERING_TEAM: &str = "grp-018d0cab-c440-7000-8000-000000000001";

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("groups-local"));
    command.current_dir(root()).args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    pub base: String,
    pub administrator: String,
    pub reader: String,
    /// Printed after the lines of the environment.
    greeting: Vec<String>,
    client: Client,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts on a port of its own and reads what it prints, up to the last of the three lines to paste.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// As [`Self::start`], with these variables in the server's environment.
    pub fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        // Killed, it cannot clean up after itself.
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command(&[&["--port", "0"], arguments].concat())
            .env("TMPDIR", folder.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut value = |name: &str| {
            let line = lines.next().expect("the server prints its lines at the start");
            line.strip_prefix(&format!("export {name}=")).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        let [api, administrator, reader] = [value("API"), value("ADMIN"), value("READER")];
        let base = api.strip_suffix("/api/v1/groups").unwrap().to_owned();
        let greeting: Vec<String> = lines.take(2).collect();
        Self { child, base, administrator, reader, greeting, client: Client::new(), folder }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/v1/groups{path}", self.base)).bearer_auth(&self.administrator)
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}/api/v1/groups{path}", self.base)).bearer_auth(&self.reader);
        Answer::to(request).await.ok()
    }

    /// Waits until all events, records and jobs are processed.
    async fn wait_until_idle(&self) {
        let idle = self.client.get(format!("{}/_local/idle?timeout=600", self.base)).send().await.unwrap();
        assert_eq!(idle.json::<Value>().await.unwrap(), json!({ "idle": true }));
    }

    /// The server's log so far, with all times as zero.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let words = log.split_inclusive(' ').collect::<Vec<_>>();
        let is_time = |at: usize| words.get(at + 1).is_some_and(|next| next.starts_with("ms "));
        (0..words.len()).map(|at| if is_time(at) { "0 " } else { words[at] }).collect()
    }

    /// The URL of the table.
    async fn table(&self) -> String {
        self.client.get(format!("{}/_local/table", self.base)).send().await.unwrap().text().await.unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test may have ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        assert!(std::thread::panicking() || canary_in(&log).is_none(), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_greets_with_five_lines_to_paste() {
    let server = Server::start(&[]);
    let [curl, docs] = &server.greeting[..] else { panic!("{:?}", server.greeting) };
    let api = format!("{}/api/v1/groups", server.base);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{curl} --silent --fail")]).env("API", api).env("READER", &server.reader);
    let output = shell.output().unwrap();
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page["groups"].as_array().unwrap().len(), 5);
    assert_eq!(*docs, format!("Documentation: {}/docs", server.base));
    assert_eq!(server.log(), "200 GET /api/v1/groups?limit=5 0 ms reader\n", "seeding is quiet");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_log_in_json_where_asked() {
    let server = Server::start(&["--log", "json"]);
    server.get("?limit=1").await;
    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["message"] == "request").count(), 1, "{log}");
}

#[test]
fn version_and_completion_are_printed() {
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("cargo local {}\n", env!("CARGO_PKG_VERSION")));
    let completion = String::from_utf8(run(&["completion", "bash"]).stdout).unwrap();
    assert!(completion.contains("complete -F") && completion.contains("--expires-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_server_has_no_groups() {
    let server = Server::start(&["--demo", "none"]);
    assert_eq!(server.get("").await["groups"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_token_is_one_line_and_verifies() {
    let server = Server::start(&[]);
    let token = |arguments: &[&str]| {
        let output = run(&[&["token"], arguments].concat());
        assert!(output.status.success() && output.stderr.is_empty());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!((text.lines().count(), text.ends_with('\n')), (1, true));
        text.trim_end().to_owned()
    };
    let status = async |token: String| {
        let request = server.client.post(format!("{}/api/v1/groups", server.base)).bearer_auth(token);
        request.json(&json!({ "name": "A" })).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(token(&["--role", "Administrator", "--sub", "alice"])).await, 201);
    assert_eq!(status(token(&["--role", "Reader", "--role", "Administrator"])).await, 201);
    assert_eq!(status(token(&["--role", "Reader"])).await, 403);
    assert_eq!(status(token(&[])).await, 403);
    assert_eq!(status(token(&["--role", "Administrator", "--expires-in", "-1"])).await, 401);
    assert_eq!(status(token(&["--role", "Administrator", "--expires-in", "60"])).await, 201);
    token(&["--expires-in", "9223372036854775807"]);
}

/// Checks for one clear line on standard error and the exit status.
#[track_caller]
fn assert_refused(output: &Output, status: i32, message: &str) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(error.starts_with("error: ") && error.contains(message), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--port", &port]);
    assert_refused(&output, 1, &format!("port {port} is in use; choose another with --port"));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
fn foreign_data_file_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let file = file.to_str().unwrap();
    std::fs::write(file, "no database at all\n".repeat(1_000)).unwrap();
    let foreign = folder.path().join("foreign.db");
    let foreign = foreign.to_str().unwrap();
    rusqlite::Connection::open(foreign).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    for path in [file, foreign, "/no/such/folder/table.db", folder.path().to_str().unwrap()] {
        let output = run(&["--port", "0", "--data", path]);
        assert_refused(&output, 1, &format!("cannot open the data file {path}"));
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    }
    assert!(std::fs::read_to_string(file).unwrap().starts_with("no database"), "the file is unchanged");
}

#[test]
fn invalid_endpoint_is_one_clear_line() {
    for (url, message) in [
        ("localhost", "--endpoint-url localhost is not an http URL"),
        ("http://127.0.0.1:9", "cannot create the table"),
    ] {
        let output = run(&["--port", "0", "--endpoint-url", url]);
        assert_refused(&output, 1, message);
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    }
}

#[test]
fn invalid_flag_exits_with_2() {
    for arguments in [
        &["--prot", "1"] as &[&str],
        &["--port", "x"],
        &["--port", "65536"],
        &["token", "--expires-in", "soon"],
        &["token", "--role", "x Administrator"],
        &["serve"],
        &["--data", "a", "--endpoint-url", "http://127.0.0.1:8000"],
    ] {
        assert_refused(&run(arguments), 2, "");
    }
}

#[test]
fn outside_a_workspace_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&["token"]).current_dir(folder.path()).output().unwrap();
    assert_refused(&output, 1, "there is no template.yaml here or in a folder above");
}

#[test]
fn developers_variables_are_checked_as_the_templates() {
    let output = command(&["token"]).env("SETTLE_BUDGET_MS", "soon").output().unwrap();
    assert_refused(&output, 1, "environment variable SETTLE_BUDGET_MS is not a whole number of milliseconds");
}

/// Damage in the middle of a file is found at the start, not by a later request.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_file_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let path = file.to_str().unwrap();
    // A restart moves everything from the write-ahead log to the file.
    start_with_accounts(&file, 500).await.kill();
    assert!(starts_and_stops(path), "the file is undamaged");
    let mut bytes = std::fs::read(&file).unwrap();
    let (from, to) = (bytes.len() / 3, bytes.len() / 2);
    bytes[from..to].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let output = run(&["--port", "0", "--data", path]);
    assert_refused(&output, 1, "it is damaged, or no data file of this server's");
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

fn starts_and_stops(path: &str) -> bool {
    let mut server = Server::start(&["--data", path]);
    let pid = server.child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap().success() && server.child.wait().unwrap().success()
}

/// Kills a server during a thousand writes. After a restart, every acknowledged write is there and the counts are exact.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.db");
    let server = &start_with_accounts(&file, 1_000).await;
    let group = Answer::to(server.request(Method::POST, "").json(&json!({ "name": "Survivors" }))).await;
    let id = group.body["id"].as_str().unwrap();

    let pid = server.child.id().to_string();
    let writes = stream::iter(0..1_000).map(|number| async move {
        let path = format!("/{id}/members/{}", numbered(number));
        let acknowledged = server.request(Method::PUT, &path).send().await;
        acknowledged.is_ok_and(|response| response.status() == 200).then_some(number)
    });
    let mut acknowledged: Vec<usize> = Vec::new();
    let mut writes = std::pin::pin!(writes.buffer_unordered(100));
    while let Some(number) = writes.next().await {
        acknowledged.extend(number);
        if acknowledged.len() == 300 {
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        }
    }
    assert!((300..1_000).contains(&acknowledged.len()), "{} were acknowledged before the kill", acknowledged.len());

    let restarted = Server::start(&["--data", file.to_str().unwrap()]);
    let members = restarted.get(&format!("/{id}/members")).await;
    let ids: Vec<&str> = members["members"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    for number in &acknowledged {
        assert!(ids.contains(&numbered(*number).as_str()), "{} was acknowledged but is lost", numbered(*number));
    }
    let group = restarted.get(&format!("/{id}")).await;
    assert_eq!((&group["member_count"], &members["count"]), (&json!(ids.len()), &json!(ids.len())));
    assert_eq!(group["direct_member_count"], json!(ids.len()));
    for number in (0..1_000).step_by(100) {
        let account = numbered(number);
        let groups = restarted.get(&format!("?member={account}")).await;
        let listed = !groups["groups"].as_array().unwrap().is_empty();
        assert_eq!(listed, ids.contains(&account.as_str()), "the group and the account agree about {account}");
    }
    restarted.wait_until_idle().await;
    let listener = listener_to(&file);
    listener.assert_knows_all_of(&restarted.base, &restarted.reader).await;
    restarted.kill();
}

/// Returns a listener that has received everything published by a server with this data file, in random order.
fn listener_to(file: &Path) -> Listener {
    let events = groups_local::poller::beside(file, ".events");
    let events = Connection::open_with_flags(events, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = events.prepare("SELECT event FROM published ORDER BY random()").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut listener = Listener::default();
    rows.for_each(|event| listener.hear(&serde_json::from_str(&event.unwrap()).unwrap()));
    listener
}

async fn start_with_accounts(file: &Path, count: usize) -> Server {
    let server = Server::start(&["--data", file.to_str().unwrap(), "--demo", "none"]);
    let events: Vec<Value> = (0..count)
        .map(|number| {
            let id = numbered(number);
            let detail = json!({
                "id": id, "name": id, "email": "", "status": "active", "updated_at": "2024-01-15T10:30:00Z",
            });
            json!({ "detail-type": "Account Created", "source": "accounts", "detail": detail })
        })
        .collect();
    // A request can carry no more events than these.
    for some in events.chunks(10_000) {
        let request = server.client.post(format!("{}/_local/events", server.base)).json(some);
        let reply: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(reply, json!({ "received": some.len() }));
    }
    server.wait_until_idle().await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_server_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("groups.db");
    // Of an earlier version.
    std::fs::write(&data, "").unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::start(&["--data", data.to_str().unwrap()]);
    server.wait_until_idle().await;

    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.len() >= 4, "table, bus and positions: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[test]
fn second_server_on_a_data_file_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("groups.db");
    let arguments = ["--port", "0", "--data", data.to_str().unwrap()];
    let server = Server::start(&arguments[2..]);

    let second = run(&arguments);

    let expected = format!("error: another server uses the data file {}\n", data.display());
    assert_eq!((second.status.success(), String::from_utf8(second.stderr).unwrap()), (false, expected));
    server.kill();
    // A killed server holds nothing.
    Server::start(&arguments[2..]).kill();
}

/// A page of a browser sends its origin, and one that rebinds its name to this machine that name as the host.
#[tokio::test(flavor = "multi_thread")]
async fn web_page_reaches_neither_the_table_nor_the_local_endpoints() {
    let server = Server::start(&["--demo", "none"]);
    let table = server.table().await;
    let scan = |header: (&'static str, &'static str)| {
        let request = server.client.post(&table).header(header.0, header.1);
        let signed =
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let request = request.header("authorization", signed).header("x-amz-date", "20260101T000000Z");
        request
            .header("x-amz-target", "DynamoDB_20120810.ListTables")
            .header("content-type", "application/x-amz-json-1.0")
            .body("{}")
    };
    let events = |header: (&'static str, &'static str)| {
        server.client.get(format!("{}/_local/dead-letters", server.base)).header(header.0, header.1)
    };
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "evil.example:3000"),
        ("host", "127.0.0.1.evil.example"),
    ] {
        for request in [scan(header), events(header)] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{header:?}");
            assert!(!response.headers().contains_key("access-control-allow-origin"), "{header:?}");
        }
    }
    for header in [("accept", "*/*"), ("host", "localhost:1")] {
        for request in [scan(header), events(header)] {
            assert_eq!(request.send().await.unwrap().status(), 200, "{header:?}");
        }
    }
}

#[test]
fn verify_without_credentials_says_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut verify = command(&["verify"]);
    let output = verify.env_clear().env("HOME", folder.path()).env("AWS_REGION", "us-east-1").output().unwrap();
    let reason = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && reason.starts_with("error: there are no AWS credentials: set AWS_PROFILE"),
        "{reason}"
    );
    assert_eq!(reason.lines().count(), 1, "{reason}");
    assert!(started.elapsed() < Duration::from_secs(8), "the chain alone takes longer");
}
