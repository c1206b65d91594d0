//! What the environment must hold, and what is said when it does not.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use shared::aws::Connection;
use shared::config::{ApplyEventsConfig, AwsConfig, Config, ConfigError, PublishEventsConfig, Service};

use crate::harness::workspace::binary;

const GOOD: [(&str, &str); 5] = [
    ("TABLE_NAME", "groups"),
    ("ROLES_CLAIM", "cognito:groups"),
    ("ADMIN_ROLE", "Administrator"),
    ("READ_ROLES", ""),
    ("SETTLE_BUDGET_MS", "300"),
];

fn read(changes: &[(&'static str, Option<&'static str>)]) -> Result<Config, ConfigError> {
    let mut variables: BTreeMap<&str, &str> = GOOD.into();
    for (name, value) in changes {
        match value {
            Some(value) => variables.insert(name, value),
            None => variables.remove(name),
        };
    }
    Config::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn a_full_environment_is_read() {
    let config = read(&[("READ_ROLES", Some("Auditor, Reader,"))]).unwrap();
    assert_eq!((config.table_name.as_str(), config.roles_claim.as_str()), ("groups", "cognito:groups"));
    assert_eq!(config.settle_budget, Duration::from_millis(300));
    let roles: Vec<&str> = config.policy.read_roles.iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["Auditor", "Reader"]);
    assert!(read(&[]).unwrap().policy.read_roles.is_empty());
}

#[test]
fn a_variable_that_is_missing_or_unreadable_is_named() {
    for (name, value, reason) in [
        ("TABLE_NAME", None, "is not set"),
        ("TABLE_NAME", Some(" "), "is empty"),
        ("ROLES_CLAIM", None, "is not set"),
        ("ROLES_CLAIM", Some(""), "is empty"),
        ("ADMIN_ROLE", None, "is not set"),
        ("ADMIN_ROLE", Some("Group Admin"), "holds a space or a bracket"),
        ("READ_ROLES", None, "is not set"),
        ("READ_ROLES", Some("Reader,[x]"), "holds a role with a space or a bracket"),
        ("SETTLE_BUDGET_MS", None, "is not set"),
        ("SETTLE_BUDGET_MS", Some("0.3"), "is not a whole number of milliseconds"),
        ("SETTLE_BUDGET_MS", Some("-1"), "is not a whole number of milliseconds"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        assert_eq!(error.to_string(), format!("environment variable {name} {reason}"));
    }
}

/// How AWS is reached, and what is wrong when it cannot be.
#[test]
fn what_lambda_says_of_aws_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bundle = file("roots.pem", "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n");
    let read = |name: &str, value: Option<&str>| {
        let good = [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let mut variables = BTreeMap::from(good);
        match value {
            Some(value) => variables.insert(name, value),
            None => variables.remove(name),
        };
        AwsConfig::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()))
    };
    let config = read("OTHER", None).ok().unwrap();
    assert_eq!((config.region.as_str(), config.credentials.session_token), ("eu-central-1", None));
    assert!(config.ca_bundle.is_none() && config.endpoints.is_empty());
    let token = read("AWS_SESSION_TOKEN", Some("token")).ok().unwrap();
    assert_eq!(token.credentials.session_token.as_deref(), Some("token"));
    assert!(read("AWS_CA_BUNDLE", Some(&bundle)).ok().unwrap().ca_bundle.is_some());
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_EVENTBRIDGE", "AWS_ENDPOINT_URL_SQS"] {
        assert_eq!(read(name, Some("http://127.0.0.1:8000")).ok().unwrap().endpoints.len(), 1);
        for wrong in ["localhost:8000", ""] {
            let said = read(name, Some(wrong)).err().unwrap().to_string();
            assert_eq!(said, format!("environment variable {name} is not an http or https URL"));
        }
    }
    let text = file("notes.txt", "no certificate");
    for (name, value, reason) in [
        ("AWS_REGION", None, "is not set"),
        ("AWS_ACCESS_KEY_ID", Some(""), "is empty"),
        ("AWS_SECRET_ACCESS_KEY", None, "is not set"),
        ("AWS_CA_BUNDLE", Some("/no/such/file"), "names no file that can be read"),
        ("AWS_CA_BUNDLE", Some(text.as_str()), "names a file without a certificate"),
    ] {
        let said = read(name, value).err().unwrap().to_string();
        assert_eq!(said, format!("environment variable {name} {reason}"));
    }
}

#[test]
fn functions_of_events_say_what_they_lack() {
    let read = |name: &str, value: Option<&str>| {
        let good = [("DEAD_LETTER_QUEUE_URL", "url"), ("REQUEST_PATIENCE_SECONDS", "60"), ("EVENT_BUS_NAME", "bus")];
        let mut variables = BTreeMap::from(good);
        match value {
            Some(value) => variables.insert(name, value),
            None => variables.remove(name),
        };
        let get = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        (ApplyEventsConfig::from_variables(get), PublishEventsConfig::from_variables(get))
    };
    let (intake, outlet) = read("OTHER", None);
    assert_eq!(intake.unwrap().request_patience, Duration::from_secs(60));
    assert_eq!(outlet.unwrap().event_bus_name, "bus");
    let said = |error: ConfigError| error.to_string();
    for (value, reason) in [(None, "is not set"), (Some(""), "is empty")] {
        let (intake, outlet) = read("DEAD_LETTER_QUEUE_URL", value);
        let expected = format!("environment variable DEAD_LETTER_QUEUE_URL {reason}");
        assert_eq!([said(intake.unwrap_err()), said(outlet.unwrap_err())], [expected.clone(), expected]);
        let (intake, outlet) = read("EVENT_BUS_NAME", value);
        assert!(intake.is_ok());
        assert_eq!(said(outlet.unwrap_err()), format!("environment variable EVENT_BUS_NAME {reason}"));
    }
    let (intake, outlet) = read("REQUEST_PATIENCE_SECONDS", Some("an hour"));
    assert!(outlet.is_ok());
    let expected = "environment variable REQUEST_PATIENCE_SECONDS is not a whole number of seconds";
    assert_eq!(said(intake.unwrap_err()), expected);
}

/// What costs each call something, or would send again what must not be (docs/decisions/0006, 0018).
#[test]
fn what_the_sdk_does_by_default_is_off() {
    let settings = Connection::to("http://127.0.0.1:9").settings(Service::DynamoDb);
    assert!(!settings.stalled_stream_protection().unwrap().is_enabled());
    assert!(!settings.retry_config().unwrap().has_retry());
}

#[test]
fn a_function_does_not_start_without_one() {
    for (missing, _) in GOOD {
        let mut command = Command::new(binary("get-group"));
        command.env_clear().envs(GOOD).env_remove(missing);
        // Nobody is there: it must not come so far as to ask.
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_REGION", "us-east-1");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&format!("environment variable {missing} is not set")), "{said}");
        assert!(output.stderr.is_empty());
    }
}
