//! Signs tokens for a developer, and verifies and flattens them as API Gateway's JWT authorizer does.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, get_current_timestamp,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::Problem;
use crate::development_key::DevelopmentKey;
use crate::template::Authorizer;

/// The most bytes of all headers of a request (Amazon API Gateway quotas).
const MAX_BYTES: usize = 10_240;

/// The claims of a token to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest<'a> {
    /// The caller.
    pub sub: &'a str,
    /// The claim that names the caller, besides `sub`.
    pub actor_claim: &'a str,
    /// The caller's roles.
    pub roles: &'a [String],
    /// The claim that holds the roles.
    pub roles_claim: &'a str,
    /// When it is issued, in seconds since 1970.
    pub issued_at: i64,
    /// Seconds from then until it expires; may be negative.
    pub expires_in: i64,
}

/// Signs a token.
///
/// # Errors
/// The key cannot sign.
pub fn sign(key: &DevelopmentKey, authorizer: &Authorizer, token: &TokenRequest<'_>) -> Result<String, Problem> {
    let mut claims = json!({
        "iss": authorizer.issuer,
        "aud": authorizer.audiences.first(),
        "sub": token.sub,
        "iat": token.issued_at,
        "exp": token.issued_at.saturating_add(token.expires_in),
    });
    claims[token.actor_claim] = json!(token.sub);
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
    /// The public keys, by key id.
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl Verifier {
    /// Accepts tokens that one of these keys signed for this authorizer.
    ///
    /// # Errors
    /// A key is malformed.
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
        Ok(Self { keys: keys.map_err(|error| Problem::new("the development key is malformed", error))?, validation })
    }

    /// Returns the flattened claims of the token in an `Authorization` header.
    ///
    /// # Errors
    /// Why the token does not verify.
    pub fn verify(&self, authorization: &str) -> Result<BTreeMap<String, String>, &'static str> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or(("Bearer", authorization));
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err("the scheme is not Bearer");
        }
        if token.len() > MAX_BYTES {
            return Err("the token is too long");
        }
        let Header { kid, jku, jwk, x5c, x5u, crit, .. } = decode_header(token).map_err(|error| reason(&error))?;
        // A token must not choose its own key, and no critical extension is supported.
        if jku.is_some() || jwk.is_some() || x5c.is_some() || x5u.is_some() || crit.is_some() {
            return Err("the header names a key of its own or a critical extension");
        }
        let key = kid.and_then(|kid| self.keys.get(&kid)).ok_or("no key has the token's kid")?;
        let Claims(claims) = decode(token, key, &self.validation).map_err(|error| reason(&error))?.claims;
        // Exactly one issuer: the crate would accept a list.
        if !claims.get("iss").is_some_and(Value::is_string) {
            return Err("the issuer is another one");
        }
        if claims.get("iat").is_some_and(|at| at.as_u64().is_none_or(|at| at > get_current_timestamp())) {
            return Err("the token was issued in the future");
        }
        Ok(claims.iter().map(|(name, value)| (name.clone(), flatten(value))).collect())
    }
}

/// Why a token does not verify, in the words of a developer who has to mend it.
fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the issuer is another one",
        ErrorKind::InvalidAudience => "the audience is another one",
        ErrorKind::InvalidSignature => "the signature is not that of the key",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "the algorithm is not RS256",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks exp, iss or aud",
        _ => "the text is no token",
    }
}

/// The claims of a token. A repeated claim is an error, because another reader might use the other one.
struct Claims(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClaimsVisitor;

        impl<'de> Visitor<'de> for ClaimsVisitor {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Claims, M::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if claims.insert(name, value).is_some() {
                        return Err(M::Error::custom("a claim is repeated"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(ClaimsVisitor)
    }
}

/// Returns a claim as API Gateway passes it on: every value is a text, a list is in brackets and separated by spaces.
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
