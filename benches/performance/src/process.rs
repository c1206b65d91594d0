//! Runs a function's process, either under callgrind, which counts instructions, or directly.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::runtime_api::RuntimeApi;

/// Endpoints that a function calls.
#[derive(Clone)]
pub(crate) struct Endpoints {
    /// URL of the table.
    pub(crate) table: String,
    /// URL of the bus and the queues.
    pub(crate) bus: String,
    /// File of certificates to trust, when the table is behind TLS.
    pub(crate) ca_bundle: Option<String>,
}

/// Calls counted after the first: enough to average out an extra packet or the cost of the start.
const WARM: usize = 100;

/// A process to measure.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// The release binary.
    pub(crate) binary: &'a Path,
    /// Makes this number of events.
    pub(crate) events: &'a dyn Fn(usize) -> Vec<String>,
    /// Endpoints that it calls.
    pub(crate) endpoints: &'a Endpoints,
}

/// Instructions of a process.
pub(crate) struct Counts {
    /// From the start to the first poll.
    pub(crate) start: f64,
    /// Of the first call, until the next poll.
    pub(crate) first: f64,
    /// Of one of the hundred calls after the first, on average.
    pub(crate) warm: f64,
}

impl Run<'_> {
    /// Counts the instructions of its start and of calls.
    pub(crate) fn counts(&self) -> Counts {
        let [start, first, all] = [0, 1, 1 + WARM].map(|calls| self.instructions(calls) as f64);
        Counts { start, first: first - start, warm: (all - first) / WARM as f64 }
    }

    /// Counts instructions from the start of the process until it polls again after this number of calls.
    pub(crate) fn instructions(&self, calls: usize) -> u64 {
        let api = RuntimeApi::start((self.events)(calls));
        let out = std::env::temp_dir().join(format!("groups-callgrind-{}.out", std::process::id()));
        let mut command = Command::new("valgrind");
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display())).arg(self.binary);
        let child = self.start(command, &api);
        assert_success(&api.wait());
        end(child, "-TERM");
        let text = std::fs::read_to_string(&out).expect("callgrind writes its file");
        let _ = std::fs::remove_file(&out);
        let line =
            text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
        line.and_then(|count| count.trim().parse().ok()).expect("callgrind counts")
    }

    /// Measures the time from the start of the process to its first poll.
    pub(crate) fn start_time(&self) -> Duration {
        let api = RuntimeApi::start(Vec::new());
        let started = Instant::now();
        let child = self.start(Command::new(self.binary), &api);
        api.wait();
        let time = started.elapsed();
        end(child, "-KILL");
        time
    }

    /// Returns the peak memory of the process over this number of calls, in bytes (`VmHWM`).
    pub(crate) fn peak_memory(&self, calls: usize) -> u64 {
        let api = RuntimeApi::start((self.events)(calls));
        let child = self.start(Command::new(self.binary), &api);
        assert_success(&api.wait());
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the process runs");
        end(child, "-KILL");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("the kernel counts");
        kib * 1024
    }

    #[expect(clippy::disallowed_methods, reason = "PATH says where valgrind is")]
    fn start(&self, mut command: Command, api: &RuntimeApi) -> Child {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("AWS_LAMBDA_RUNTIME_API", &api.address);
        command.envs([
            ("TABLE_NAME", "groups"),
            ("ROLES_CLAIM", "cognito:groups"),
            ("ACTOR_CLAIM", "sub"),
            ("ACCOUNT_CLAIM", "sub"),
            ("ADMIN_ROLE", "Administrator"),
            ("READ_ROLES", ""),
            ("PRIVILEGED_ROLE", ""),
            ("SETTLE_BUDGET_MS", "300"),
            ("UNIQUE_GROUP_NAMES", "true"),
            ("TOKEN_DIGEST", "96dcd29bf442f4b510c4e6a88e095d3f9b492825c9d00bab9ebe6df81f2c6004"),
            ("FORMER_TOKEN_DIGEST", ""),
            ("TOKEN_ACTOR", "scim"),
            ("TOKEN_ROLES", "Administrator"),
            ("HISTORY_RETENTION_DAYS", "400"),
            ("METRICS_NAMESPACE", "groups"),
            ("EVENT_BUS_NAME", "default"),
            ("DEAD_LETTER_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"),
            ("REQUEST_PATIENCE_SECONDS", "60"),
            ("PRIVILEGED_SOURCES", ""),
            ("EXPIRY_NOTICE_DAYS", "7"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "f"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "f"),
        ]);
        // As long as a real one: signing hashes all of it.
        command.env("AWS_SESSION_TOKEN", "t".repeat(400));
        command.env("AWS_ENDPOINT_URL_DYNAMODB", &self.endpoints.table);
        for service in ["EVENTBRIDGE", "SQS"] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), &self.endpoints.bus);
        }
        command.envs(self.endpoints.ca_bundle.iter().map(|bundle| ("AWS_CA_BUNDLE", bundle)));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("valgrind and the binary exist")
    }
}

/// Checks that every call succeeded.
fn assert_success(answers: &[String]) {
    for answer in answers {
        let is_success = answer.starts_with("{\"statusCode\":200")
            || answer == "{\"batchItemFailures\":[]}"
            || answer.ends_with("\"isAuthorized\":true}");
        assert!(is_success, "{answer}");
    }
}

fn end(mut child: Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
    let _ = child.wait();
}
