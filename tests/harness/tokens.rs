//! Signs tokens: valid ones, and any other text.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use groups_local::development_key::DevelopmentKey;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;

use super::template;

/// Returns the signing key of this run.
pub fn key() -> &'static DevelopmentKey {
    static KEY: OnceLock<DevelopmentKey> = OnceLock::new();
    KEY.get_or_init(|| DevelopmentKey::generate().unwrap())
}

/// Returns the private part of a key.
pub fn signing(key: &DevelopmentKey) -> EncodingKey {
    EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap()
}

/// Returns the header of a valid token.
pub fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": key().id })
}

/// Returns the claims of a valid token without roles.
pub fn claims(sub: &str) -> Value {
    let (authorizer, now) = (&template().authorizer, SystemClock.now().unix_seconds());
    let (iss, aud) = (&authorizer.issuer, &authorizer.audiences[0]);
    json!({ "iss": iss, "aud": aud, "sub": sub, "iat": now, "exp": now + 3_600 })
}

/// Signs any two texts as header and claims.
pub fn signed(header: &str, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Returns a valid token with this value as its claim of roles.
pub fn token_claiming(sub: &str, roles: &Value) -> String {
    let mut claims = claims(sub);
    claims["cognito:groups"] = roles.clone();
    signed(&header().to_string(), &claims.to_string(), Algorithm::RS256, &signing(key()))
}

/// Returns a valid token with these roles.
pub fn token(sub: &str, roles: &[&str]) -> String {
    token_claiming(sub, &json!(roles))
}
