//! `cargo local verify`: whether a table keeps its invariants.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::Args;
use shared::authz::Granted;
use shared::aws::Connection;
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use shared::propagation::Propagation;
use shared::store::Store;
use shared::verify::InvariantViolation;

use crate::{Problem, table};

/// How long a request to the table may be repeated.
const REQUEST_TIME_BUDGET: Duration = Duration::from_secs(10);

/// Which table, and what to do.
#[derive(Args)]
pub struct VerifyArguments {
    /// The DynamoDB to ask, such as that of a running `cargo local`; without it and `--data`, AWS with the credentials
    /// of the environment.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// File with an embedded table that no server uses at the moment.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url")]
    data: Option<PathBuf>,
    /// The table.
    #[arg(long, default_value = "groups")]
    table: String,
    /// Mends what is found; jobs that are made or resumed for it are done by the table's stream.
    #[arg(long)]
    repair: bool,
}

/// Looks at every row and gives what is wrong, one line each; after a repair, what is still wrong.
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
        (None, None) => of_developer().await,
    };
    let store = Store::connected(&connection, &arguments.table, REQUEST_TIME_BUDGET);
    let granted = Granted::propagation();
    let propagation = Propagation { store: &store, granted: &granted, now: SystemClock.now() };
    let failed = |error| Problem::new(format!("cannot read the table {}", arguments.table), error);
    if arguments.repair {
        propagation.repair().await.map_err(failed)
    } else {
        propagation.verify().await.map_err(failed)
    }
}

/// AWS as the developer reaches it: with a profile, by single sign-on, or by the environment.
async fn of_developer() -> Connection {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    Connection::with(loader.retry_config(RetryConfig::disabled()).load().await)
}
