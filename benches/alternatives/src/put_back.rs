//! get-group with one of the SDK's defaults put back, which `PUT_BACK` names; without it, as it is (docs/decisions/0018).

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use lambda_http::{Request, service_fn};
use shared::app::{App, Dependencies, REQUEST_TIME_BUDGET};
use shared::aws::{Connection, OmitSdkHeaders};
use shared::config::{AwsConfig, Config, ConfigError, Service, metrics_namespace};
use shared::domain::clock::SystemClock;
use shared::store::Store;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::start(metrics_namespace());
    match serve(&put_back()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[expect(clippy::disallowed_methods, reason = "no deployment has it")]
fn put_back() -> String {
    std::env::var("PUT_BACK").unwrap_or_default()
}

async fn serve(put_back: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = Config::from_environment()?;
    let lean = Connection::from_environment()?.settings(Service::DynamoDb);
    let emulator = Emulator(lean.endpoint_url().unwrap_or_default().to_owned());
    let mut client = Builder::from(&settings(put_back, &lean).await?).interceptor(emulator);
    if put_back != "user-agent" {
        client = client.interceptor(OmitSdkHeaders);
    }
    let store = Store::new(Client::from_conf(client.build()), &config.table_name, REQUEST_TIME_BUDGET);
    let app = App::new(config, store, Arc::new(SystemClock));
    if put_back != "late-connection" {
        app.connect().await;
    }
    let app = &app;
    let service = service_fn(move |request: Request| async move {
        Ok::<_, Infallible>(get_group::FUNCTION.answer(app, request).await)
    });
    lambda_http::run(service).await
}

/// The lean settings but for one.
async fn settings(put_back: &str, lean: &SdkConfig) -> Result<SdkConfig, ConfigError> {
    let builder = lean.to_builder();
    let builder = match put_back {
        "system-roots" => builder.http_client(trusting_the_system()?),
        "stalled-streams" => builder.stalled_stream_protection(StalledStreamProtectionConfig::enabled().build()),
        "retries" => builder.retry_config(RetryConfig::standard()),
        "provider-chain" => {
            let mut chain = aws_config::defaults(BehaviorVersion::latest());
            if let Some(http) = lean.http_client() {
                chain = chain.http_client(http);
            }
            let found = chain.load().await;
            let mut builder = builder;
            builder.set_region(found.region().cloned()).set_credentials_provider(found.credentials_provider());
            builder
        }
        _ => builder,
    };
    Ok(builder.build())
}

/// The system's root certificates, and what the bench has for its own.
fn trusting_the_system() -> Result<SharedHttpClient, ConfigError> {
    let own = AwsConfig::from_environment()?.ca_bundle;
    let roots = own.into_iter().fold(TrustStore::default(), TrustStore::with_pem_certificate);
    let tls = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
}

/// Where requests go, whatever endpoint was found: rules know no emulator. Also where they find it, to cost the same.
#[derive(Debug)]
struct Emulator(String);

impl Intercept for Emulator {
    fn name(&self) -> &'static str {
        "emulator"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let path = request.uri().splitn(4, '/').nth(3).unwrap_or_default();
        let there = format!("{}/{path}", self.0);
        Ok(request.set_uri(there)?)
    }
}
