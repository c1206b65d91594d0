//! What all that AWS is asked for has in common: TLS by ring, short timeouts, no retries of the SDK's own but in
//! `attempt`.

pub(crate) mod attempt;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A connection on loopback takes microseconds, one inside a region a millisecond.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A page of one megabyte takes a fraction of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// How AWS is reached, whichever of its services: one pool of connections, one source of credentials.
#[derive(Debug, Clone)]
pub struct Connection(SdkConfig);

impl Connection {
    /// With region, credentials and endpoints as Lambda's environment gives them (`AWS_REGION`, `AWS_ACCESS_KEY_ID` and
    /// the rest, `AWS_ENDPOINT_URL_DYNAMODB` and the like).
    pub async fn from_environment() -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        Self(loader.retry_config(RetryConfig::disabled()).timeout_config(timeouts()).load().await)
    }

    /// To an emulator at this URL.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "emulator");
        let settings = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts());
        Self(settings.build())
    }

    /// As the SDK's clients take it.
    pub(crate) const fn settings(&self) -> &SdkConfig {
        &self.0
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build()
}
