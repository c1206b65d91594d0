//! Generates hostile input: texts and JSON that break careless parsers, and mutations of valid JSON.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Line breaks, terminal escapes, direction marks, noncharacters, and code of other languages.
pub const TEXTS: [&str; 36] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "a\r\nb: c",
    "{\"level\":\"INFO\"}\n{\"level\":\"INFO\"}",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{200b}",
    "\u{200f}",
    "\u{202e}gnp.exe",
    "\u{2066}\u{2069}",
    "\u{2028}\u{2029}",
    "\u{feff}",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "e\u{301}\u{301}\u{301}\u{301}",
    "ﬃ",
    "İı",
    "ß",
    "👩‍👩‍👧‍👦",
    "..",
    "../../x",
    "%00%0a%2e%2e",
    "a/b?c#d",
    "' OR 1=1; --",
    "${jndi:x}{{7*7}}",
    "<script>",
    "\"\\",
    "null",
    "-0",
    "Administrator",
    "GROUP#x\u{1f}MEMBER#y",
];

/// Returns JSON and near-JSON texts.
pub fn raw() -> &'static [String] {
    static RAW: OnceLock<Vec<String>> = OnceLock::new();
    RAW.get_or_init(all_raw)
}

fn all_raw() -> Vec<String> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let ready = [
        "null",
        "true",
        "-0",
        "0.1",
        "18446744073709551616",
        "1e400",
        "-1e400",
        "1E-400",
        "[]",
        "{}",
        "[[]]",
        "01",
        "NaN",
        "Infinity",
        "'x'",
        "nul",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u0000\"",
        "\"\\x\"",
        "\"",
        "\"\n\"",
        "\u{feff}{}",
        "{\"S\":1}",
        "{\"N\":\"x\"}",
        "{\"N\":\"1e400\"}",
        "{\"S\":\"a\",\"N\":\"1\"}",
        "{\"M\":{}}",
        "{\"NULL\":true}",
        "{\"SS\":[]}",
        "{\"B\":\"*\"}",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "{\"a\":}",
        "/**/1",
    ];
    let long = [format!("1{}", "0".repeat(1_000)), format!("\"{}\"", "x".repeat(140_000)), "[".repeat(10_000)];
    let deep = [deep("[", "]"), format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000))];
    ready.into_iter().map(str::to_owned).chain(long).chain(deep).collect()
}

/// Draws any text, more often one of [`TEXTS`], alone or inside another.
pub fn text() -> impl Strategy<Value = String> {
    let known = (0..TEXTS.len()).prop_map(|at| TEXTS[at].to_owned());
    let inside =
        (any::<String>(), 0..TEXTS.len(), any::<String>()).prop_map(|(a, at, b)| format!("{a}{}{b}", TEXTS[at]));
    let long = (0..TEXTS.len(), 1..3_000_usize).prop_map(|(at, times)| TEXTS[at].repeat(times));
    prop_oneof![4 => known, 3 => any::<String>(), 2 => inside, 1 => long]
}

/// One mutation of JSON.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Replaces a value by a text.
    Text(String),
    /// Replaces a value by one of [`raw`].
    Raw(Index),
    /// Removes a value.
    Remove,
    /// Repeats a value's name, with one of [`raw`] as its second value.
    Duplicate(Index),
    /// Cuts off the rest of the text.
    Cut,
    /// Replaces a byte.
    Byte(u8),
}

/// Draws one to three mutations, each with its position.
pub fn mutations() -> impl Strategy<Value = Vec<(Index, Mutation)>> {
    let mutation = prop_oneof![
        6 => text().prop_map(Mutation::Text),
        6 => any::<Index>().prop_map(Mutation::Raw),
        3 => Just(Mutation::Remove),
        3 => any::<Index>().prop_map(Mutation::Duplicate),
        1 => Just(Mutation::Cut),
        1 => any::<u8>().prop_map(Mutation::Byte),
    ];
    proptest::collection::vec((any::<Index>(), mutation), 1..4)
}

/// Returns the JSON with these mutations, none of them at or under the pointers in `kept`.
pub fn mutated(json: &Value, mutations: &[(Index, Mutation)], kept: &[&str]) -> Vec<u8> {
    let (mut json, raw) = (json.clone(), raw());
    let mut placeholders = Vec::new();
    // A `Value` cannot hold raw text, so a placeholder marks its position until the JSON is written.
    let mut placeholder = |raw_text: String| {
        let name = format!("\u{e000}{}\u{e000}", placeholders.len());
        placeholders.push((name.clone(), raw_text));
        json!(name)
    };
    let mut byte_mutations = Vec::new();
    for (position, mutation) in mutations {
        let pointers: Vec<String> =
            pointers(&json).into_iter().filter(|pointer| !kept.iter().any(|kept| pointer.starts_with(kept))).collect();
        if pointers.is_empty() {
            continue;
        }
        let pointer = position.get(&pointers);
        match mutation {
            Mutation::Text(text) => *json.pointer_mut(pointer).unwrap() = json!(text),
            Mutation::Raw(which) => *json.pointer_mut(pointer).unwrap() = placeholder(which.get(raw).clone()),
            Mutation::Remove => remove(&mut json, pointer),
            Mutation::Duplicate(which) => {
                let value = json.pointer(pointer).unwrap().to_string();
                let name = pointer.rsplit('/').next().unwrap().replace("~1", "/").replace("~0", "~");
                let twice = format!("{value},{}:{}", json!(name), which.get(raw));
                *json.pointer_mut(pointer).unwrap() = placeholder(twice);
            }
            Mutation::Cut | Mutation::Byte(_) => byte_mutations.push((position, mutation)),
        }
    }
    let mut text = json.to_string();
    // Latest first: the raw text of a placeholder may contain earlier ones.
    for (name, raw_text) in placeholders.iter().rev() {
        text = text.replace(&json!(name).to_string(), raw_text);
    }
    let mut bytes = text.into_bytes();
    for (position, mutation) in byte_mutations.into_iter().filter(|_| kept.is_empty()) {
        match mutation {
            Mutation::Cut => bytes.truncate(position.index(bytes.len().max(1))),
            Mutation::Byte(byte) if !bytes.is_empty() => {
                let index = position.index(bytes.len());
                bytes[index] = *byte;
            }
            _ => {}
        }
    }
    bytes
}

fn remove(json: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    match json.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            items.remove(name.parse().unwrap());
        }
        _ => *json = Value::Null,
    }
}

/// Returns the JSON pointers (RFC 6901) of a value and of all values inside it.
fn pointers(json: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let children: Vec<(String, &Value)> = match json {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in children {
        let name = name.replace('~', "~0").replace('/', "~1");
        found.extend(pointers(value).into_iter().map(|pointer| format!("/{name}{pointer}")));
    }
    found
}
