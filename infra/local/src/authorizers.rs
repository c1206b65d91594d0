//! The authorizers of the gateway: of JWTs, as API Gateway has one, and of long-lived tokens, which is a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lambda_http::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::app::AuthorizeTokenDeps;
use shared::config::{AuthorizeTokenConfig, ConfigError};

use crate::functions::AUTHORIZE_TOKEN;
use crate::jwt::Verifier;
use crate::template::RouteAuthorizer;

/// Both authorizers.
pub struct Authorizers {
    /// Verifies JWTs.
    pub jwt: Verifier,
    /// The accepted long-lived tokens.
    pub token: AuthorizeTokenDeps,
}

/// A caller that an authorizer let through.
#[derive(Debug, Clone, Default)]
pub struct Authorized {
    /// The claims of the token, by name.
    pub claims: BTreeMap<String, String>,
    /// The authorizer's part of the event's context.
    pub context: Value,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// 401, or 403 for a token that the function refuses.
    pub status: StatusCode,
    /// The defect of a JWT.
    pub reason: Option<&'static str>,
}

impl Authorizers {
    /// Decides about a request with this header `Authorization`.
    ///
    /// # Errors
    /// The header is missing, or its token is refused.
    pub async fn authorize(
        &self,
        authorizer: RouteAuthorizer,
        authorization: Option<&str>,
        route_key: &str,
    ) -> Result<Authorized, Refused> {
        let status = StatusCode::UNAUTHORIZED;
        let authorization = authorization.ok_or(Refused { status, reason: None })?;
        match authorizer {
            RouteAuthorizer::Jwt => {
                let claims = self.jwt.verify(authorization);
                let claims = claims.map_err(|reason| Refused { status, reason: Some(reason) })?;
                let context = json!({ "jwt": { "claims": claims, "scopes": null } });
                Ok(Authorized { claims, context })
            }
            RouteAuthorizer::Token => {
                let event = json!({ "version": "2.0", "identitySource": [authorization], "routeKey": route_key });
                let reply = AUTHORIZE_TOKEN.answer(&self.token, &event, &Context::default()).await;
                if reply["isAuthorized"] != true {
                    return Err(Refused { status: StatusCode::FORBIDDEN, reason: None });
                }
                let claims = serde_json::from_value(reply["context"].clone()).unwrap_or_default();
                Ok(Authorized { claims, context: json!({ "lambda": reply["context"] }) })
            }
        }
    }
}

/// Accepts one token. The other variables are those of the template.
///
/// # Errors
/// A variable is missing or malformed.
pub fn accept_token(token: &str, variable: impl Fn(&str) -> Option<String>) -> Result<AuthorizeTokenDeps, ConfigError> {
    let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let config = AuthorizeTokenConfig::from_variables(|name| match name {
        "TOKEN_DIGEST" => Some(digest.clone()),
        name => variable(name),
    })?;
    Ok(AuthorizeTokenDeps { config: Arc::new(config) })
}
