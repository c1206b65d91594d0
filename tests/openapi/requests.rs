//! The document and the code accept the same requests: a value fits its schema exactly when the code accepts it.

use fastrand::Rng;
use jsonschema::Validator;
use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request};
use serde_json::{Value, json};
use shared::api::requests::{
    AddMemberRequest, ChangeMembersRequest, CheckMembershipsRequest, CreateGroupRequest, UpdateGroupRequest,
    parse_empty_body,
};
use shared::domain::group::Description;
use shared::domain::{
    AccountId, EmailTerm, ExternalId, FoldedText, GroupEmail, GroupId, GroupName, Limit, MembershipType, Timestamp,
};
use shared::http::condition::{Conditions, precondition};
use shared::http::request::idempotency_key;

use crate::harness::contract::{document, operations, validator};
use crate::harness::now;

/// Characters at the start and the end of texts, and sometimes inside.
const ODD: &[char] = &[
    '\0', '\t', '\n', '\u{1f}', ' ', '!', '"', '#', '%', '&', '*', ',', '-', '.', '/', '?', 'W', '~', '\u{7f}',
    '\u{85}', '\u{9f}', '\u{a0}', 'é', '\u{1680}', '\u{200b}', '\u{2028}', '\u{3000}', '\u{feff}', '😀',
];
/// Lengths around all bounds.
const LENGTHS: &[usize] = &[0, 1, 2, 3, 4, 63, 64, 65, 66, 127, 128, 129, 254, 255, 256, 257, 258, 1_023, 1_024, 1_025];

/// Random texts around the bounds, the same in every run.
fn texts() -> impl Iterator<Item = String> {
    let mut random = Rng::with_seed(7);
    std::iter::repeat_with(move || {
        let length = LENGTHS[random.usize(..LENGTHS.len())];
        let oddness = [0, 2, 30][random.usize(..3)];
        let mut one = |place: usize| {
            let at_end = place < 2 || place + 2 >= length;
            let is_odd = random.usize(..100) < if at_end { oddness * 3 } else { oddness };
            if is_odd { ODD[random.usize(..ODD.len())] } else { 'a' }
        };
        (0..length).map(&mut one).collect()
    })
    .take(2_000)
}

fn component(kind: &str, name: &str) -> Validator {
    let components = &document()["components"][kind];
    validator(if kind == "parameters" { &components[format!("{name}Parameter")]["schema"] } else { &components[name] })
}

#[track_caller]
fn assert_agree(schema: &Validator, value: &Value, is_accepted: bool) {
    assert_eq!(schema.is_valid(value), is_accepted, "the document and the code differ about {value}");
}

#[test]
fn text_fits_its_schema_exactly_when_accepted() {
    type Accepts = fn(&str) -> bool;
    let schemas: [(&str, &str, Accepts); 9] = [
        ("schemas", "GroupName", |text| GroupName::parse(text).is_ok()),
        ("schemas", "Description", |text| Description::parse(text).is_ok()),
        ("schemas", "AccountId", |text| AccountId::parse(text).is_some()),
        ("schemas", "GroupId", |text| GroupId::parse(text).is_some()),
        ("schemas", "MembershipType", |text| MembershipType::parse(text).is_ok()),
        ("schemas", "ExternalId", |text| ExternalId::parse(text).is_ok()),
        ("schemas", "GroupEmail", |text| GroupEmail::parse(text).is_ok()),
        ("parameters", "Email", |text| EmailTerm::parse(text).is_ok()),
        ("parameters", "Search", |text| FoldedText::search_term(text).is_ok()),
    ];
    let fixed = [
        "a@b",
        "a@b@c",
        "@b",
        "direct",
        "grp-018d0cab-c440-7000-8000-000000000001",
        "grp-018d0cab-c440-7000-0000-000000000001",
    ];
    let ids = crate::harness::IMPOSSIBLE_GROUPS.into_iter().chain(fixed).map(str::to_owned);
    let texts: Vec<String> = texts().chain(ids).collect();
    for (kind, name, accepts) in schemas {
        let schema = component(kind, name);
        texts.iter().for_each(|text| assert_agree(&schema, &json!(text), accepts(text)));
        let accepted = texts.iter().filter(|text| accepts(text)).count();
        assert!((1..texts.len()).contains(&accepted), "{name} accepts {accepted} of {}", texts.len());
    }
}

/// The schema spells out invisible and white characters, which the code knows from Unicode's tables.
#[test]
fn every_character_of_sixteen_bits_is_a_name_exactly_when_its_schema_says_so() {
    let schema = component("schemas", "GroupName");
    let mut refused = 0;
    for character in ('\0'..='\u{ffff}').map(String::from) {
        let is_name = GroupName::parse(&character).is_ok();
        assert_agree(&schema, &json!(character), is_name);
        refused += usize::from(!is_name);
    }
    assert!((100..1_000).contains(&refused), "{refused} refused");
}

