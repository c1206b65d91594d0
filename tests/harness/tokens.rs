//! Tokens in the hands of a test: those that the gateway takes, and whatever else can be signed.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use groups_local::development_key::DevelopmentKey;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;

use super::template;

/// A key for this run.
pub fn key() -> &'static DevelopmentKey {
    static KEY: OnceLock<DevelopmentKey> = OnceLock::new();
    KEY.get_or_init(|| DevelopmentKey::generate().unwrap())
}

/// What signs with a key.
pub fn signing(key: &DevelopmentKey) -> EncodingKey {
    EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap()
}

/// The header of a token that the gateway takes.
pub fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": key().id })
}

/// The claims of a token that the gateway takes, without a role.
pub fn claims(sub: &str) -> Value {
    let (authorizer, now) = (&template().authorizer, SystemClock.now().unix_seconds());
    let (iss, aud) = (&authorizer.issuer, &authorizer.audiences[0]);
    json!({ "iss": iss, "aud": aud, "sub": sub, "iat": now, "exp": now + 3_600 })
}

/// Whatever texts these are, signed.
pub fn signed(header: &str, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token that the gateway takes, with this as the claim of the roles.
pub fn token_claiming(sub: &str, roles: &Value) -> String {
    let mut claims = claims(sub);
    claims["cognito:groups"] = roles.clone();
    signed(&header().to_string(), &claims.to_string(), Algorithm::RS256, &signing(key()))
}

/// A token that the gateway takes.
pub fn token(sub: &str, roles: &[&str]) -> String {
    token_claiming(sub, &json!(roles))
}
