//! Configuration from environment variables.

mod token;

use std::time::Duration;

pub use self::token::AuthorizeTokenConfig;
use crate::authz::{Policy, Role};
use crate::domain::{ExpiryNotice, HistoryRetention};

/// The configuration of every function; `template.yaml` sets the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `TABLE_NAME`: the name of the table.
    pub table_name: String,
    /// `ROLES_CLAIM`: the claim of the token that holds the caller's roles.
    pub roles_claim: String,
    /// `ACTOR_CLAIM`: the claim of the token that names the caller, in audit records, events and logs.
    pub actor_claim: String,
    /// `ACCOUNT_CLAIM`: the claim of the token that holds the id of the caller's account, for managers of groups.
    pub account_claim: String,
    /// `ADMIN_ROLE`, `READ_ROLES` (comma-separated, may be empty) and `PRIVILEGED_ROLE` (may be empty: the administrators'): the roles
    /// that may administer, read, and change privileged groups.
    pub policy: Policy,
    /// `UNIQUE_GROUP_NAMES`: whether an identity provider may not give a group the name of another.
    pub unique_group_names: bool,
    /// `HISTORY_RETENTION_DAYS`: for how long history is kept.
    pub history_retention: HistoryRetention,
    /// `SETTLE_BUDGET_MS`: the time budget of a write for propagating to ancestors before it replies.
    pub settle_budget: Duration,
}

/// The additional configuration of apply-events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyEventsConfig {
    /// `DEAD_LETTER_QUEUE_URL`: the queue for events that can never be applied.
    pub dead_letter_queue_url: String,
    /// `REQUEST_PATIENCE_SECONDS`: how long a membership request is retried while its account is unknown.
    pub request_time_budget: Duration,
    /// `PRIVILEGED_SOURCES` (comma-separated, may be empty): the event sources that may change members of privileged groups.
    pub privileged_sources: Vec<String>,
}

/// The additional configuration of expire-members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpireMembersConfig {
    /// `EXPIRY_NOTICE_DAYS`: for how many days ahead the end of a membership is announced; 0 for never.
    pub notice: ExpiryNotice,
}

/// The additional configuration of publish-events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishEventsConfig {
    /// `EVENT_BUS_NAME`: the name of the bus.
    pub event_bus_name: String,
    /// `DEAD_LETTER_QUEUE_URL`: the queue for events that can never be published.
    pub dead_letter_queue_url: String,
}

/// The configuration of AWS clients.
pub struct AwsConfig {
    /// `AWS_REGION`: the region.
    pub region: String,
    /// The credentials of the function's role.
    pub credentials: AwsCredentials,
    /// The content of the file `AWS_CA_BUNDLE`, if set: PEM certificates to trust instead of Amazon's.
    pub ca_bundle: Option<Vec<u8>>,
    /// `AWS_ENDPOINT_URL_…`, if set: the URLs of services at another endpoint than AWS's.
    pub endpoints: Vec<(Service, String)>,
}

/// Credentials from Lambda's environment. They are valid for the lifetime of the environment.
pub struct AwsCredentials {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub key: [String; 2],
    /// `AWS_SESSION_TOKEN`, if set.
    pub session_token: Option<String>,
}

/// The AWS services in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB, for the table.
    DynamoDb,
    /// EventBridge, for the event bus.
    EventBridge,
    /// SQS, for the dead-letter queues.
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
    /// Reads the environment variables of the process, and the file `AWS_CA_BUNDLE`.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns, and the file `AWS_CA_BUNDLE`.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let key = [non_blank(&get, "AWS_ACCESS_KEY_ID")?, non_blank(&get, "AWS_SECRET_ACCESS_KEY")?];
        let session_token = get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty());
        let ca_bundle = get("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(read_certificates).transpose()?;
        let mut endpoints = Vec::new();
        for (service, name) in Service::ALL {
            endpoints.extend(endpoint(name, get(name))?.map(|url| (service, url)));
        }
        let credentials = AwsCredentials { key, session_token };
        Ok(Self { region: non_blank(&get, "AWS_REGION")?, credentials, ca_bundle, endpoints })
    }
}

fn read_certificates(path: String) -> Result<Vec<u8>, ConfigError> {
    let name = "AWS_CA_BUNDLE";
    let bytes = std::fs::read(path).map_err(|_| ConfigError { name, reason: "names no file that can be read" })?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    match bytes.windows(marker.len()).any(|window| window == marker) {
        true => Ok(bytes),
        false => Err(ConfigError { name, reason: "names a file without a certificate" }),
    }
}

