//! The dependencies of functions.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::Context;
use tokio::time::Instant;

use super::{ANSWER_TIME, App, REQUEST_TIME_BUDGET};
use crate::aws::Connection;
use crate::bus::{DeadLetters, EventBus};
use crate::config::{
    ApplyEventsConfig, AuthorizeTokenConfig, Config, ConfigError, ExpireMembersConfig, PublishEventsConfig,
};
use crate::domain::clock::SystemClock;
use crate::domain::{Clock, ExpiryNotice};
use crate::store::Store;

/// The dependencies of a function, made once, at its start.
pub trait Dependencies: Clone + Send + Sync + 'static {
    /// Makes the dependencies of a deployed function.
    ///
    /// # Errors
    /// An environment variable is missing or malformed.
    fn from_environment() -> Result<Self, ConfigError>;

    /// Opens the connection that the first invocation would otherwise wait for.
    fn connect(&self) -> impl Future<Output = ()> + Send;

    /// The same, with this deadline for requests to AWS.
    #[must_use]
    fn until(&self, deadline: Instant) -> Self;

    /// The same, with the deadline of an invocation.
    #[must_use]
    fn for_invocation(&self, context: Option<&Context>) -> Self {
        let Some(context) = context.filter(|context| context.deadline > 0) else {
            return self.clone();
        };
        let left = Duration::from_millis(context.deadline.saturating_sub(SystemClock.unix_millis()));
        self.until(Instant::now() + left.saturating_sub(ANSWER_TIME))
    }
}

impl Dependencies for App {
    fn from_environment() -> Result<Self, ConfigError> {
        let config = Config::from_environment()?;
        let connection = Connection::from_environment()?;
        Ok(Self::connected(config, &connection))
    }

    async fn connect(&self) {
        self.store.connect().await;
    }

    fn until(&self, deadline: Instant) -> Self {
        Self { store: self.store.until(deadline), ..self.clone() }
    }
}

impl App {
    fn connected(config: Config, connection: &Connection) -> Self {
        let store = Store::connected(connection, &config.table_name, REQUEST_TIME_BUDGET);
        Self::new(config, store, Arc::new(SystemClock))
    }
}

/// The dependencies of `apply-events`.
#[derive(Clone)]
pub struct ApplyEventsDeps {
    /// The store and the clock.
    pub app: App,
    /// The queue of events that can never be applied.
    pub dead_letters: DeadLetters,
    /// How long a request waits for its account to be announced.
    pub request_time_budget: Duration,
    /// The event sources that may change members of privileged groups.
    pub privileged_sources: Arc<[String]>,
}

impl Dependencies for ApplyEventsDeps {
    fn from_environment() -> Result<Self, ConfigError> {
        let (app_config, config) = (Config::from_environment()?, ApplyEventsConfig::from_environment()?);
        let connection = Connection::from_environment()?;
        let dead_letters = DeadLetters::connected(&connection, &config.dead_letter_queue_url, REQUEST_TIME_BUDGET);
        Ok(Self {
            app: App::connected(app_config, &connection),
            dead_letters,
            request_time_budget: config.request_time_budget,
            privileged_sources: config.privileged_sources.into(),
        })
    }

    async fn connect(&self) {
        self.app.connect().await;
    }

    fn until(&self, deadline: Instant) -> Self {
        let dead_letters = self.dead_letters.until(deadline);
        Self { app: self.app.until(deadline), dead_letters, ..self.clone() }
    }
}

/// The dependencies of `authorize-token`. It reads no table.
#[derive(Clone)]
pub struct AuthorizeTokenDeps {
    /// The accepted tokens, and the claims of a caller with one.
    pub config: Arc<AuthorizeTokenConfig>,
}

impl Dependencies for AuthorizeTokenDeps {
    fn from_environment() -> Result<Self, ConfigError> {
        Ok(Self { config: Arc::new(AuthorizeTokenConfig::from_environment()?) })
    }

    async fn connect(&self) {}

    fn until(&self, _: Instant) -> Self {
        self.clone()
    }
}

/// The dependencies of `expire-members`.
#[derive(Clone)]
pub struct ExpireMembersDeps {
    /// The store and the clock.
    pub app: App,
    /// For how many days ahead the end of a membership is announced.
    pub notice: ExpiryNotice,
}

impl Dependencies for ExpireMembersDeps {
    fn from_environment() -> Result<Self, ConfigError> {
        let notice = ExpireMembersConfig::from_environment()?.notice;
        Ok(Self { app: App::from_environment()?, notice })
    }

    async fn connect(&self) {
        self.app.connect().await;
    }

    fn until(&self, deadline: Instant) -> Self {
        Self { app: self.app.until(deadline), ..self.clone() }
    }
}

/// The dependencies of `publish-events`.
#[derive(Clone)]
pub struct PublishEventsDeps {
    /// The store, for history.
    pub app: App,
    /// The event bus.
    pub bus: EventBus,
    /// The queue of events that the bus can never take.
    pub dead_letters: DeadLetters,
}

impl Dependencies for PublishEventsDeps {
    fn from_environment() -> Result<Self, ConfigError> {
        let (app_config, config) = (Config::from_environment()?, PublishEventsConfig::from_environment()?);
        let connection = Connection::from_environment()?;
        let bus = EventBus::connected(&connection, &config.event_bus_name, REQUEST_TIME_BUDGET);
        Ok(Self {
            app: App::connected(app_config, &connection),
            bus,
            dead_letters: DeadLetters::connected(&connection, &config.dead_letter_queue_url, REQUEST_TIME_BUDGET),
        })
    }

    async fn connect(&self) {
        futures::future::join(self.app.connect(), self.bus.connect()).await;
    }

    fn until(&self, deadline: Instant) -> Self {
        let (bus, dead_letters) = (self.bus.until(deadline), self.dead_letters.until(deadline));
        Self { app: self.app.until(deadline), bus, dead_letters }
    }
}
