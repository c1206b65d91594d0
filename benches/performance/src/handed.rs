//! What functions are handed: the recorded events, with other groups and accounts in them where each call is to do something.

use std::path::Path;

use serde_json::Value;

use crate::table::{Local, account};

/// Groups and an account of the recorded events.
const TEAM: &str = "grp-018d0cab-c440-7000-8000-000000000001";
const ON_CALL: &str = "grp-018d0cab-c440-7000-8000-000000000004";

/// Makes so many events.
pub(crate) type Maker = fn(&Local, usize) -> Vec<String>;

/// Functions whose release binaries are measured, and what they are handed.
pub(crate) const MEASURED: [(&str, Maker); 7] = [
    ("bare", |_, times| vec![recorded("get-group"); times]),
    ("get-group", |_, times| vec![recorded("get-group"); times]),
    ("list-members", |_, times| vec![recorded("list-members"); times]),
    ("add-member", |local, times| additions(&recorded("add-member"), [TEAM, "acc-123"], local, times)),
    // A member whom the groups above have: nearly always the write has seen to it.
    ("propagate", |_, times| vec![record("propagate", 0).replace("acc-146", "acc-125"); times]),
    ("apply-events", |local, times| additions(&record("apply-events", 1), [ON_CALL, "acc-123"], local, times)),
    ("publish-events", |_, times| vec![record("publish-events", 1); times]),
];

/// A list of all members of a group of so many.
pub(crate) fn listing(local: &Local, members: usize) -> String {
    let mut event: Value =
        serde_json::from_str(&recorded("list-members").replace(TEAM, &local.group(members))).expect("JSON");
    // All of them, whatever page was asked for when it was recorded.
    event["rawQueryString"] = "".into();
    event.as_object_mut().map(|event| event.remove("queryStringParameters"));
    event.to_string()
}

/// In a new group, another account each time, so that each comes.
fn additions(event: &str, [group, member]: [&str; 2], local: &Local, times: usize) -> Vec<String> {
    let event = event.replace(group, &local.group(0));
    (0..times).map(|number| event.replace(member, &account(number))).collect()
}

fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/events/{name}.json"));
    std::fs::read_to_string(path).expect("it is recorded")
}

/// One record or message of a recorded batch, alone.
fn record(name: &str, place: usize) -> String {
    let mut event: Value = serde_json::from_str(&recorded(name)).expect("JSON");
    let record = event["Records"][place].take();
    event["Records"] = [record].into_iter().collect();
    event.to_string()
}
