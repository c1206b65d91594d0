//! Lambda authorizer of the routes for identity providers, which want one bearer token to paste.
//!
//! The function knows only the SHA-256 of each accepted token: two, so that one can be replaced while the other is in use.

use sha2::{Digest, Sha256};
use shared::app::{AuthorizeTokenDeps, AuthorizerFunction, CallerClaims};
use subtle::{Choice, ConstantTimeEq};

/// This function.
pub const FUNCTION: AuthorizerFunction<AuthorizeTokenDeps> = AuthorizerFunction::new("authorize-token", handler);

/// Returns the claims of a caller with an accepted token. Every digest is compared, in constant time.
fn handler(dependencies: &AuthorizeTokenDeps, token: &str) -> Option<CallerClaims> {
    let digest = Sha256::digest(token);
    let is_accepted = dependencies
        .config
        .digests
        .iter()
        .fold(Choice::from(0), |found, accepted| found | accepted.as_slice().ct_eq(digest.as_slice()));
    bool::from(is_accepted).then(|| dependencies.config.claims.clone())
}
