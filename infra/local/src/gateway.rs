//! The local gateway: the template's routes and authorizers, in front of the functions' handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use futures::FutureExt;
use lambda_http::lambda_runtime::tower::{ServiceExt, service_fn};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent};
use serde_json::{Value, json};
use shared::app::{App, Function};
use shared::http::request::escape_query;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use crate::authorizers::{Authorized, Authorizers, Refused};
use crate::docs::Docs;
use crate::event::{self, GatewayContext, own_response};
use crate::functions::{REJECT_REQUEST, check_routes, routed};
use crate::local_endpoints::LocalEndpoints;
use crate::request_log::RequestLog;
use crate::template::{Route, RouteAuthorizer, Template};
use crate::{Problem, host};

/// The largest body that API Gateway forwards (Amazon API Gateway quotas): 10 MB.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// How long running requests may take after the signal to shut down.
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);

/// A route and the function behind it.
struct RoutedFunction {
    method: String,
    path: String,
    function: Function,
    authorizer: RouteAuthorizer,
    timeout_seconds: u64,
}

/// The gateway.
pub struct Gateway {
    router: matchit::Router<Vec<RoutedFunction>>,
    authorizers: Authorizers,
    timeout_seconds: u64,
    app: App,
    local: LocalEndpoints,
    docs: Docs,
    log: RequestLog,
}

impl Gateway {
    /// Makes a gateway with the template's routes. Handlers use `app`; `local` replies below `/_local/`.
    ///
    /// # Errors
    /// The template has a route without a function, a function without a route, or an invalid path.
    pub fn new(
        template: &Template,
        authorizers: Authorizers,
        app: App,
        local: LocalEndpoints,
    ) -> Result<Self, Problem> {
        check_routes(template)?;
        let docs = Docs::new(template)?;
        let mut by_path: BTreeMap<String, Vec<RoutedFunction>> = BTreeMap::new();
        for route in &template.routes {
            let (method, path) = (route.method.clone(), route.path.clone());
            let Route { authorizer, timeout_seconds, .. } = *route;
            // A test may give invocations more time than the template does.
            let timeout_seconds = timeout_seconds.max(template.timeout_seconds);
            let function = routed(&route.function);
            let routed =
                function.map(|function| RoutedFunction { method, path, function, authorizer, timeout_seconds });
            // A part that takes the rest of the path is `{proxy+}` for the gateway, `{*proxy}` for the router.
            by_path.entry(route.path.replace("{proxy+}", "{*proxy}")).or_default().extend(routed);
        }
        let mut router = matchit::Router::new();
        for (path, functions) in by_path {
            router
                .insert(&path, functions)
                .map_err(|error| Problem::new(format!("template.yaml: path {path}"), error))?;
        }
        let timeout_seconds = template.timeout_seconds;
        Ok(Self { router, authorizers, timeout_seconds, app, local, docs, log: RequestLog::Off })
    }

    /// The same gateway with this log.
    #[must_use]
    pub fn logging(self, log: RequestLog) -> Self {
        Self { log, ..self }
    }

