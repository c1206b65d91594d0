//! The gateway: routes and authorizer of the template in front of the functions' handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use futures::FutureExt;
use lambda_http::lambda_runtime::tower::{ServiceExt, service_fn};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent};
use serde_json::Value;
use shared::app::{App, Function};
use shared::http::request::escape_query;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use crate::Problem;
use crate::docs::Docs;
use crate::event::{self, Routed, own_response};
use crate::functions::{FUNCTIONS, check_routes};
use crate::jwt::Verifier;
use crate::machine::Machine;
use crate::template::Template;

/// The largest body that API Gateway hands on (Amazon API Gateway quotas): 10 MB.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// How long requests under way may take when the gateway is told to end.
const GRACE: Duration = Duration::from_secs(2);

/// A method of a path, and the function that answers it.
struct Entry {
    method: String,
    path: String,
    function: Function,
}

/// The gateway and what it needs to answer.
pub struct Gateway {
    router: matchit::Router<Vec<Entry>>,
    verifier: Verifier,
    timeout_seconds: u64,
    app: App,
    machine: Machine,
    docs: Docs,
}

impl Gateway {
    /// The template's gateway, in front of handlers over this app, with the machine beside it.
    ///
    /// # Errors
    /// The template has a route without a function, a function without a route, or a path that cannot be one.
    pub fn new(template: &Template, verifier: Verifier, app: App, machine: Machine) -> Result<Self, Problem> {
        check_routes(template)?;
        let docs = Docs::new(template)?;
        let mut by_path: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for route in &template.routes {
            let function = FUNCTIONS.iter().find(|function| function.name == route.function);
            let (method, path) = (route.method.clone(), route.path.clone());
            let entry = function.map(|function| Entry { method, path, function: *function });
            by_path.entry(&route.path).or_default().extend(entry);
        }
        let mut router = matchit::Router::new();
        for (path, entries) in by_path {
            router.insert(path, entries).map_err(|error| Problem::new(format!("template.yaml: path {path}"), error))?;
        }
        Ok(Self { router, verifier, timeout_seconds: template.timeout_seconds, app, machine, docs })
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
        let (told, stopped) = oneshot::channel();
        let stop = async move {
            stop.await;
            let _ = told.send(());
        };
        let mut serving = axum::serve(listener, router).with_graceful_shutdown(stop).into_future();
        let served = tokio::select! {
            served = &mut serving => served,
            // Who listens for events does so for ever.
            _ = stopped => timeout(GRACE, &mut serving).await.unwrap_or(Ok(())),
        };
        served.map_err(|error| Problem::new("the gateway stopped", error))
    }

    async fn respond(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            return own_response(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        if parts.uri.path().starts_with("/_local/") {
            // A web page that the developer visits may send here, but not without saying that it is one.
            if parts.headers.contains_key(ORIGIN) {
                return own_response(StatusCode::FORBIDDEN, "not for web pages");
            }
            return self.machine.respond(&parts, &body).await;
        }
        if let Some(answer) = self.docs.respond(&parts.method, parts.uri.path()) {
            return answer;
        }
        // As deployed: a path or method that no route has is not found, with or without a token.
        let Some((entry, path_parameters)) = self.route(&parts) else {
            return own_response(StatusCode::NOT_FOUND, "Not Found");
        };
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(claims) = authorization.and_then(|value| self.verifier.verify(value)) else {
            return unauthorized();
        };
        let request_id = &Uuid::new_v4().to_string();
        let routed = Routed { request_id, route_path: &entry.path, path_parameters, claims: &claims, time: self.now() };
        let event = event::of_request(&parts, &body, &routed);
        let context = self.context(request_id);
        event::to_response(invoke(entry.function, &self.app, &event, context).await.unwrap_or_default())
    }

    /// The route of a request, and what stands for its path's parameters.
    fn route(&self, parts: &Parts) -> Option<(&Entry, Vec<(String, String)>)> {
        let matched = self.router.at(parts.uri.path()).ok()?;
        let entry = matched.value.iter().find(|entry| entry.method == parts.method.as_str())?;
        let parameters = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((entry, parameters.collect()))
    }

    fn now(&self) -> OffsetDateTime {
        let millis = i128::from(self.app.clock.unix_millis());
        OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// What Lambda tells of the invocation; its time is the machine's, whatever the app's clock says.
    fn context(&self, request_id: &str) -> Context {
        use shared::domain::Clock;
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        context.deadline = shared::domain::clock::SystemClock.unix_millis() + self.timeout_seconds * 1_000;
        context
    }
}

fn unauthorized() -> Response<Body> {
    let mut response = own_response(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Hands the event to the function as Lambda does: as JSON, through the adapter that a deployed function runs under.
/// `None` for a function that panics, or that does not take the event.
pub async fn invoke(function: Function, app: &App, event: &Value, context: Context) -> Option<Value> {
    let payload: LambdaRequest = serde_json::from_str(&event.to_string()).ok()?;
    let app = app.clone();
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, std::convert::Infallible>(function.answer(&app, request).await) }
    });
    let answer = Adapter::from(service).oneshot(escape_query(LambdaEvent { payload, context }));
    let answer = std::panic::AssertUnwindSafe(answer).catch_unwind().await.ok()?.ok()?;
    serde_json::to_value(answer).ok()
}
