//! Tokens: signing them for a developer, and verifying and flattening them as API Gateway's JWT authorizer does.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Map, Value, json};

use crate::Problem;
use crate::development_key::DevelopmentKey;
use crate::template::Authorizer;

const KEY_ID: &str = "development";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest<'a> {
    /// Who the caller is.
    pub sub: &'a str,
    /// The roles they have.
    pub roles: &'a [String],
    /// The claim that holds them.
    pub roles_claim: &'a str,
    /// Seconds since 1970.
    pub issued_at: i64,
    /// Seconds after that; may be negative.
    pub expires_in: i64,
}

/// Signs a token.
///
/// # Errors
/// The key does not sign.
pub fn sign(key: &DevelopmentKey, authorizer: &Authorizer, token: &TokenRequest<'_>) -> Result<String, Problem> {
    let mut claims = json!({
        "iss": authorizer.issuer,
        "aud": authorizer.audiences.first(),
        "sub": token.sub,
        "iat": token.issued_at,
        "exp": token.issued_at.saturating_add(token.expires_in),
    });
    if !token.roles.is_empty() {
        claims[token.roles_claim] = json!(token.roles);
    }
    let unsigned = |error| Problem::new("cannot sign the token", error);
    let signing_key = EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).map_err(unsigned)?;
    let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, &signing_key).map_err(unsigned)
}

/// Verifies tokens.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// Of tokens that this key signed for this authorizer.
    ///
    /// # Errors
    /// The key is not one.
    pub fn new(key: &DevelopmentKey, authorizer: &Authorizer) -> Result<Self, Problem> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&authorizer.issuer]);
        validation.set_audience(&authorizer.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        let key = DecodingKey::from_rsa_pem(key.public_pem.as_bytes());
        Ok(Self { key: key.map_err(|error| Problem::new("the development key is none", error))?, validation })
    }

    /// The claims of the token in an `Authorization` header, flattened; `None` for one that does not verify.
    #[must_use]
    pub fn verify(&self, authorization: &str) -> Option<BTreeMap<String, String>> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or(("Bearer", authorization));
        if !scheme.eq_ignore_ascii_case("Bearer") || decode_header(token).ok()?.kid.as_deref() != Some(KEY_ID) {
            return None;
        }
        let claims = decode::<Map<String, Value>>(token, &self.key, &self.validation).ok()?.claims;
        Some(claims.into_iter().map(|(name, value)| (name, flatten(&value))).collect())
    }
}

/// A claim as API Gateway hands it on: every value a text, a list in brackets with spaces between.
fn flatten(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flatten).collect();
            format!("[{}]", items.join(" "))
        }
        other => other.to_string(),
    }
}
