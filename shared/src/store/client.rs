//! The DynamoDB client: TLS by ring, no retries of its own, short timeouts.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A connection on loopback takes microseconds, one inside a region a millisecond.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A page of one megabyte takes a fraction of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client with region, credentials and endpoint as Lambda's environment gives them (`AWS_REGION`,
/// `AWS_ACCESS_KEY_ID` and the rest, `AWS_ENDPOINT_URL_DYNAMODB`).
pub async fn client_from_environment() -> Client {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let environment = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    Client::from_conf(settings(Builder::from(&environment)).build())
}

/// A client for the emulator at this URL, with anything further that `configure` sets.
#[must_use]
pub fn client_for(endpoint: &str, configure: impl FnOnce(Builder) -> Builder) -> Client {
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "emulator"))
        .endpoint_url(endpoint);
    Client::from_conf(configure(settings(builder)).build())
}

fn settings(builder: Builder) -> Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
    builder.retry_config(RetryConfig::disabled()).timeout_config(timeouts.build())
}