#[test]
fn header_fits_its_schema_exactly_when_accepted() {
    type Accepts = fn(&Request) -> bool;
    let schemas: [(&str, &str, Accepts); 4] = [
        ("IfMatch", "If-Match", |request| precondition(request).is_ok()),
        ("IfNoneMatch", "If-None-Match", |request| Conditions::of(request).is_ok()),
        ("IfNew", "If-None-Match", |request| precondition(request).is_ok()),
        ("IdempotencyKey", "Idempotency-Key", |request| idempotency_key(request).is_ok()),
    ];
    let tags = |count| vec![r#""1""#; count].join(", ");
    let lists = [
        "*",
        "W/\"1\"",
        "\"a b\"",
        "\"1\" , W/\"\"",
        "\"1\",",
        ", \"1\",,W/\"2\" ,",
        ",",
        "\"1\" \"2\"",
        "w/\"1\"",
        "1",
    ]
    .map(str::to_owned);
    let texts: Vec<String> = texts().chain(lists).chain([tags(20), tags(21)]).collect();
    for (parameter, header, accepts) in schemas {
        let schema = component("parameters", parameter);
        let (mut accepted, mut refused) = (0, 0);
        for text in &texts {
            // White space around a header's value is not part of it.
            let Some(value) = HeaderValue::from_str(text).ok().filter(|_| text.trim() == text) else { continue };
            let mut request = Request::new(Body::Empty);
            request.headers_mut().insert(header, value);
            assert_agree(&schema, &json!(text), accepts(&request));
            *if accepts(&request) { &mut accepted } else { &mut refused } += 1;
        }
        assert!(accepted >= 1 && refused >= 5, "{header}: {accepted} accepted, {refused} refused");
    }
}

#[test]
fn limit_fits_its_schema_exactly_when_accepted() {
    for (name, max) in [("GroupsLimit", Limit::MAX_GROUPS), ("MembersLimit", Limit::MAX_MEMBERS)] {
        let schema = component("parameters", name);
        for limit in 0..=10_001 {
            assert_agree(&schema, &json!(limit), Limit::parse(&limit.to_string(), max).is_ok());
        }
    }
}

/// Random bodies: any fields with values of any type.
#[test]
fn body_fits_its_schema_exactly_when_accepted() {
    type Accepts = fn(&[u8]) -> bool;
    let schemas: [(&str, Accepts); 6] = [
        ("CreateGroup", |body| CreateGroupRequest::parse(body).is_ok()),
        ("UpdateGroup", |body| UpdateGroupRequest::parse(body).is_ok()),
        ("AddMember", |body| AddMemberRequest::parse(body, long_ago()).is_ok()),
        ("ChangeMembers", |body| ChangeMembersRequest::parse(body, long_ago()).is_ok()),
        ("CheckMemberships", |body| CheckMembershipsRequest::parse(body).is_ok()),
        ("Nothing", |body| parse_empty_body(body).is_ok()),
    ];
    let fields = [
        "name",
        "description",
        "group_type",
        "is_privileged",
        "external_id",
        "email",
        "add",
        "remove",
        "expires_at",
        "group_ids",
        "id",
        "member_count",
        "other",
    ];
    let mut random = Rng::with_seed(7);
    for (name, accepts) in schemas {
        let schema = component("schemas", name);
        let mut accepted = 0;
        for _ in 0..3_000 {
            let mut body = json!({});
            for _ in 0..random.usize(..4) {
                body[fields[random.usize(..fields.len())]] = any_value(&mut random);
            }
            let is_accepted = accepts(body.to_string().as_bytes());
            assert_agree(&schema, &body, is_accepted);
            accepted += usize::from(is_accepted);
        }
        assert!((1..3_000).contains(&accepted), "{name} accepts {accepted}");
        for body in [json!([]), json!(null), json!("{}"), json!(1)] {
            assert_agree(&schema, &body, accepts(body.to_string().as_bytes()));
        }
    }
}

/// A time before every time in a body: which end has passed, a schema cannot say.
fn long_ago() -> Timestamp {
    Timestamp::from_unix_seconds(0)
}

fn any_value(random: &mut Rng) -> Value {
    // Never the same id in two lists: the schema cannot express that this is refused.
    let id = random.u32(..);
    let ids = |count: usize| json!((0..count).map(|number| format!("acc-{id}-{number}")).collect::<Vec<_>>());
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!({}),
        json!([]),
        json!([1]),
        json!(["acc-1", "acc-1"]),
        json!(""),
        json!("Team"),
        json!("team@company.com"),
        json!("security"),
        json!("Security"),
        json!("2099-06-30T22:00:00Z"),
        json!("x".repeat(1_025)),
        ids(1),
        ids(250),
        ids(501),
    ];
    values[random.usize(..values.len())].clone()
}

#[test]
fn example_bodies_are_accepted() {
    let example = |function: &str| {
        let operation = operations().into_values().find(|it| it["operationId"] == function).unwrap();
        operation["requestBody"]["content"]["application/json"]["example"].to_string().into_bytes()
    };
    CreateGroupRequest::parse(&example("create-group")).unwrap();
    UpdateGroupRequest::parse(&example("update-group")).unwrap();
    ChangeMembersRequest::parse(&example("change-members"), now()).unwrap();
    CheckMembershipsRequest::parse(&example("check-memberships")).unwrap();
    AddMemberRequest::parse(&example("add-member"), now()).unwrap();
    parse_empty_body(&example("add-manager")).unwrap();
}
