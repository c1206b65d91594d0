//! `cargo local verify`: checks the invariants of a table and, on request, repairs it.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::Args;
use shared::aws::Connection;
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use shared::propagation::Propagation;
use shared::store::Store;
use shared::verify::{self, InvariantViolation};
use tokio::time::timeout;

use crate::{Problem, table};

/// How long a request to the table may be retried.
const REQUEST_TIME_BUDGET: Duration = Duration::from_secs(10);

/// How long the developer's credentials may take.
const CREDENTIALS_TIME: Duration = Duration::from_secs(2);

/// Arguments of `cargo local verify`.
#[derive(Args)]
pub struct VerifyArguments {
    /// Endpoint of the DynamoDB, such as that of a running `cargo local`. Without it and `--data`, AWS with the
    /// environment's credentials.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// File with an embedded table that no server is using.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url")]
    data: Option<PathBuf>,
    /// Name of the table.
    #[arg(long, default_value = "groups")]
    table: String,
    /// Repairs the violations. The stream consumer `propagate` completes the jobs that this creates or resumes.
    #[arg(long)]
    repair: bool,
}

/// Reads every row and returns the invariant violations; after a repair, those that remain.
///
/// # Errors
/// The table cannot be read.
pub async fn verify(arguments: &VerifyArguments) -> Result<Vec<InvariantViolation>, Problem> {
    let connection = match (&arguments.endpoint_url, &arguments.data) {
        (Some(url), _) => Connection::to(table::check_url(url)?),
        (None, Some(file)) => {
            if !file.is_file() {
                return Err(Problem(format!("there is no data file {}", file.display())));
            }
            Connection::to(&table::start_embedded(Some(file)).await?)
        }
        (None, None) => developer_connection().await?,
    };
    let store = Store::connected(&connection, &arguments.table, REQUEST_TIME_BUDGET);
    let propagation = Propagation { store: &store, actor: None, now: SystemClock.now() };
    let failed = |error| Problem::new(format!("cannot read the table {}", arguments.table), error);
    if arguments.repair {
        verify::repair(propagation).await.map_err(failed)
    } else {
        verify::find_violations(propagation).await.map_err(failed)
    }
}

/// Connects to AWS with the developer's credentials: a profile, single sign-on, or the environment.
///
/// # Errors
/// There are none.
async fn developer_connection() -> Result<Connection, Problem> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    let settings = loader.retry_config(RetryConfig::disabled()).load().await;
    let provider = settings.credentials_provider();
    let credentials = async { provider.as_ref()?.provide_credentials().await.ok() };
    // Where nothing else has credentials, the chain ends with a service of EC2, which does not answer elsewhere.
    if !matches!(timeout(CREDENTIALS_TIME, credentials).await, Ok(Some(_))) {
        let choices = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, or name a table with --endpoint-url or --data";
        return Err(Problem::new("there are no AWS credentials", choices));
    }
    Ok(Connection::with(settings))
}
