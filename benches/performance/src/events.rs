//! Events for the measured functions: the recorded ones of `tests/events`, with other groups and accounts where each call
//! has to change something.

use std::path::Path;

use serde_json::Value;

use crate::table::{Local, account_id};

/// Groups and an account of the recorded events.
const TEAM: &str = "grp-018d0cab-c440-7000-8000-000000000001";
const ON_CALL: &str = "grp-018d0cab-c440-7000-8000-000000000004";

/// Makes this number of events.
pub(crate) type MakeEvents = fn(&Local, usize) -> Vec<String>;

/// Name of a function's binary, and its events.
pub(crate) type Function = (&'static str, MakeEvents);

/// Functions whose release binaries are measured. `bare`, the first, has no budget.
pub(crate) const MEASURED: [Function; 9] = [
    ("bare", get_group),
    ("get-group", get_group),
    ("list-members", |_, count| vec![recorded("list-members"); count]),
    ("add-member", |local, count| additions(&recorded("add-member"), [TEAM, "acc-123"], local, count)),
    // The groups above already have this member: nearly always the write itself has reached them.
    ("propagate", |_, count| vec![record("propagate", 0).replace("acc-146", "acc-125"); count]),
    ("apply-events", |local, count| additions(&record("apply-events", 1), [ON_CALL, "acc-123"], local, count)),
    ("scim", |_, count| vec![recorded("scim"); count]),
    ("authorize-token", |_, count| vec![recorded("authorize-token"); count]),
    ("publish-events", |_, count| vec![record("publish-events", 1); count]),
];

/// Reads the recorded group.
pub(crate) fn get_group(_: &Local, count: usize) -> Vec<String> {
    vec![recorded("get-group"); count]
}

/// Lists all members of a new group of this size.
pub(crate) fn list_members(local: &Local, members: usize) -> String {
    let mut event: Value =
        serde_json::from_str(&recorded("list-members").replace(TEAM, &local.create_group(members))).expect("JSON");
    // The recorded request asks for one page.
    event["rawQueryString"] = "".into();
    event.as_object_mut().map(|event| event.remove("queryStringParameters"));
    event.to_string()
}

/// Adds a different account to a new group with each event, so that each is a change.
fn additions(event: &str, [group, member]: [&str; 2], local: &Local, count: usize) -> Vec<String> {
    let event = event.replace(group, &local.create_group(0));
    (0..count).map(|number| event.replace(member, &account_id(number))).collect()
}

fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/events/{name}.json"));
    std::fs::read_to_string(path).expect("the event is recorded")
}

/// A batch of one: the record or message at `index` of a recorded batch.
fn record(name: &str, index: usize) -> String {
    let mut event: Value = serde_json::from_str(&recorded(name)).expect("JSON");
    let record = event["Records"][index].take();
    event["Records"] = [record].into_iter().collect();
    event.to_string()
}