/// A variable that is missing or malformed. The function does not start and logs this error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name} {reason}")]
pub struct ConfigError {
    /// The name of the variable.
    pub name: &'static str,
    /// The defect.
    pub reason: &'static str,
}

impl Config {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name| get(name).ok_or(ConfigError { name, reason: "is not set" });
        let required = |name| non_blank(&get, name);
        let malformed = |name, reason| move || ConfigError { name, reason };
        let table_name = required("TABLE_NAME")?;
        let roles_claim = required("ROLES_CLAIM")?;
        let actor_claim = required("ACTOR_CLAIM")?;
        let account_claim = required("ACCOUNT_CLAIM")?;
        let admin_role =
            Role::parse(&required("ADMIN_ROLE")?).ok_or_else(malformed("ADMIN_ROLE", "holds a space or a bracket"))?;
        let privileged_role = match variable("PRIVILEGED_ROLE")?.trim() {
            "" => admin_role.clone(),
            name => Role::parse(name).ok_or_else(malformed("PRIVILEGED_ROLE", "holds a space or a bracket"))?,
        };
        let read_roles = variable("READ_ROLES")?;
        let read_roles: Option<Vec<Role>> = list(&read_roles).map(Role::parse).collect();
        let read_roles = read_roles.ok_or_else(malformed("READ_ROLES", "holds a role with a space or a bracket"))?;
        let unique_group_names = match required("UNIQUE_GROUP_NAMES")?.as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(malformed("UNIQUE_GROUP_NAMES", "is neither true nor false")()),
        };
        let history_retention = HistoryRetention::parse(&required("HISTORY_RETENTION_DAYS")?)
            .map_err(|_| malformed("HISTORY_RETENTION_DAYS", "is not a number of days from 1 to 3653")())?;
        let settle_budget = required("SETTLE_BUDGET_MS")?
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| malformed("SETTLE_BUDGET_MS", "is not a whole number of milliseconds")())?;
        let policy = Policy { admin_role, read_roles, privileged_role };
        Ok(Self {
            table_name,
            roles_claim,
            actor_claim,
            account_claim,
            policy,
            unique_group_names,
            history_retention,
            settle_budget,
        })
    }
}

impl ApplyEventsConfig {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let dead_letter_queue_url = non_blank(&get, "DEAD_LETTER_QUEUE_URL")?;
        let malformed =
            |_| ConfigError { name: "REQUEST_PATIENCE_SECONDS", reason: "is not a whole number of seconds" };
        let seconds = non_blank(&get, "REQUEST_PATIENCE_SECONDS")?.parse().map_err(malformed)?;
        let name = "PRIVILEGED_SOURCES";
        let sources = get(name).ok_or(ConfigError { name, reason: "is not set" })?;
        let privileged_sources = list(&sources).map(str::to_owned).collect();
        Ok(Self { dead_letter_queue_url, request_time_budget: Duration::from_secs(seconds), privileged_sources })
    }
}

impl ExpireMembersConfig {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let name = "EXPIRY_NOTICE_DAYS";
        let malformed = |_| ConfigError { name, reason: "is not a number of days from 0 to 365" };
        Ok(Self { notice: ExpiryNotice::parse(&non_blank(&get, name)?).map_err(malformed)? })
    }
}

impl PublishEventsConfig {
    /// Reads the environment variables of the process.
    ///
    /// # Errors
    /// The first variable that is missing or empty.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(environment)
    }

    /// Reads the variables that `get` returns.
    ///
    /// # Errors
    /// The first variable that is missing or empty.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let event_bus_name = non_blank(&get, "EVENT_BUS_NAME")?;
        Ok(Self { event_bus_name, dead_letter_queue_url: non_blank(&get, "DEAD_LETTER_QUEUE_URL")? })
    }
}

/// Returns `METRICS_NAMESPACE`, if set: the namespace of the function's metrics. Without one there are no metrics.
#[must_use]
pub fn metrics_namespace() -> Option<String> {
    environment("METRICS_NAMESPACE").filter(|name| !name.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().unwrap_or_default())
}

