//! The local gateway accepts and refuses the same tokens as a deployed API Gateway.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use groups_local::development_key::{DevelopmentKey, DevelopmentKeys};
use groups_local::jwt::Verifier;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;

use crate::harness::recorder::operations;
use crate::harness::tokens::{claims, header, signed, signing};
use crate::harness::workspace::{binary, root};
use crate::harness::{Answer, Api, key, template};

/// Returns the public key as DER.
fn public_der() -> Vec<u8> {
    let lines = key().public_pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn now() -> i64 {
    SystemClock.now().unix_seconds()
}

/// The parts of a token that the gateway accepts.
struct ValidToken {
    header: Value,
    claims: Value,
    key: EncodingKey,
}

impl ValidToken {
    fn new() -> Self {
        Self { header: header(), claims: claims("alice"), key: signing(key()) }
    }

    fn token(&self) -> String {
        signed(&self.header.to_string(), &self.claims.to_string(), Algorithm::RS256, &self.key)
    }

    /// Replaces these header fields; signs with the valid key.
    fn with_header(&self, fields: &Value) -> String {
        signed(&merged(&self.header, fields), &self.claims.to_string(), Algorithm::RS256, &self.key)
    }

    /// Replaces these claims; signs with the valid key.
    fn with_claims(&self, claims: &Value) -> String {
        signed(&self.header.to_string(), &merged(&self.claims, claims), Algorithm::RS256, &self.key)
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&self.header.to_string(), &claims.to_string(), Algorithm::RS256, &self.key)
    }

    /// Returns a token with this text before all claims, and one with it after them.
    fn with_text(&self, text: &str) -> [String; 2] {
        let claims = self.claims.to_string();
        let inside = &claims[1..claims.len() - 1];
        [format!("{{{text},{inside}}}"), format!("{{{inside},{text}}}")]
            .map(|claims| signed(&self.header.to_string(), &claims, Algorithm::RS256, &self.key))
    }

    /// Names this algorithm in the header and signs with it and this key.
    fn signed_by(&self, algorithm: Algorithm, key: &EncodingKey) -> String {
        signed(&merged(&self.header, &json!({ "alg": algorithm })), &self.claims.to_string(), algorithm, key)
    }
}

/// Returns the JSON of the object with these fields replaced.
fn merged(object: &Value, fields: &Value) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object.to_string()
}

/// Asserts that the gateway refuses each token as API Gateway does, and accepts a valid one. Each token has a name.
async fn assert_refused(tokens: Vec<(String, String)>) {
    assert!(!tokens.is_empty());
    let api = Api::start().await;
    let valid = ValidToken::new().token();
    assert_eq!(Answer::to(api.request_as(Some(&valid), Method::GET, "")).await.status, 200);
    for (name, token) in tokens {
        let answer = Answer::to(api.request_as(Some(&token), Method::GET, "")).await;
        assert_eq!(answer.status, 401, "{name}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{name}: {challenge}");
        assert_eq!(answer.body, json!({ "message": "Unauthorized" }), "as API Gateway answers");
    }
    let answer = Answer::to(api.request_as(None, Method::GET, "")).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(operations(&api.recorder.take()), ["Query"], "only the request with the valid token reached the table");
}

/// Numbers tokens of one kind, for failure messages.
fn named(kind: &str, tokens: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    tokens.into_iter().enumerate().map(|(at, token)| (format!("{kind}, {at}"), token)).collect()
}

