//! An emulated Lambda Runtime API for one process (AWS Lambda Developer Guide, "Using the Lambda runtime API").
//!
//! Serves its events one after the other, then leaves the process waiting.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::vec::IntoIter;

/// Time for all calls of a process, under valgrind.
const REQUEST_TIME_BUDGET: Duration = Duration::from_secs(120);

/// The API, listening.
pub(crate) struct RuntimeApi {
    /// Host and port.
    pub(crate) address: String,
    waits: Receiver<()>,
    answers: Receiver<String>,
}

impl RuntimeApi {
    /// Starts one that serves these events.
    pub(crate) fn start(events: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (waiting, waits) = channel();
        let (answered, answers) = channel();
        thread::spawn(move || {
            let left = Arc::new(Mutex::new(events.into_iter()));
            // The client may open a connection for each of its requests.
            for stream in listener.incoming().map_while(Result::ok) {
                let (left, answered, waiting) = (Arc::clone(&left), answered.clone(), waiting.clone());
                thread::spawn(move || serve(stream, &left, &answered, &waiting));
            }
        });
        Self { address, waits, answers }
    }

    /// Waits until the process has answered every event and polls again; returns the answers.
    pub(crate) fn wait(self) -> Vec<String> {
        self.waits.recv_timeout(REQUEST_TIME_BUDGET).expect("the function asks for an event");
        self.answers.try_iter().collect()
    }
}

/// Serves a connection until it closes. Returns `None` when no event is left.
fn serve(
    mut stream: TcpStream,
    left: &Mutex<IntoIter<String>>,
    answered: &Sender<String>,
    waiting: &Sender<()>,
) -> Option<()> {
    // Without this, small writes wait for acknowledgements (Nagle's algorithm).
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    while let Some((line, body)) = request(&mut reader) {
        if line.starts_with("POST") {
            answered.send(body).ok()?;
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").ok()?;
            continue;
        }
        let mut left = left.lock().expect("nobody panics");
        let Some(event) = left.next() else {
            waiting.send(()).ok()?;
            // Keeps the process waiting until it is killed.
            let _ = reader.read(&mut [0]);
            return None;
        };
        let number = left.len() % 100;
        drop(left);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3f{:02}\r\n\
             lambda-runtime-deadline-ms: {}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
             lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{event}",
            number,
            in_ten_minutes(),
            event.len()
        );
        stream.write_all(answer.as_bytes()).ok()?;
    }
    Some(())
}

/// In milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a deadline is on the machine's clock")]
fn in_ten_minutes() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis()) + 600_000
}

/// Reads the first line and the body of a request. Returns `None` at the end of the connection.
fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let first = line(reader)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(reader)?.to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
        }
    }
    let mut body = read(reader, length)?;
    while chunked {
        let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
        body.extend(read(reader, size)?);
        line(reader)?;
        chunked = size > 0;
    }
    Some((first, String::from_utf8_lossy(&body).into_owned()))
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn read(reader: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
