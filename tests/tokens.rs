//! Which tokens the local gateway takes, and which it refuses, as a deployed one does.

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

use crate::harness::tokens::{claims, header, signed, signing};
use crate::harness::workspace::{binary, root};
use crate::harness::{Answer, Api, key, template};

/// The public key as the bytes that its PEM is of.
fn public_der() -> Vec<u8> {
    let lines = key().public_pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn now() -> i64 {
    SystemClock.now().unix_seconds()
}

/// The parts of a token that is good.
struct Good {
    header: Value,
    claims: Value,
    key: EncodingKey,
}

impl Good {
    fn new() -> Self {
        Self { header: header(), claims: claims("alice"), key: signing(key()) }
    }

    fn token(&self) -> String {
        signed(&self.header.to_string(), &self.claims.to_string(), Algorithm::RS256, &self.key)
    }

    /// With these header fields instead, signed for once by the right key.
    fn with_header(&self, fields: &Value) -> String {
        signed(&merged(&self.header, fields), &self.claims.to_string(), Algorithm::RS256, &self.key)
    }

    fn with_claims(&self, claims: &Value) -> String {
        signed(&self.header.to_string(), &merged(&self.claims, claims), Algorithm::RS256, &self.key)
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&self.header.to_string(), &claims.to_string(), Algorithm::RS256, &self.key)
    }

    /// With this text among the claims, before all others and after.
    fn with_text(&self, text: &str) -> [String; 2] {
        let claims = self.claims.to_string();
        let inside = &claims[1..claims.len() - 1];
        [format!("{{{text},{inside}}}"), format!("{{{inside},{text}}}")]
            .map(|claims| signed(&self.header.to_string(), &claims, Algorithm::RS256, &self.key))
    }

    /// Said to be of another algorithm, and signed so by this key.
    fn by(&self, algorithm: Algorithm, key: &EncodingKey) -> String {
        signed(&merged(&self.header, &json!({ "alg": algorithm })), &self.claims.to_string(), algorithm, key)
    }
}

fn merged(object: &Value, fields: &Value) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object.to_string()
}

/// Holds that the gateway refuses each as a deployed one does, and takes the good one.
async fn assert_refused(tokens: Vec<(String, String)>) {
    let api = Api::start().await;
    let good = Good::new().token();
    assert_eq!(Answer::to(api.request_as(Some(&good), Method::GET, "")).await.status, 200);
    for (what, token) in tokens {
        let answer = Answer::to(api.request_as(Some(&token), Method::GET, "")).await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.body, json!({ "message": "Unauthorized" }), "as API Gateway answers");
    }
    let answer = Answer::to(api.request_as(None, Method::GET, "")).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    let requests = api.recorder.take();
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| request.operation == "Query"), "only the good one was answered");
}

fn named(what: &str, tokens: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    tokens.into_iter().enumerate().map(|(at, token)| (format!("{what}, {at}"), token)).collect()
}

#[tokio::test]
async fn only_the_algorithm_and_the_keys_of_the_issuer_sign() {
    let good = Good::new();
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
        let by = |algorithm| good.by(algorithm, &secret);
        tokens.extend(named("the public key as a secret", [Algorithm::HS256, Algorithm::HS512].map(by)));
    }
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512] {
        tokens.extend(named("another algorithm of the key", [good.by(algorithm, &good.key)]));
    }
    let (of_another, elsewhere) = (good.by(Algorithm::RS256, &foreign), good.by(Algorithm::ES256, &elliptic));
    let claims = good.claims.to_string();
    let not_as_said = signed(&good.header.to_string(), &claims, Algorithm::PS256, &good.key);
    tokens.extend(named("another key", [of_another, elsewhere, not_as_said]));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn a_header_does_not_say_which_key_is_right() {
    let good = Good::new();
    let mut foreign = Good { key: signing(&DevelopmentKey::generate().unwrap()), ..Good::new() };
    let mut tokens = Vec::new();
    let id = &key().id;
    for kid in ["", "development", "unknown", "../x", "../../dev/null", "/dev/null", "' OR '1'='1", "\0", "\u{202e}"] {
        tokens.extend(named("an unknown kid", [good.with_header(&json!({ "kid": kid }))]));
        let spelled = [format!("{kid}{id}"), format!("{id}{kid}"), format!("{id}/{kid}")];
        let others = spelled.iter().filter(|spelled| *spelled != id);
        let others = others.map(|kid| good.with_header(&json!({ "kid": kid })));
        tokens.extend(named("a kid that only looks like ours", others));
    }
    for kid in [Value::Null, json!(1), json!([id]), json!({ "kid": id })] {
        tokens.extend(named("a kid that is no text", [good.with_header(&json!({ "kid": kid }))]));
    }
    let jwk = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": id });
    for brought in [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://elsewhere.example/jwks.json" }),
        json!({ "x5u": "https://elsewhere.example/certificate.pem" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "crit": ["b64"], "b64": false }),
    ] {
        foreign.header = good.header.clone();
        let by_both = [good.with_header(&brought), foreign.with_header(&brought)];
        tokens.extend(named(&brought.to_string(), by_both));
    }
    let twice = |text: &str| {
        let header = good.header.to_string();
        signed(&format!("{{{text},{}", &header[1..]), &good.claims.to_string(), Algorithm::RS256, &good.key)
    };
    tokens.extend(named("two of one header", [twice("\"alg\":\"none\""), twice("\"kid\":\"x\"")]));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn only_what_is_claimed_for_this_api_and_now_gets_in() {
    let good = Good::new();
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
        // A `client_id` of ours does not make up for it.
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
    tokens.extend(named("a claim that is missing", ["exp", "iss", "aud"].map(|claim| good.without_claim(claim))));
    let huge = ["1e400".to_owned(), format!("1{}", "0".repeat(1_000))];
    for number in huge {
        tokens.extend(named("no number", good.with_text(&format!("\"more\":{number}"))));
    }
    for twice in ["\"exp\":9999999999", "\"sub\":\"mallory\"", "\"iat\":0", "\"\\u0073ub\":\"mallory\""] {
        tokens.extend(named("two of one claim", good.with_text(twice)));
    }
    let deep = format!("\"more\":{}{}", "[".repeat(10_000 / 8), "]".repeat(10_000 / 8));
    tokens.extend(named("claims without end", good.with_text(&deep)));
    assert_refused(tokens).await;
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let good = Good::new();
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
    let mut tokens = named("no token", texts);
    let not_json = ["", "null", "[]", "\"text\"", "{", "\u{feff}{}", "{\"alg\":\"RS256\"}\0"];
    for text in not_json {
        let header = signed(text, &good.claims.to_string(), Algorithm::RS256, &good.key);
        let claims = signed(&good.header.to_string(), text, Algorithm::RS256, &good.key);
        tokens.extend(named("no object", [header, claims]));
    }
    assert_refused(tokens).await;
}

/// While a key is rotated, tokens of both get in; the one before these is forgotten.
#[test]
fn a_rotated_key_signs_and_the_former_one_stays_good() {
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
    let is_good = tokens.map(|token| verifier.verify(&format!("Bearer {token}")).is_some());
    assert_eq!(is_good, [false, true, true, true]);
    // The id of one key with the signature of another is neither's.
    let former = keys.former.unwrap();
    let header = json!({ "alg": "RS256", "kid": former.id });
    let mixed = Good { header, key: signing(&keys.current), ..Good::new() };
    assert_eq!(verifier.verify(&mixed.token()), None);
    let matching = Good { key: signing(&former), ..mixed };
    assert!(verifier.verify(&matching.token()).is_some());
}
