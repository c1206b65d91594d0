//! What all that AWS is asked for has in common: a client made of what Lambda's environment says, TLS by ring that trusts
//! Amazon's roots, short timeouts, no retries of the SDK's own but in `retry` (docs/decisions/0018).

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

/// A connection on loopback takes microseconds, one inside a region a millisecond.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A page of one megabyte takes a fraction of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The roots that certificates of AWS end at (Amazon Trust Services, "Root CAs"): the system's hundred and more would have
/// to be read at every cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots/amazon.pem");

/// How AWS is reached, whichever of its services: one pool of connections, one source of credentials.
#[derive(Debug, Clone)]
pub struct Connection {
    settings: SdkConfig,
    endpoints: Vec<(Service, String)>,
}

impl Connection {
    /// As Lambda's environment says.
    ///
    /// # Errors
    /// A variable is missing or unreadable.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let AwsConfig { region, credentials, ca_bundle, endpoints } = AwsConfig::from_environment()?;
        let roots = TrustStore::empty().with_pem_certificate(ca_bundle.as_deref().unwrap_or(AMAZON_ROOTS));
        // With a trust store that is given, nothing is left that could fail.
        let tls = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https();
        let [key, secret] = credentials.key;
        let credentials = Credentials::new(key, secret, credentials.session_token, None, "environment");
        Ok(Self { settings: settings(http, Region::new(region), credentials).build(), endpoints })
    }

    /// To an emulator at this URL.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "emulator");
        let settings = settings(Builder::new().build_http(), Region::from_static("us-east-1"), credentials);
        Self { settings: settings.endpoint_url(endpoint).build(), endpoints: Vec::new() }
    }

    /// As somebody else has found out.
    #[must_use]
    pub const fn with(settings: SdkConfig) -> Self {
        Self { settings, endpoints: Vec::new() }
    }

    /// As the SDK's client of a service takes it.
    #[must_use]
    pub fn settings(&self, service: Service) -> SdkConfig {
        let own = self.endpoints.iter().find(|(of, _)| *of == service).map(|(_, url)| url.clone());
        match own {
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
        // Each attempt has its time as a whole.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts.build())
}

/// Leaves out what the SDK tells AWS of itself and of its retries, which are off: a tenth of a call's instructions.
#[derive(Debug)]
pub struct OmitSdkHeaders;

impl Intercept for OmitSdkHeaders {
    fn name(&self) -> &'static str {
        "says nothing of itself"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const CAUSE: &str = "nobody asks for it";
        settings.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>(CAUSE));
        settings.interceptor_state().store_put(disable_interceptor::<InvocationIdInterceptor>(CAUSE));
        settings.interceptor_state().store_put(disable_interceptor::<RequestInfoInterceptor>(CAUSE));
        Ok(())
    }
}

/// Makes a request to a service one that asks for nothing, wants no permission and costs nothing, but opens the connection
/// that later ones use.
pub(crate) fn into_ping(request: &mut HttpRequest) {
    // Scheme, nothing, and who is there.
    let origin: String = request.uri().split_inclusive('/').take(3).collect();
    // Whatever the answer is: what counts is that there is one.
    let _ = request.set_method("GET");
    let _ = request.set_uri(format!("{}/ping", origin.trim_end_matches('/')));
    // Who waits for a body of that length waits in vain.
    request.headers_mut().remove("content-length");
    *request.body_mut() = SdkBody::empty();
}
