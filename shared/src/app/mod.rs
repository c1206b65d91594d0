//! The frame around a handler: the start of a function, then the path of each request.

mod authorizer;
mod batch;
mod dependencies;
mod preview;
#[cfg(test)]
mod response_size;
mod scheduled;
mod settle;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::http::Method;
use lambda_http::{Adapter, Request, RequestExt};
use lambda_runtime::tower::{ServiceBuilder, service_fn};

pub use self::authorizer::{AuthorizerFunction, CallerClaims};
pub use self::batch::{BatchFunction, BatchItem, QueueFunction, QueueMessage, StreamFunction};
pub use self::dependencies::{ApplyEventsDeps, AuthorizeTokenDeps, Dependencies, ExpireMembersDeps, PublishEventsDeps};
pub use self::scheduled::{DueItem, ScheduledFunction};
pub use self::settle::Effect;
use crate::authz::{Caller, Denied, Granted, ManageMembers, Permission, Policy};
use crate::config::{self, Config};
use crate::domain::{AccountId, Clock, Error, GroupId, HistoryRetention, Moment};
use crate::http::request::Query;
use crate::http::{ApiError, HttpResponse, Reply, request};
use crate::store::{PointInTime, Store};
use crate::telemetry::{self, Invocation, InvocationSummary, with_counters};

/// Time reserved at the end of an invocation, to reply that the deadline has passed.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// The time budget of a request to AWS with its retries, where no invocation sets a deadline.
pub const REQUEST_TIME_BUDGET: Duration = Duration::from_secs(10);

/// The dependencies of a handler.
#[derive(Clone)]
pub struct App {
    /// Groups, members and accounts.
    pub store: Store,
    /// The present time.
    pub clock: Arc<dyn Clock>,
    config: Arc<Config>,
}

impl App {
    /// An app on this store.
    #[must_use]
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, config: Arc::new(config) }
    }

    /// The table's name.
    #[must_use]
    pub fn table_name(&self) -> &str {
        &self.config.table_name
    }

    /// The claim of the token that names the caller.
    #[must_use]
    pub fn actor_claim(&self) -> &str {
        &self.config.actor_claim
    }

    /// Which roles have which permission.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// Whether an identity provider may not give a group the name of another.
    #[must_use]
    pub fn requires_unique_group_names(&self) -> bool {
        self.config.unique_group_names
    }

    /// For how long history is kept.
    #[must_use]
    pub fn history_retention(&self) -> HistoryRetention {
        self.config.history_retention
    }

    /// Authorizes the caller of a request for the permission `P`.
    ///
    /// # Errors
    /// 401 without a caller, 403 when the policy denies it.
    pub fn authorize<P: Permission>(&self, request: &Request) -> Result<Granted<P>, ApiError> {
        self.policy().authorize(&self.caller(request)?).map_err(|denied| self.forbidden(denied, false))
    }

    /// Authorizes the caller of a request to change the direct members of the group in its path: an administrator, or a manager of the group.
    /// For an administrator no request to the table, else one `BatchGetItem`, or two where groups manage.
    ///
    /// # Errors
    /// 401 without a caller, 403 for another one, whether the group exists or not; the table did not respond.
    pub async fn authorize_members(&self, request: &Request) -> Result<Granted<ManageMembers>, ApiError> {
        let caller = self.caller(request)?;
        let denied = match self.policy().authorize(&caller) {
            Ok(granted) => return Ok(granted),
            Err(denied) => denied,
        };
        let account = request::claim(request, &self.config.account_claim).and_then(AccountId::parse);
        if let (Some(account), Ok(group)) = (account, request::group_id(request))
            && self.store.is_manager(&group, &account, self.clock.now()).await?
        {
            return Ok(Policy::grant_to_manager(&caller));
        }
        Err(self.forbidden(denied, true))
    }

    fn caller(&self, request: &Request) -> Result<Caller, ApiError> {
        request::caller(request, &self.config.actor_claim, &self.config.roles_claim)
    }

    fn forbidden(&self, denied: Denied, or_manager: bool) -> ApiError {
        ApiError::Forbidden { denied, claim: self.config.roles_claim.clone(), or_manager }
    }

    /// Names the role that a change of a privileged group needs.
    fn name_privileged_role(&self, error: ApiError) -> ApiError {
        let ApiError::Store(Error::Guarded(reason)) = error else { return error };
        let role = self.policy().privileged_role.clone();
        ApiError::Guarded { reason, role, claim: self.config.roles_claim.clone() }
    }

    /// Takes the time `at` out of a query, which history must cover.
    #[must_use]
    pub fn point_in_time(&self, query: &mut Query) -> Option<PointInTime> {
        let now = self.clock.now();
        let at = query.take("at", |text| self.config.history_retention.point_in_time(text, now))?;
        Some(PointInTime { at, now })
    }

    /// The present moment.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let millis = i64::try_from(self.clock.unix_millis()).unwrap_or(i64::MAX);
        Moment::from_unix_nanos(millis.saturating_mul(1_000_000))
    }

    /// Returns a new id for an account created now.
    #[must_use]
    pub fn new_account_id(&self) -> AccountId {
        AccountId::new(self.clock.unix_millis(), fastrand::u128(..))
    }

    /// Returns a new id for a group created now.
    #[must_use]
    pub fn new_group_id(&self) -> GroupId {
        GroupId::new(self.clock.unix_millis(), fastrand::u128(..))
    }
}