#[tokio::test]
async fn token_signed_with_another_algorithm_or_key_is_refused() {
    let good = ValidToken::new();
    let valid = good.token();
    let parts: Vec<&str> = valid.split('.').collect();
    let foreign = signing(&DevelopmentKey::generate().unwrap());
    let elliptic = EncodingKey::from_ec_pem(rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes()).unwrap();
    let unsigned = |alg: &str, signature: &str| {
        let header = URL_SAFE_NO_PAD.encode(merged(&good.header, &json!({ "alg": alg })));
        format!("{header}.{}.{signature}", parts[1])
    };
    let mut tokens = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "HS256\0"] {
        let signed = good.with_header(&json!({ "alg": alg }));
        tokens.extend(named(alg, [unsigned(alg, ""), unsigned(alg, parts[2]), signed]));
    }
    let der = public_der();
    for secret in [key().public_pem.as_bytes(), key().public_pem.trim().as_bytes(), &der, b""] {
        let secret = EncodingKey::from_secret(secret);
        let signed = |algorithm| good.signed_by(algorithm, &secret);
        tokens.extend(named("the public key as a secret", [Algorithm::HS256, Algorithm::HS512].map(signed)));
    }
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512] {
        tokens.extend(named("another algorithm of the key", [good.signed_by(algorithm, &good.key)]));
    }
    let by_foreign_key = good.signed_by(Algorithm::RS256, &foreign);
    let by_elliptic_key = good.signed_by(Algorithm::ES256, &elliptic);
    let claims = good.claims.to_string();
    let algorithm_differs = signed(&good.header.to_string(), &claims, Algorithm::PS256, &good.key);
    tokens.extend(named("another key", [by_foreign_key, by_elliptic_key, algorithm_differs]));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn token_header_cannot_choose_its_key() {
    let good = ValidToken::new();
    let mut foreign = ValidToken { key: signing(&DevelopmentKey::generate().unwrap()), ..ValidToken::new() };
    let mut tokens = Vec::new();
    let id = &key().id;
    for kid in ["", "development", "unknown", "../x", "../../dev/null", "/dev/null", "' OR '1'='1", "\0", "\u{202e}"] {
        tokens.extend(named("an unknown kid", [good.with_header(&json!({ "kid": kid }))]));
        let similar = [format!("{kid}{id}"), format!("{id}{kid}"), format!("{id}/{kid}")];
        let similar = similar.iter().filter(|similar| *similar != id);
        let similar = similar.map(|kid| good.with_header(&json!({ "kid": kid })));
        tokens.extend(named("a kid similar to the valid one", similar));
    }
    for kid in [Value::Null, json!(1), json!([id]), json!({ "kid": id })] {
        tokens.extend(named("a kid that is no string", [good.with_header(&json!({ "kid": kid }))]));
    }
    let jwk = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": id });
    for fields in [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://elsewhere.example/jwks.json" }),
        json!({ "x5u": "https://elsewhere.example/certificate.pem" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "crit": ["b64"], "b64": false }),
    ] {
        foreign.header = good.header.clone();
        let signed_by_each = [good.with_header(&fields), foreign.with_header(&fields)];
        tokens.extend(named(&fields.to_string(), signed_by_each));
    }
    let duplicated = |text: &str| {
        let header = good.header.to_string();
        signed(&format!("{{{text},{}", &header[1..]), &good.claims.to_string(), Algorithm::RS256, &good.key)
    };
    let duplicated = [duplicated("\"alg\":\"none\""), duplicated("\"kid\":\"x\"")];
    tokens.extend(named("a duplicate header field", duplicated));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn token_with_another_issuer_audience_or_time_is_refused() {
    let good = ValidToken::new();
    let authorizer = &template().authorizer;
    let (issuer, audience) = (&authorizer.issuer, &authorizer.audiences[0]);
    let mut tokens = Vec::new();
    for iss in [
        json!("https://elsewhere.example"),
        json!(format!("{issuer}/")),
        json!(issuer.to_uppercase()),
        json!([issuer]),
        json!([issuer, "https://elsewhere.example"]),
        json!({ "iss": issuer }),
        Value::Null,
    ] {
        tokens.extend(named("another issuer", [good.with_claims(&json!({ "iss": iss }))]));
    }
    for aud in [
        json!("another-api"),
        json!(format!("{audience} another-api")),
        json!(["another-api"]),
        json!([]),
        json!([[audience]]),
        json!({ "aud": audience }),
        Value::Null,
    ] {
        // A valid `client_id` does not replace the audience.
        let claims = json!({ "aud": aud, "client_id": audience });
        tokens.extend(named("another audience", [good.with_claims(&claims)]));
    }
    for (claim, value) in [
        ("exp", json!(now() - 1)),
        ("exp", json!(now())),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!((now() + 600).to_string())),
        ("exp", json!([now() + 600])),
        ("exp", json!(true)),
        ("exp", Value::Null),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX as f64)),
        ("nbf", json!(now() + 60)),
        ("nbf", json!((now() - 60).to_string())),
        ("nbf", json!(1e300)),
        ("iat", json!(now() + 60)),
        ("iat", json!(now().to_string())),
    ] {
        tokens.extend(named(claim, [good.with_claims(&json!({ claim: value }))]));
    }
    tokens.extend(named("a missing claim", ["exp", "iss", "aud"].map(|claim| good.without_claim(claim))));
    let huge = ["1e400".to_owned(), format!("1{}", "0".repeat(1_000))];
    for number in huge {
        tokens.extend(named("a number out of range", good.with_text(&format!("\"more\":{number}"))));
    }
    for duplicate in ["\"exp\":9999999999", "\"sub\":\"mallory\"", "\"iat\":0", "\"\\u0073ub\":\"mallory\""] {
        tokens.extend(named("a duplicate claim", good.with_text(duplicate)));
    }
    let deep = format!("\"more\":{}{}", "[".repeat(10_000 / 8), "]".repeat(10_000 / 8));
    tokens.extend(named("deeply nested claims", good.with_text(&deep)));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn malformed_token_is_refused() {
    let good = ValidToken::new();
    let valid = good.token();
    let parts: Vec<&str> = valid.split('.').collect();
    let overlong = good.with_claims(&json!({ "more": "x".repeat(10_000) }));
    let texts = [
        String::new(),
        "garbage".into(),
        "..".into(),
        "....".into(),
        valid[..valid.len() - 2].to_owned(),
        format!("{valid}A"),
        format!("{valid}="),
        format!("{valid}."),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{valid},{valid}"),
        format!("{valid} {valid}"),
        "a".repeat(20_000),
        overlong,
    ];
    let mut tokens = named("a malformed token", texts);
    let not_json = ["", "null", "[]", "\"text\"", "{", "\u{feff}{}", "{\"alg\":\"RS256\"}\0"];
    for text in not_json {
        let header = signed(text, &good.claims.to_string(), Algorithm::RS256, &good.key);
        let claims = signed(&good.header.to_string(), text, Algorithm::RS256, &good.key);
        tokens.extend(named("a part that is no JSON object", [header, claims]));
    }
    assert_refused(tokens).await;
}