    /// Serves until the future resolves.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Problem> {
        let gateway = Arc::new(self);
        let router = Router::new().fallback(move |request: Request| {
            let gateway = Arc::clone(&gateway);
            async move { gateway.respond(request).await }
        });
        let (stopping, stopped) = oneshot::channel();
        let stop = async move {
            stop.await;
            let _ = stopping.send(());
        };
        let mut serving = axum::serve(listener, router).with_graceful_shutdown(stop).into_future();
        let served = tokio::select! {
            served = &mut serving => served,
            // A client that follows events never ends its request.
            _ = stopped => timeout(SHUTDOWN_TIME, &mut serving).await.unwrap_or(Ok(())),
        };
        served.map_err(|error| Problem::new("the gateway stopped", error))
    }

    async fn respond(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            return own_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        if parts.uri.path().starts_with("/_local/") {
            if !host::is_local(&parts.headers) {
                return own_response(StatusCode::FORBIDDEN, "not for web pages");
            }
            return self.local.respond(&parts, &body).await;
        }
        if let Some(response) = self.docs.respond(&parts.method, parts.uri.path()) {
            return response;
        }
        self.call(&parts, &body).await
    }

    /// Calls the function of a request's route, with the claims of its token.
    async fn call(&self, parts: &Parts, body: &Bytes) -> Response<Body> {
        let route = self.route(parts);
        // The catch-all route has no authorizer.
        let authorizer = route.as_ref().map(|(routed, _)| routed.authorizer);
        let timeout_seconds = route.as_ref().map_or(self.timeout_seconds, |(routed, _)| routed.timeout_seconds);
        let (function, route_key, path_parameters) = match route {
            Some((routed, parameters)) => (routed.function, format!("{} {}", routed.method, routed.path), parameters),
            None => (REJECT_REQUEST, "$default".to_owned(), Vec::new()),
        };
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let started = Instant::now();
        let authorized = match authorizer {
            Some(authorizer) => self.authorizers.authorize(authorizer, authorization, &route_key).await,
            None => {
                let context = json!({ "jwt": { "claims": {}, "scopes": null } });
                Ok(Authorized { context, ..Authorized::default() })
            }
        };
        let Authorized { claims, context: authorizer } = match authorized {
            Ok(authorized) => authorized,
            Err(refused) => {
                self.log.write(parts, refused.status.as_u16(), started.elapsed(), None);
                return refuse(refused);
            }
        };
        let request_id = &Uuid::new_v4().to_string();
        let route_key = &route_key;
        let gateway = GatewayContext { request_id, route_key, path_parameters, authorizer, time: self.now() };
        let event = event::of_request(parts, body, &gateway);
        let context = self.context(request_id, timeout_seconds);
        let reply = invoke(function, &self.app, &event, context).await.unwrap_or_default();
        self.local.activity.note();
        let response = event::to_response(reply);
        let caller = claims.get(self.app.actor_claim()).map(String::as_str);
        self.log.write(parts, response.status().as_u16(), started.elapsed(), caller);
        response
    }

    /// Returns the route of a request and the values of the path's parameters.
    fn route(&self, parts: &Parts) -> Option<(&RoutedFunction, Vec<(String, String)>)> {
        let matched = self.router.at(parts.uri.path()).ok()?;
        let routed =
            matched.value.iter().find(|routed| [parts.method.as_str(), "ANY"].contains(&routed.method.as_str()))?;
        let parameters = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((routed, parameters.collect()))
    }

    fn now(&self) -> OffsetDateTime {
        let millis = i128::from(self.app.clock.unix_millis());
        OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The invocation's context. Its deadline is in real time, even when a test sets the app's clock.
    fn context(&self, request_id: &str, timeout_seconds: u64) -> Context {
        use shared::domain::Clock;
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        context.deadline = shared::domain::clock::SystemClock.unix_millis() + timeout_seconds * 1_000;
        context
    }
}

/// Refuses a request, as the gateway does.
fn refuse(Refused { status, reason }: Refused) -> Response<Body> {
    if status == StatusCode::FORBIDDEN { own_response(status, "Forbidden") } else { unauthorized(reason) }
}

/// Refuses a token, as RFC 6750, section 3, describes: with the reason, which is logged as well.
fn unauthorized(reason: Option<&str>) -> Response<Body> {
    let challenge = reason.map_or_else(
        || "Bearer".to_owned(),
        |reason| {
            tracing::warn!(reason, "a token is refused");
            format!(r#"Bearer error="invalid_token", error_description="{reason}""#)
        },
    );
    let mut response = own_response(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().extend(HeaderValue::try_from(challenge).ok().map(|value| (WWW_AUTHENTICATE, value)));
    response
}

/// Invokes the function with an event as Lambda does: in JSON, through the adapter of a deployed function. `None` when the
/// function panics or cannot read the event.
pub async fn invoke(function: Function, app: &App, event: &Value, context: Context) -> Option<Value> {
    let payload: LambdaRequest = serde_json::from_str(&event.to_string()).ok()?;
    let app = app.clone();
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, std::convert::Infallible>(function.answer(&app, request).await) }
    });
    let reply = Adapter::from(service).oneshot(escape_query(LambdaEvent { payload, context }));
    let reply = std::panic::AssertUnwindSafe(reply).catch_unwind().await.ok()?.ok()?;
    serde_json::to_value(reply).ok()
}
