//! Client settings common to all AWS services: credentials from Lambda's environment, TLS by ring that trusts Amazon's
//! roots, and short timeouts. The SDK's retries are off; `retry` has the only ones (docs/decisions/0018).

pub(crate) mod retry;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::config::{AwsConfig, ConfigError, Service};

/// Opening a connection takes microseconds on loopback and a millisecond inside a region.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A response of one megabyte takes a fraction of this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The root certificates of AWS (Amazon Trust Services, "Root CAs"). Parsing the system's more than 100 roots would
/// slow down every cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots/amazon.pem");

/// The settings of all AWS clients: they share one connection pool and one source of credentials.
#[derive(Debug, Clone)]
pub struct Connection {
    settings: SdkConfig,
    endpoints: Vec<(Service, String)>,
}

impl Connection {
    /// Reads the settings from Lambda's environment variables.
    ///
    /// # Errors
    /// A variable is missing or malformed.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let AwsConfig { region, credentials, ca_bundle, endpoints } = AwsConfig::from_environment()?;
        let roots = TrustStore::empty().with_pem_certificate(ca_bundle.as_deref().unwrap_or(AMAZON_ROOTS));
        // Cannot fail: the trust store is given, not loaded from the system.
        let tls = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https();
        let [key, secret] = credentials.key;
        let credentials = Credentials::new(key, secret, credentials.session_token, None, "environment");
        Ok(Self { settings: settings(http, Region::new(region), credentials).build(), endpoints })
    }

    /// Connects to an emulator at this URL, with dummy credentials.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "emulator");
        let settings = settings(Builder::new().build_http(), Region::from_static("us-east-1"), credentials);
        Self { settings: settings.endpoint_url(endpoint).build(), endpoints: Vec::new() }
    }

    /// Uses settings that the caller has loaded.
    #[must_use]
    pub const fn with(settings: SdkConfig) -> Self {
        Self { settings, endpoints: Vec::new() }
    }

    /// Returns the SDK settings for the client of a service, with the service's own endpoint if there is one.
    #[must_use]
    pub fn settings(&self, service: Service) -> SdkConfig {
        let own_endpoint = self.endpoints.iter().find(|(of, _)| *of == service).map(|(_, url)| url.clone());
        match own_endpoint {
            Some(url) => self.settings.to_builder().endpoint_url(url).build(),
            None => self.settings.clone(),
        }
    }
}

fn settings(http: SharedHttpClient, region: Region, credentials: Credentials) -> aws_types::sdk_config::Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        // The timeout of an attempt covers a stalled stream as well.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts.build())
}

/// Omits the SDK's headers about itself and its retries, which are off. Building them takes a tenth of a call's
/// instructions.
#[derive(Debug)]
pub struct OmitSdkHeaders;

impl Intercept for OmitSdkHeaders {
    fn name(&self) -> &'static str {
        "omit SDK headers"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const CAUSE: &str = "not needed";
        settings.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>(CAUSE));
        settings.interceptor_state().store_put(disable_interceptor::<InvocationIdInterceptor>(CAUSE));
        settings.interceptor_state().store_put(disable_interceptor::<RequestInfoInterceptor>(CAUSE));
        Ok(())
    }
}

/// Turns a request into `GET /ping`, which needs no permission and costs nothing. It opens the connection that later
/// requests reuse.
pub(crate) fn into_ping(request: &mut HttpRequest) {
    // The parts between slashes are the scheme, an empty one and the host.
    let origin: String = request.uri().split_inclusive('/').take(3).collect();
    // Any response will do, so errors are ignored.
    let _ = request.set_method("GET");
    let _ = request.set_uri(format!("{}/ping", origin.trim_end_matches('/')));
    // The body is removed, so its length must go too: the server would wait for the bytes.
    request.headers_mut().remove("content-length");
    *request.body_mut() = SdkBody::empty();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first would cost time in every call; the second would resend requests that must not be repeated
    /// (docs/decisions/0006, 0018).
    #[test]
    fn stalled_stream_protection_and_sdk_retries_are_off() {
        let settings = Connection::to("http://127.0.0.1:9").settings(Service::DynamoDb);
        assert!(!settings.stalled_stream_protection().unwrap().is_enabled());
        assert!(!settings.retry_config().unwrap().has_retry());
    }
}