/// The names in a comma-separated list.
fn list(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Returns a variable that must be set and not blank.
fn non_blank(get: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<String, ConfigError> {
    match get(name).ok_or(ConfigError { name, reason: "is not set" })? {
        value if value.trim().is_empty() => Err(ConfigError { name, reason: "is empty" }),
        value => Ok(value),
    }
}

/// Checks that the value of an endpoint variable, if set, is a URL.
fn endpoint(name: &'static str, url: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(url) = url else { return Ok(None) };
    let uri: Option<lambda_http::http::Uri> = url.parse().ok();
    match uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?))) {
        Some(("http" | "https", _)) => Ok(Some(url)),
        _ => Err(ConfigError { name, reason: "is not an http or https URL" }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use super::*;

    const API: [(&str, &str); 10] = [
        ("TABLE_NAME", "groups"),
        ("ROLES_CLAIM", "cognito:groups"),
        ("ACTOR_CLAIM", "sub"),
        ("ACCOUNT_CLAIM", "sub"),
        ("ADMIN_ROLE", "Administrator"),
        ("READ_ROLES", ""),
        ("PRIVILEGED_ROLE", ""),
        ("UNIQUE_GROUP_NAMES", "true"),
        ("SETTLE_BUDGET_MS", "300"),
        ("HISTORY_RETENTION_DAYS", "400"),
    ];
    const AWS: [(&str, &str); 3] =
        [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    const EVENTS: [(&str, &str); 5] = [
        ("DEAD_LETTER_QUEUE_URL", "url"),
        ("REQUEST_PATIENCE_SECONDS", "60"),
        ("PRIVILEGED_SOURCES", "com.example.hr, com.example.idm"),
        ("EVENT_BUS_NAME", "bus"),
        ("EXPIRY_NOTICE_DAYS", "7"),
    ];

    /// An environment with these variables.
    fn variables(all: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
        let all: BTreeMap<String, String> = all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        move |name| all.get(name).cloned()
    }

    /// The same environment with one variable set or, for `None`, removed.
    fn with(all: &[(&str, &str)], name: &str, value: Option<&str>) -> impl Fn(&str) -> Option<String> + use<> {
        let mut all = all.to_vec();
        all.retain(|(other, _)| *other != name);
        all.extend(value.map(|value| (name, value)));
        variables(&all)
    }

    #[track_caller]
    fn assert_refused<T: Debug>(result: Result<T, ConfigError>, name: &str, reason: &str) {
        assert_eq!(result.unwrap_err().to_string(), format!("environment variable {name} {reason}"));
    }

    #[test]
    fn complete_environment_is_read() {
        let config = Config::from_variables(with(&API, "READ_ROLES", Some("Auditor, Reader,"))).unwrap();
        assert_eq!((config.table_name.as_str(), config.roles_claim.as_str()), ("groups", "cognito:groups"));
        assert_eq!(config.settle_budget, Duration::from_millis(300));
        let roles: Vec<&str> = config.policy.read_roles.iter().map(|role| role.as_str()).collect();
        assert_eq!(roles, ["Auditor", "Reader"]);
    }

    #[test]
    fn read_roles_may_be_empty() {
        assert!(Config::from_variables(variables(&API)).unwrap().policy.read_roles.is_empty());
    }

    #[test]
    fn privileged_role_is_that_of_administrators_unless_it_is_set() {
        let role = |value| Config::from_variables(with(&API, "PRIVILEGED_ROLE", value)).unwrap().policy.privileged_role;
        assert_eq!(role(Some("")).as_str(), "Administrator");
        assert_eq!(role(Some("PrivilegedAdministrator")).as_str(), "PrivilegedAdministrator");
    }

    #[test]
    fn missing_or_malformed_variable_is_named() {
        for (name, value, reason) in [
            ("TABLE_NAME", None, "is not set"),
            ("TABLE_NAME", Some(" "), "is empty"),
            ("ROLES_CLAIM", None, "is not set"),
            ("ROLES_CLAIM", Some(""), "is empty"),
            ("ACTOR_CLAIM", None, "is not set"),
            ("ACTOR_CLAIM", Some(" "), "is empty"),
            ("ACCOUNT_CLAIM", None, "is not set"),
            ("ADMIN_ROLE", None, "is not set"),
            ("ADMIN_ROLE", Some("Group Admin"), "holds a space or a bracket"),
            ("READ_ROLES", None, "is not set"),
            ("READ_ROLES", Some("Reader,[x]"), "holds a role with a space or a bracket"),
            ("PRIVILEGED_ROLE", None, "is not set"),
            ("PRIVILEGED_ROLE", Some("a b"), "holds a space or a bracket"),
            ("SETTLE_BUDGET_MS", None, "is not set"),
            ("SETTLE_BUDGET_MS", Some("0.3"), "is not a whole number of milliseconds"),
            ("SETTLE_BUDGET_MS", Some("-1"), "is not a whole number of milliseconds"),
        ] {
            assert_refused(Config::from_variables(with(&API, name, value)), name, reason);
        }
    }

    /// A file with this text.
    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn aws(name: &str, value: Option<&str>) -> Result<AwsConfig, ConfigError> {
        AwsConfig::from_variables(with(&AWS, name, value))
    }

    #[test]
    fn aws_configuration_is_read_from_the_environment_of_lambda() {
        let plain = aws("OTHER", None).ok().unwrap();
        assert_eq!((plain.region.as_str(), plain.credentials.session_token), ("eu-central-1", None));
        assert!(plain.ca_bundle.is_none() && plain.endpoints.is_empty());
        let with_token = aws("AWS_SESSION_TOKEN", Some("token")).ok().unwrap();
        assert_eq!(with_token.credentials.session_token.as_deref(), Some("token"));
        let bundle = file("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n");
        let with_bundle = aws("AWS_CA_BUNDLE", bundle.path().to_str()).ok().unwrap();
        assert!(with_bundle.ca_bundle.is_some());
    }

    #[test]
    fn missing_or_malformed_aws_variable_is_named() {
        let notes = file("no certificate");
        for (name, value, reason) in [
            ("AWS_REGION", None, "is not set"),
            ("AWS_ACCESS_KEY_ID", Some(""), "is empty"),
            ("AWS_SECRET_ACCESS_KEY", None, "is not set"),
            ("AWS_CA_BUNDLE", Some("/no/such/file"), "names no file that can be read"),
            ("AWS_CA_BUNDLE", notes.path().to_str(), "names a file without a certificate"),
        ] {
            assert_refused(aws(name, value).map(drop), name, reason);
        }
    }

    #[test]
    fn endpoint_of_a_service_must_be_a_url() {
        for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_EVENTBRIDGE", "AWS_ENDPOINT_URL_SQS"] {
            assert_eq!(aws(name, Some("http://127.0.0.1:8000")).ok().unwrap().endpoints.len(), 1);
            for url in ["localhost:8000", ""] {
                assert_refused(aws(name, Some(url)).map(drop), name, "is not an http or https URL");
            }
        }
    }

    #[test]
    fn configuration_of_event_functions_is_read() {
        let apply_events = ApplyEventsConfig::from_variables(variables(&EVENTS)).unwrap();
        assert_eq!(apply_events.request_time_budget, Duration::from_secs(60));
        assert_eq!(apply_events.privileged_sources, ["com.example.hr", "com.example.idm"]);
        let publish_events = PublishEventsConfig::from_variables(variables(&EVENTS)).unwrap();
        assert_eq!(publish_events.event_bus_name, "bus");
    }

    #[test]
    fn missing_or_malformed_variable_of_event_functions_is_named() {
        let apply_events = |name, value| ApplyEventsConfig::from_variables(with(&EVENTS, name, value));
        let publish_events = |name, value| PublishEventsConfig::from_variables(with(&EVENTS, name, value));
        for (value, reason) in [(None, "is not set"), (Some(""), "is empty")] {
            assert_refused(apply_events("DEAD_LETTER_QUEUE_URL", value), "DEAD_LETTER_QUEUE_URL", reason);
            assert_refused(publish_events("DEAD_LETTER_QUEUE_URL", value), "DEAD_LETTER_QUEUE_URL", reason);
            assert_refused(publish_events("EVENT_BUS_NAME", value), "EVENT_BUS_NAME", reason);
            assert!(apply_events("EVENT_BUS_NAME", value).is_ok());
        }
        let expire_members = |value| ExpireMembersConfig::from_variables(with(&EVENTS, "EXPIRY_NOTICE_DAYS", value));
        assert!(expire_members(Some("0")).is_ok());
        for (value, reason) in [(None, "is not set"), (Some("366"), "is not a number of days from 0 to 365")] {
            assert_refused(expire_members(value), "EXPIRY_NOTICE_DAYS", reason);
        }
        assert_refused(apply_events("PRIVILEGED_SOURCES", None), "PRIVILEGED_SOURCES", "is not set");
        let malformed = Some("an hour");
        let reason = "is not a whole number of seconds";
        assert_refused(apply_events("REQUEST_PATIENCE_SECONDS", malformed), "REQUEST_PATIENCE_SECONDS", reason);
        assert!(publish_events("REQUEST_PATIENCE_SECONDS", malformed).is_ok());
    }
}
