//! A function with an incomplete environment does not start.

use std::process::Command;

use crate::harness::workspace::binary;

const COMPLETE: [(&str, &str); 10] = [
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

#[test]
fn function_without_a_required_variable_exits_and_names_it() {
    for (missing, _) in COMPLETE {
        let mut command = Command::new(binary("get-group"));
        command.env_clear().envs(COMPLETE).env_remove(missing);
        // Nothing listens there: the function must exit before it asks for an invocation.
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_REGION", "us-east-1");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let log = String::from_utf8(output.stdout).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains(&format!("environment variable {missing} is not set")), "{log}");
        assert!(output.stderr.is_empty());
    }
}