/// The handler of a request.
pub type Handler = for<'a> fn(&'a App, Request) -> BoxedReply<'a>;
/// The future of a handler's reply.
pub type BoxedReply<'a> = futures::future::BoxFuture<'a, Result<Reply, ApiError>>;

/// One endpoint: its handler, and its name, which is also that of its binary and folder.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name: verb-noun.
    pub name: &'static str,
    handler: Handler,
    error_reply: MakeErrorReply,
}

/// Makes the reply to a failed request with this id.
pub type MakeErrorReply = fn(&ApiError, &str) -> Reply;

impl Function {
    /// The function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: Handler) -> Self {
        Self { name, handler, error_reply: Reply::error }
    }

    /// The same function, whose errors are in the form of another protocol.
    #[must_use]
    pub const fn with_error_reply(self, error_reply: MakeErrorReply) -> Self {
        Self { error_reply, ..self }
    }

    /// Answers a request and writes a line to the log. An error becomes a reply, too.
    pub async fn answer(self, app: &App, request: Request) -> HttpResponse {
        let invocation = Invocation::begin(self.name);
        let request_id = request::request_id(&request);
        let is_head = request.method() == Method::HEAD;
        let caller = request::claim(&request, &app.config.actor_claim);
        let [route, caller, trace] =
            [request::route(&request), caller, request::trace(&request)].map(|it| it.map(str::to_owned));
        let app = app.for_invocation(request.lambda_context_ref());
        let (answer, counts) = with_counters(async {
            let answer = (self.handler)(&app, request).await;
            answer.map_err(|error| app.name_privileged_role(error))
        })
        .await;
        let cause = answer.as_ref().err().filter(|error| error.is_server_error()).map(ApiError::cause);
        let reply = answer.unwrap_or_else(|error| (self.error_reply)(&error, &request_id));
        let response = HttpResponse::from(if is_head { reply.without_body() } else { reply });
        let status = response.status().as_u16();
        let outcome = InvocationSummary::Request { route: route.as_deref(), caller: caller.as_deref(), status, cause };
        invocation.end(&request_id, trace.as_deref(), &outcome, counts);
        response
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(self) -> ExitCode {
        run(self.name, self.serve())
    }

    async fn serve(self) -> Result<(), String> {
        let app = App::from_environment().map_err(|error| error.to_string())?;
        app.connect().await;
        let app = &app;
        let service = service_fn(move |request: Request| async move {
            Ok::<_, std::convert::Infallible>(self.answer(app, request).await)
        });
        let service = ServiceBuilder::new().map_request(request::escape_query).service(Adapter::from(service));
        lambda_runtime::run(service).await.map_err(|error| error.to_string())
    }
}

/// Runs a function's process until it is shut down.
fn run(function: &'static str, serve: impl Future<Output = Result<(), String>>) -> ExitCode {
    telemetry::start(config::metrics_namespace());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(serve),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            tracing::error!(function, reason, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}
