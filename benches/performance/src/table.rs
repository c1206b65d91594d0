//! The table that the functions ask: that of a `cargo local`, with the demo data and groups of our own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running `cargo local`; ended when dropped.
pub(crate) struct Local {
    child: Child,
    address: String,
    administrator: String,
    /// The table's URL.
    pub(crate) table: String,
}

impl Local {
    /// Starts it, and reads what it prints.
    pub(crate) fn start(binary: &str) -> Self {
        let child = Command::new(binary).args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it was built");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut after = |label: &str| lines.find_map(|line| line.strip_prefix(label).map(str::to_owned));
        let address = after("Groups API on http://").expect("it says where it is");
        let table = after("Table on ").expect("it says where the table is");
        after("Administrator's token:").expect("it has a token");
        let administrator = lines.next().expect("it has a token");
        // To the last of what it prints: it would take a closed pipe for the end.
        lines.find(|line| line.contains("My first group")).expect("it says how to make a group");
        Self { child, address, administrator, table }
    }

    /// Makes so many accounts known.
    pub(crate) fn accounts(&self, count: usize) {
        let events: Vec<Value> = (0..count)
            .map(|number| {
                let (name, at) = (format!("first.last.{number:05}"), "2024-01-15T10:30:00Z");
                let detail = json!({
                    "id": account(number), "name": name, "email": format!("{name}@company.com"), "status": "active",
                    "updated_at": at,
                });
                json!({ "detail-type": "Account Created", "source": "accounts", "detail": detail })
            })
            .collect();
        self.call("POST", "/_local/events", &json!(events));
        self.rest();
    }

    /// A group of so many of them; its id.
    pub(crate) fn group(&self, members: usize) -> String {
        let group = self.call("POST", "/api/v1/groups", &json!({ "name": format!("Of {members}") }));
        let group = group["id"].as_str().expect("it was created").to_owned();
        let ids: Vec<String> = (0..members).map(account).collect();
        for some in ids.chunks(500) {
            self.call("PATCH", &format!("/api/v1/groups/{group}/members"), &json!({ "add": some }));
        }
        // What follows from it is not to be in the way of what is measured.
        self.rest();
        group
    }

    fn rest(&self) {
        assert_eq!(self.call("GET", "/_local/idle?timeout=600", &Value::Null), json!({ "idle": true }));
    }

    /// The URL of its bus and queues.
    pub(crate) fn bus(&self) -> String {
        format!("http://{}/_local/aws", self.address)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
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
        serde_json::from_str(body).expect("it answers in JSON")
    }
}

/// The id of an account, by its number.
pub(crate) fn account(number: usize) -> String {
    format!("acc-{number:05}")
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