/// Tokens of the current and the former key are accepted; those of the key before are refused.
#[test]
fn tokens_of_the_former_key_are_accepted_after_one_rotation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("template.yaml"), folder.path().join("template.yaml")).unwrap();
    let token = |arguments: &[&str]| {
        let mut command = Command::new(binary("groups-local"));
        let output = command.current_dir(folder.path()).arg("token").args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let tokens = [token(&[]), token(&["--rotate"]), token(&["--rotate"]), token(&[])];
    let keys = DevelopmentKeys::load(folder.path()).unwrap();
    let verifier = Verifier::new(keys.all(), &template().authorizer).unwrap();
    let accepted = tokens.map(|token| verifier.verify(&format!("Bearer {token}")).is_ok());
    assert_eq!(accepted, [false, true, true, true]);
    // A token with the id of one key and the signature of another is refused.
    let former = keys.former.unwrap();
    let header = json!({ "alg": "RS256", "kid": former.id });
    let mixed = ValidToken { header, key: signing(&keys.current), ..ValidToken::new() };
    assert_eq!(verifier.verify(&mixed.token()), Err("the signature is not that of the key"));
    let matching = ValidToken { key: signing(&former), ..mixed };
    assert!(verifier.verify(&matching.token()).is_ok());
}

#[test]
fn refused_token_is_explained_to_its_developer() {
    let verifier = Verifier::new([key()], &template().authorizer).unwrap();
    let valid = ValidToken::new();
    let now = SystemClock.now().unix_seconds();
    let with = |claims: Value| {
        signed(&valid.header.to_string(), &merged(&valid.claims, &claims), Algorithm::RS256, &valid.key)
    };
    let of_unknown_key = signed(
        &merged(&valid.header, &json!({ "kid": "other" })),
        &valid.claims.to_string(),
        Algorithm::RS256,
        &valid.key,
    );
    let foreign = signing(&DevelopmentKey::generate().unwrap());
    for (token, reason) in [
        (with(json!({ "exp": now - 1 })), "the token has expired"),
        (with(json!({ "iss": "https://other.example" })), "the issuer is another one"),
        (with(json!({ "aud": "other" })), "the audience is another one"),
        (with(json!({ "nbf": now + 60 })), "the token is not valid yet"),
        (with(json!({ "iat": now + 60 })), "the token was issued in the future"),
        (of_unknown_key, "no key has the token's kid"),
        (valid.signed_by(Algorithm::RS256, &foreign), "the signature is not that of the key"),
        ("nonsense".into(), "the text is no token"),
    ] {
        assert_eq!(verifier.verify(&format!("Bearer {token}")), Err(reason));
    }
    assert_eq!(verifier.verify("Basic YTpi"), Err("the scheme is not Bearer"));
}
