//! What hostile input is made of: texts and JSON that broken readers stumble over, and ways to spoil what is right.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Line breaks, escapes of terminals, marks of direction, what is no character, and what other languages would act on.
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

/// JSON, and what is nearly JSON.
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
    let long = [format!("1{}", "0".repeat(1_000)), format!("\"{}\"", "x".repeat(70_000)), "[".repeat(10_000)];
    let deep = [deep("[", "]"), format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000))];
    ready.into_iter().map(str::to_owned).chain(long).chain(deep).collect()
}

/// Any text, but more often one of [`TEXTS`], alone or inside another.
pub fn text() -> impl Strategy<Value = String> {
    let known = (0..TEXTS.len()).prop_map(|at| TEXTS[at].to_owned());
    let inside =
        (any::<String>(), 0..TEXTS.len(), any::<String>()).prop_map(|(a, at, b)| format!("{a}{}{b}", TEXTS[at]));
    let long = (0..TEXTS.len(), 1..3_000_usize).prop_map(|(at, times)| TEXTS[at].repeat(times));
    prop_oneof![4 => known, 3 => any::<String>(), 2 => inside, 1 => long]
}

/// One way to spoil JSON.
#[derive(Debug, Clone)]
pub enum Spoil {
    /// Another text stands there.
    Text(String),
    /// One of [`raw`] stands there.
    Raw(Index),
    /// It is gone.
    Gone,
    /// Its name stands there twice, the second time for one of [`raw`].
    Twice(Index),
    /// The text ends here.
    Cut,
    /// Another byte is here.
    Byte(u8),
}

/// Some places, and how each is spoiled.
pub fn spoils() -> impl Strategy<Value = Vec<(Index, Spoil)>> {
    let spoil = prop_oneof![
        6 => text().prop_map(Spoil::Text),
        6 => any::<Index>().prop_map(Spoil::Raw),
        3 => Just(Spoil::Gone),
        3 => any::<Index>().prop_map(Spoil::Twice),
        1 => Just(Spoil::Cut),
        1 => any::<u8>().prop_map(Spoil::Byte),
    ];
    proptest::collection::vec((any::<Index>(), spoil), 1..4)
}

/// The JSON, spoiled; nothing at or under `kept`.
pub fn spoiled(json: &Value, spoils: &[(Index, Spoil)], kept: &[&str]) -> Vec<u8> {
    let (mut json, raw) = (json.clone(), raw());
    let mut stand_ins = Vec::new();
    // A text that stands for JSON which a value cannot hold, until all is written.
    let mut stands_in = |written: String| {
        let name = format!("\u{e000}{}\u{e000}", stand_ins.len());
        stand_ins.push((name.clone(), written));
        json!(name)
    };
    let mut in_text = Vec::new();
    for (at, spoil) in spoils {
        let places: Vec<String> =
            places(&json).into_iter().filter(|place| !kept.iter().any(|kept| place.starts_with(kept))).collect();
        if places.is_empty() {
            continue;
        }
        let place = at.get(&places);
        match spoil {
            Spoil::Text(text) => *json.pointer_mut(place).unwrap() = json!(text),
            Spoil::Raw(which) => *json.pointer_mut(place).unwrap() = stands_in(which.get(raw).clone()),
            Spoil::Gone => remove(&mut json, place),
            Spoil::Twice(which) => {
                let value = json.pointer(place).unwrap().to_string();
                let name = place.rsplit('/').next().unwrap().replace("~1", "/").replace("~0", "~");
                *json.pointer_mut(place).unwrap() = stands_in(format!("{value},{}:{}", json!(name), which.get(raw)));
            }
            Spoil::Cut | Spoil::Byte(_) => in_text.push((at, spoil)),
        }
    }
    let mut text = json.to_string();
    // What was put into what stands in for something is written first.
    for (name, written) in stand_ins.iter().rev() {
        text = text.replace(&json!(name).to_string(), written);
    }
    let mut bytes = text.into_bytes();
    for (at, spoil) in in_text.into_iter().filter(|_| kept.is_empty()) {
        match spoil {
            Spoil::Cut => bytes.truncate(at.index(bytes.len().max(1))),
            Spoil::Byte(byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            _ => {}
        }
    }
    bytes
}

fn remove(json: &mut Value, place: &str) {
    let (parent, name) = place.rsplit_once('/').unwrap_or_default();
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

/// Pointers to everything in it, itself included.
fn places(json: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let inside: Vec<(String, &Value)> = match json {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inside {
        let name = name.replace('~', "~0").replace('/', "~1");
        found.extend(places(value).into_iter().map(|place| format!("/{name}{place}")));
    }
    found
}
