//! The table for the measured functions: a `cargo local` with the demo data, and groups created for the measurement.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running `cargo local`, which ends when this is dropped.
pub(crate) struct Local {
    child: Child,
    address: String,
    administrator: String,
    /// URL of the table.
    pub(crate) table: String,
}

impl Local {
    /// Starts it and reads its addresses from what it prints.
    pub(crate) fn start(binary: &str) -> Self {
        let child = Command::new(binary).args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("groups-local was built");
        let mut lines =
            BufReader::new(child.stdout.take().expect("standard output is piped")).lines().map_while(Result::ok);
        let mut after = |label: &str| lines.find_map(|line| line.strip_prefix(label).map(str::to_owned));
        let api = after("export API=http://").expect("it prints its address");
        let address = api.split('/').next().unwrap_or_default().to_owned();
        let administrator = after("export ADMIN=").expect("it prints a token");
        // Reads to the last line that it prints: it would end on a closed pipe.
        after("Documentation: ").expect("it prints where its documentation is");
        let mut local = Self { child, address, administrator, table: String::new() };
        local.table = local.text("GET", "/_local/table", &Value::Null);
        local
    }

    /// Creates this number of accounts, by events.
    pub(crate) fn create_accounts(&self, count: usize) {
        let events: Vec<Value> = (0..count)
            .map(|number| {
                let (name, at) = (format!("first.last.{number:05}"), "2024-01-15T10:30:00Z");
                let detail = json!({
                    "id": account_id(number), "name": name, "email": format!("{name}@company.com"), "status": "active",
                    "updated_at": at,
                });
                json!({ "detail-type": "Account Created", "source": "accounts", "detail": detail })
            })
            .collect();
        self.call("POST", "/_local/events", &json!(events));
        self.wait_until_idle();
    }

    /// Creates a group with this number of them as members; returns its id.
    pub(crate) fn create_group(&self, members: usize) -> String {
        let group = self.call("POST", "/api/v1/groups", &json!({ "name": format!("Of {members}") }));
        let group = group["id"].as_str().expect("the group was created").to_owned();
        let ids: Vec<String> = (0..members).map(account_id).collect();
        for batch in ids.chunks(500) {
            self.call("PATCH", &format!("/api/v1/groups/{group}/members"), &json!({ "add": batch }));
        }
        // Background work would disturb the measurement.
        self.wait_until_idle();
        group
    }

    fn wait_until_idle(&self) {
        assert_eq!(self.call("GET", "/_local/idle?timeout=600", &Value::Null), json!({ "idle": true }));
    }

    /// URL of its bus and queues.
    pub(crate) fn bus(&self) -> String {
        format!("http://{}/_local/aws", self.address)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        serde_json::from_str(&self.text(method, path, body)).expect("it answers in JSON")
    }

    fn text(&self, method: &str, path: &str, body: &Value) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.administrator,
            body.len()
        )
        .expect("it takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it answers in HTTP");
        assert!(head.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
        body.to_owned()
    }
}

/// Id of the account with this number.
pub(crate) fn account_id(number: usize) -> String {
    format!("acc-{number:05}")
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
