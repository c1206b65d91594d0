//! Lambda authorizers: functions that API Gateway asks who calls, before it invokes another one.

use std::collections::BTreeMap;
use std::process::ExitCode;

use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::batch::serve_events;
use super::dependencies::Dependencies;
use super::run;
use crate::telemetry::{Invocation, InvocationSummary, with_counters};

/// The claims of a caller, by name, as the gateway's JWT authorizer would flatten them.
pub type CallerClaims = BTreeMap<String, String>;

/// The handler of an authorizer. It returns the claims of the caller with this bearer token, or `None` to refuse it.
type AuthorizerHandler<R> = for<'a> fn(&'a R, &'a str) -> Option<CallerClaims>;

/// One Lambda authorizer: its handler, and its name, which is also that of its binary and folder.
pub struct AuthorizerFunction<R> {
    /// The name.
    pub name: &'static str,
    handler: AuthorizerHandler<R>,
}

impl<R: Dependencies> AuthorizerFunction<R> {
    /// The function of that name.
    #[must_use]
    pub const fn new(name: &'static str, handler: AuthorizerHandler<R>) -> Self {
        Self { name, handler }
    }

    /// Decides about a request with the header `Authorization`. The reply has API Gateway's simple form, with the caller's claims as its
    /// context. Source: Amazon API Gateway Developer Guide, "Control access to HTTP APIs with AWS Lambda authorizers", payload format 2.0.
    pub async fn answer(&self, dependencies: &R, event: &Value, context: &Context) -> Value {
        let invocation = Invocation::begin(self.name);
        let identity = event["identitySource"][0].as_str().unwrap_or_default();
        let token = identity.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
        let decide = async { token.and_then(|(_, token)| (self.handler)(dependencies, token.trim())) };
        let (claims, counts) = with_counters(decide).await;
        let status = if claims.is_some() { 200 } else { 403 };
        let route = event["routeKey"].as_str();
        let outcome = InvocationSummary::Request { route, caller: None, status, cause: None };
        invocation.end(&context.request_id, context.xray_trace_id.as_deref(), &outcome, counts);
        json!({ "isAuthorized": claims.is_some(), "context": claims.unwrap_or_default() })
    }

    /// Runs the function under Lambda until the environment is shut down.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        let answer = async |dependencies: &R, LambdaEvent { payload, context }: LambdaEvent<Value>| {
            Ok(self.answer(dependencies, &payload, &context).await)
        };
        run(self.name, serve_events(answer))
    }
}
