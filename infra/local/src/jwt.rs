//! Tokens: signing them for a developer, and verifying and flattening them as API Gateway's JWT authorizer does.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, get_current_timestamp,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::Problem;
use crate::development_key::DevelopmentKey;
use crate::template::Authorizer;

/// All headers of a request together have no more bytes (Amazon API Gateway quotas).
const MAX_BYTES: usize = 10_240;

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
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::RS256) };
    encode(&header, &claims, &signing_key).map_err(unsigned)
}

/// Verifies tokens.
pub struct Verifier {
    /// By their ids.
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl Verifier {
    /// Of tokens that one of these keys signed for this authorizer.
    ///
    /// # Errors
    /// A key is none.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = &'a DevelopmentKey>,
        authorizer: &Authorizer,
    ) -> Result<Self, Problem> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&authorizer.issuer]);
        validation.set_audience(&authorizer.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        // At `exp` itself it has expired (RFC 7519, section 4.1.4).
        validation.reject_tokens_expiring_in_less_than = 1;
        let key = |key: &DevelopmentKey| Ok((key.id.clone(), DecodingKey::from_rsa_pem(key.public_pem.as_bytes())?));
        let keys: Result<_, jsonwebtoken::errors::Error> = keys.into_iter().map(key).collect();
        Ok(Self { keys: keys.map_err(|error| Problem::new("the development key is none", error))?, validation })
    }

    /// The claims of the token in an `Authorization` header, flattened; `None` for one that does not verify.
    #[must_use]
    pub fn verify(&self, authorization: &str) -> Option<BTreeMap<String, String>> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or(("Bearer", authorization));
        if !scheme.eq_ignore_ascii_case("Bearer") || token.len() > MAX_BYTES {
            return None;
        }
        let Header { kid, jku, jwk, x5c, x5u, crit, .. } = decode_header(token).ok()?;
        // Which key is right is not the token's to say, and nothing that it could call critical is understood here.
        if jku.is_some() || jwk.is_some() || x5c.is_some() || x5u.is_some() || crit.is_some() {
            return None;
        }
        let Claims(claims) = decode(token, self.keys.get(&kid?)?, &self.validation).ok()?.claims;
        // One issuer; the crate takes any of several.
        let has_issuer = claims.get("iss").is_some_and(Value::is_string);
        let is_issued = claims.get("iat").is_none_or(|at| at.as_u64().is_some_and(|at| at <= get_current_timestamp()));
        (has_issuer && is_issued).then(|| claims.iter().map(|(name, value)| (name.clone(), flatten(value))).collect())
    }
}

/// What a token claims, each once: of two, another reader might believe the other.
struct Claims(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Claims, M::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if claims.insert(name, value).is_some() {
                        return Err(M::Error::custom("a claim is made twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(Once)
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
