//! What the environment decides.

use std::time::Duration;

use crate::authz::{Policy, Role};

/// What a deployment decides; see `template.yaml` for where each comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `TABLE_NAME`: the table.
    pub table_name: String,
    /// `ROLES_CLAIM`: the claim of the token with the caller's roles.
    pub roles_claim: String,
    /// `ADMIN_ROLE` and `READ_ROLES` (comma-separated, may be empty): who may do what.
    pub policy: Policy,
    /// `SETTLE_BUDGET_MS`: how long a write may go on to bring groups above up to date before it answers.
    pub settle_budget: Duration,
}

/// What a deployment decides of taking events in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyEventsConfig {
    /// `DEAD_LETTER_QUEUE_URL`: where events go that can never be taken.
    pub dead_letter_queue_url: String,
    /// `REQUEST_PATIENCE_SECONDS`: how long a request waits for its account to be known.
    pub request_patience: Duration,
}

/// What a deployment decides of sending events out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishEventsConfig {
    /// `EVENT_BUS_NAME`: where they go.
    pub event_bus_name: String,
    /// `DEAD_LETTER_QUEUE_URL`: where those go that the bus can never take.
    pub dead_letter_queue_url: String,
}

/// How AWS is reached.
pub struct AwsConfig {
    /// `AWS_REGION`.
    pub region: String,
    /// Who asks.
    pub credentials: AwsCredentials,
    /// What `AWS_CA_BUNDLE` names, where it is set: certificates to trust instead of Amazon's.
    pub ca_bundle: Option<Vec<u8>>,
    /// Services that are somewhere else: `AWS_ENDPOINT_URL_…`.
    pub endpoints: Vec<(Service, String)>,
}

/// Credentials as Lambda gives them, good for as long as the environment lives.
pub struct AwsCredentials {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub key: [String; 2],
    /// `AWS_SESSION_TOKEN`, where it is set.
    pub session_token: Option<String>,
}

/// The services of AWS that are asked for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// The bus.
    EventBridge,
    /// The queues.
    Sqs,
}

impl Service {
    const ALL: [(Self, &'static str); 3] = [
        (Self::DynamoDb, "AWS_ENDPOINT_URL_DYNAMODB"),
        (Self::EventBridge, "AWS_ENDPOINT_URL_EVENTBRIDGE"),
        (Self::Sqs, "AWS_ENDPOINT_URL_SQS"),
    ];
}

impl AwsConfig {
    /// Reads the process's environment, and the file that it names.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` gives, and the file that they name.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let key = [filled(&get, "AWS_ACCESS_KEY_ID")?, filled(&get, "AWS_SECRET_ACCESS_KEY")?];
        let session_token = get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty());
        let ca_bundle = get("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(read_certificates).transpose()?;
        let mut endpoints = Vec::new();
        for (service, name) in Service::ALL {
            endpoints.extend(endpoint(name, get(name))?.map(|url| (service, url)));
        }
        let credentials = AwsCredentials { key, session_token };
        Ok(Self { region: filled(&get, "AWS_REGION")?, credentials, ca_bundle, endpoints })
    }
}

fn read_certificates(path: String) -> Result<Vec<u8>, ConfigError> {
    let name = "AWS_CA_BUNDLE";
    let bytes = std::fs::read(path).map_err(|_| ConfigError { name, reason: "names no file that can be read" })?;
    let begins = b"-----BEGIN CERTIFICATE-----";
    match bytes.windows(begins.len()).any(|window| window == begins) {
        true => Ok(bytes),
        false => Err(ConfigError { name, reason: "names a file without a certificate" }),
    }
}

/// A variable that is missing or unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name} {reason}")]
pub struct ConfigError {
    /// Its name.
    pub name: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` gives.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name| get(name).ok_or(ConfigError { name, reason: "is not set" });
        let filled = |name| filled(&get, name);
        let unreadable = |name, reason| move || ConfigError { name, reason };
        let table_name = filled("TABLE_NAME")?;
        let roles_claim = filled("ROLES_CLAIM")?;
        let admin_role =
            Role::parse(&filled("ADMIN_ROLE")?).ok_or_else(unreadable("ADMIN_ROLE", "holds a space or a bracket"))?;
        let read_roles = variable("READ_ROLES")?;
        let names = read_roles.split(',').map(str::trim).filter(|name| !name.is_empty());
        let read_roles: Option<Vec<Role>> = names.map(Role::parse).collect();
        let read_roles = read_roles.ok_or_else(unreadable("READ_ROLES", "holds a role with a space or a bracket"))?;
        let settle_budget = filled("SETTLE_BUDGET_MS")?
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| unreadable("SETTLE_BUDGET_MS", "is not a whole number of milliseconds")())?;
        Ok(Self { table_name, roles_claim, policy: Policy { admin_role, read_roles }, settle_budget })
    }
}

impl ApplyEventsConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` gives.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let dead_letter_queue_url = filled(&get, "DEAD_LETTER_QUEUE_URL")?;
        let unreadable =
            |_| ConfigError { name: "REQUEST_PATIENCE_SECONDS", reason: "is not a whole number of seconds" };
        let seconds = filled(&get, "REQUEST_PATIENCE_SECONDS")?.parse().map_err(unreadable)?;
        Ok(Self { dead_letter_queue_url, request_patience: Duration::from_secs(seconds) })
    }
}

impl PublishEventsConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` gives.
    ///
    /// # Errors
    /// The first variable that is missing.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let event_bus_name = filled(&get, "EVENT_BUS_NAME")?;
        Ok(Self { event_bus_name, dead_letter_queue_url: filled(&get, "DEAD_LETTER_QUEUE_URL")? })
    }
}

/// The namespace of the function's metrics; without one there are none.
#[must_use]
pub fn metrics_namespace() -> Option<String> {
    environment("METRICS_NAMESPACE").filter(|name| !name.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().unwrap_or_default())
}

fn filled(get: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<String, ConfigError> {
    match get(name).ok_or(ConfigError { name, reason: "is not set" })? {
        value if value.trim().is_empty() => Err(ConfigError { name, reason: "is empty" }),
        value => Ok(value),
    }
}

fn endpoint(name: &'static str, url: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(url) = url else { return Ok(None) };
    let uri: Option<lambda_http::http::Uri> = url.parse().ok();
    match uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?))) {
        Some(("http" | "https", _)) => Ok(Some(url)),
        _ => Err(ConfigError { name, reason: "is not an http or https URL" }),
    }
}
