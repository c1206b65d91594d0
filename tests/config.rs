//! What the environment must hold, and what is said when it does not.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use shared::config::{Config, ConfigError, IntakeConfig, OutletConfig};

use crate::harness::workspace::binary;

const GOOD: [(&str, &str); 6] = [
    ("TABLE_NAME", "groups"),
    ("ROLES_CLAIM", "cognito:groups"),
    ("ADMIN_ROLE", "Administrator"),
    ("READ_ROLES", ""),
    ("SETTLE_BUDGET_MS", "300"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
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
    assert!(read(&[("AWS_ENDPOINT_URL_DYNAMODB", None)]).is_ok());
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
        ("AWS_ENDPOINT_URL_DYNAMODB", Some("localhost:8000"), "is not an http or https URL"),
        ("AWS_ENDPOINT_URL_DYNAMODB", Some(""), "is not an http or https URL"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        assert_eq!(error.to_string(), format!("environment variable {name} {reason}"));
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
        (IntakeConfig::from_variables(get), OutletConfig::from_variables(get))
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

#[test]
fn a_function_does_not_start_without_one() {
    for (missing, _) in GOOD.into_iter().take(5) {
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
