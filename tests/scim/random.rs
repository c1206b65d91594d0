//! Random patches, compared with a naive model of RFC 7644, section 3.5.2: operations change a whole resource one after the other, and
//! one that cannot be applied leaves the resource as it was.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{get, group, patch, user};
use crate::harness::{Api, variable};

/// A resource as the model has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Resource {
    name: String,
    external_id: Option<String>,
    active: bool,
    email: Option<String>,
    members: BTreeSet<String>,
}

/// A change of the model; `None` where it cannot be made.
type Effect = Box<dyn Fn(&mut Resource) -> Option<()>>;

fn always(change: impl Fn(&mut Resource) + 'static) -> Effect {
    Box::new(move |resource| {
        change(resource);
        Some(())
    })
}

/// The text in some case: names of attributes and operations have none.
fn any_case(random: &mut Rng, text: &str) -> String {
    match random.u8(0..3) {
        0 => text.to_owned(),
        1 => text.to_uppercase(),
        _ => text[..1].to_uppercase() + &text[1..],
    }
}

fn some_of(random: &mut Rng, ids: &[String]) -> Vec<String> {
    ids.iter().filter(|_| random.bool()).cloned().collect()
}

fn values(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "value": id, "display": "x" })).collect()
}

/// The value as it is, or in an object without a path.
fn set(random: &mut Rng, attribute: &str, value: Value, effect: Effect) -> (Value, Effect) {
    let op = if random.bool() { "add" } else { "replace" };
    let (op, attribute) = (any_case(random, op), any_case(random, attribute));
    let operation = match random.bool() {
        true => json!({ "op": op, "path": attribute, "value": value }),
        false => json!({ "op": op, "value": { attribute: value } }),
    };
    (operation, effect)
}

fn of_both(random: &mut Rng, name: &'static str, number: u32) -> (Value, Effect) {
    match random.u8(0..5) {
        0 | 1 => {
            let text = format!("name {number} {}", random.u32(..));
            set(random, name, json!(text.clone()), always(move |it| text.clone_into(&mut it.name)))
        }
        2 => {
            let text = format!("e-{number}-{}", random.u32(..));
            set(random, "externalId", json!(text.clone()), always(move |it| it.external_id = Some(text.clone())))
        }
        3 => {
            let operation = json!({ "op": any_case(random, "remove"), "path": any_case(random, "externalId") });
            (operation, always(|it| it.external_id = None))
        }
        _ => (json!({ "op": "remove", "path": name }), Box::new(|_| None)),
    }
}

fn of_group(random: &mut Rng, ids: &[String], number: u32) -> (Value, Effect) {
    let some = some_of(random, ids);
    match random.u8(0..10) {
        0 | 1 => {
            let operation = json!({ "op": any_case(random, "add"), "path": "members", "value": values(&some) });
            (operation, always(move |it| it.members.extend(some.iter().cloned())))
        }
        2 => {
            let operation = json!({ "op": any_case(random, "remove"), "path": "members", "value": values(&some) });
            (operation, always(move |it| it.members.retain(|id| !some.contains(id))))
        }
        3 if !some.is_empty() => {
            let filter: Vec<String> = some.iter().map(|id| format!("value eq \"{id}\"")).collect();
            let operation = json!({ "op": "remove", "path": format!("members[{}]", filter.join(" or ")) });
            (operation, always(move |it| it.members.retain(|id| !some.contains(id))))
        }
        4 => {
            let members: BTreeSet<String> = some.iter().cloned().collect();
            let operation = match random.bool() {
                true => json!({ "op": any_case(random, "replace"), "path": "members", "value": values(&some) }),
                false => json!({ "op": "replace", "value": { "members": values(&some) } }),
            };
            (operation, always(move |it| members.clone_into(&mut it.members)))
        }
        5 if random.bool() => (json!({ "op": "remove", "path": "members" }), always(|it| it.members.clear())),
        6 if random.bool() => {
            let operation = json!({ "op": "add", "path": "members", "value": [{ "value": "acc-unknown" }] });
            // A later operation may take it back; the server checks the members that are left in the end.
            (operation, always(|it| it.members.extend(["acc-unknown".to_owned()])))
        }
        _ => of_both(random, "displayName", number),
    }
}

fn of_user(random: &mut Rng, number: u32) -> (Value, Effect) {
    match random.u8(0..6) {
        0 => {
            let active = random.bool();
            let value = if random.bool() { json!(active) } else { json!(any_case(random, &active.to_string())) };
            set(random, "active", value, always(move |it| it.active = active))
        }
        1 => {
            let text = format!("{number}-{}@example.com", random.u32(..));
            let path = "emails[type eq \"work\"].value";
            let value = json!(text.clone());
            set(random, path, value, always(move |it| it.email = Some(text.clone())))
        }
        2 => (json!({ "op": "remove", "path": any_case(random, "emails") }), always(|it| it.email = None)),
        3 => set(random, "name", json!({ "givenName": "Anna" }), always(|_| {})),
        _ => of_both(random, "userName", number),
    }
}

/// Applies all effects, or none.
fn apply(resource: &Resource, effects: &[Effect]) -> Option<Resource> {
    let mut after = resource.clone();
    effects.iter().try_for_each(|effect| effect(&mut after))?;
    (!after.members.contains("acc-unknown")).then_some(after)
}

async fn stored(api: &Api, path: &str) -> Resource {
    let body = get(api, path).await.body;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let members = body["members"].as_array().into_iter().flatten();
    Resource {
        name: text(&body["userName"]).or(text(&body["displayName"])).unwrap(),
        external_id: text(&body["externalId"]),
        active: body["active"].as_bool().unwrap_or_default(),
        email: text(&body["emails"][0]["value"]),
        members: members.map(|member| member["value"].as_str().unwrap().to_owned()).collect(),
    }
}

#[tokio::test]
async fn patches_do_what_a_naive_model_does() {
    let api = Api::start().await;
    let ids: Vec<String> = (0..6).map(|number| format!("acc-{number}")).collect();
    api.accounts(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let paths = [format!("/Groups/{}", group(&api, "Team").await), format!("/Users/{}", user(&api, "anna").await)];
    let cases = u32::try_from(variable("GROUPS_TEST_CASES").unwrap_or(150)).unwrap();
    let mut refused = 0;
    for case in 0..cases {
        let random = &mut Rng::with_seed(case.into());
        let path = &paths[random.usize(0..2)];
        let count = random.usize(1..6);
        let (operations, effects): (Vec<Value>, Vec<Effect>) = (0..count)
            .map(|_| if path.starts_with("/Groups") { of_group(random, &ids, case) } else { of_user(random, case) })
            .unzip();
        let before = stored(&api, path).await;
        let expected = apply(&before, &effects);
        refused += u32::from(expected.is_none());
        let answer = patch(&api, path, json!(operations)).await;
        assert_eq!(answer.status.is_success(), expected.is_some(), "{case}: {operations:?} {}", answer.text);
        let expected = expected.unwrap_or(before);
        assert_eq!(stored(&api, path).await, expected, "{case}: {operations:?}");
    }
    assert!((1..cases / 2).contains(&refused), "{refused} of {cases} were refused");
}
