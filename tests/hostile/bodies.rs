//! Mutated request bodies for every endpoint that reads one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use groups_local::functions::FUNCTIONS;
use serde_json::{Value, json};

use super::material::{mutated, mutations};
use super::{World, fuzz};
use crate::harness::workspace::recorded;

/// Functions that read a body, each with a valid one.
fn bodies() -> [(&'static str, Value); 5] {
    let profile = json!({ "name": "Tëam", "description": "d", "group_type": "security", "is_privileged": true });
    [
        ("create-group", profile.clone()),
        ("update-group", profile),
        ("change-members", json!({ "add": ["acc-1", "acc-2"], "remove": ["acc-3"] })),
        ("add-member", json!({})),
        ("nest-group", json!({})),
    ]
}

#[test]
fn every_body_gets_an_answer_of_the_contract() {
    let cases = (0..bodies().len(), mutations(), 0..10_u8);
    fuzz(250, cases, World::start, async |world, (which, mutations, encoded)| {
        let (name, body) = &bodies()[which];
        let bytes = mutated(body, &mutations, &[]);
        let mut event = recorded(name);
        event["headers"]["content-type"] = json!("application/json");
        // The gateway encodes bytes that are no UTF-8 in base64, and may encode any.
        let text = std::str::from_utf8(&bytes).ok().filter(|_| encoded > 0);
        event["body"] = text.map_or_else(|| json!(STANDARD.encode(&bytes)), |text| json!(text));
        event["isBase64Encoded"] = json!(text.is_none());
        let function = FUNCTIONS.into_iter().find(|function| function.name == *name).unwrap();
        let status = world.invoke(function, &event).await.unwrap();
        if serde_json::from_slice::<Value>(&bytes).is_err() && !bytes.is_empty() {
            assert!([400, 413].contains(&status), "{status} for a body that is no JSON");
        }
    });
}
