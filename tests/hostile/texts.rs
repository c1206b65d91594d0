//! Hostile texts in claims, ids, headers, queries and cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use groups_local::functions::FUNCTIONS;
use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use shared::app::Function;
use shared::authz::read_roles_claim;
use shared::domain::{AccountId, GroupId};

use super::material::text;
use super::{World, fuzz};
use crate::cursors::forged;
use crate::harness::workspace::recorded;
use crate::harness::{Answer, now, numbered, percent_encoded};

fn function(name: &str) -> Function {
    FUNCTIONS.into_iter().find(|function| function.name == name).unwrap()
}

const TEAM: &str = "grp-018d0cab-c440-7000-8000-000000000001";

#[test]
fn only_the_role_administrator_makes_an_administrator() {
    let flattened = (text(), text(), 0..4_u8).prop_map(|(a, b, form)| match form {
        0 => a,
        1 => format!("[{a} {b}]"),
        2 => format!("[{a} Administrator {b}]"),
        _ => format!("Administrator{a}"),
    });
    fuzz(150, (text(), flattened), World::start, async |world, (sub, roles)| {
        let mut event = recorded("update-group");
        let claims = &mut event["requestContext"]["authorizer"]["jwt"]["claims"];
        claims["sub"] = json!(sub);
        claims["cognito:groups"] = json!(roles);
        // The role is a whole word: alone, or in a list of words.
        let list = roles.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_list_of_words = |list: &str| list.split(' ').all(|role| !role.is_empty());
        let is_administrator = roles == "Administrator"
            || list.is_some_and(|list| is_list_of_words(list) && list.split(' ').any(|role| role == "Administrator"));
        match world.invoke(function("update-group"), &event).await.unwrap() {
            401 => assert_eq!(sub, ""),
            403 => {
                assert!(!sub.is_empty() && read_roles_claim(&roles).iter().all(|role| role.as_str() != "Administrator"))
            }
            status => assert!(is_administrator, "{status} for {roles:?}"),
        }
    });
}

#[test]
fn id_is_parsed_as_written_or_refused() {
    let ids = prop_oneof![
        text(),
        "grp-[0-9a-fA-F-]{30,40}",
        "grp-0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        "[!-~]{1,130}"
    ];
    fuzz(
        3_000,
        ids,
        async || (),
        async |(), id| {
            assert!(GroupId::parse(&id).is_none_or(|parsed| parsed.to_string() == id));
            let is_short_ascii = id.is_ascii() && id.len() <= 128;
            assert!(AccountId::parse(&id).is_none_or(|parsed| parsed.as_str() == id && is_short_ascii));
        },
    );
}

#[test]
fn every_path_and_header_gets_an_answer_of_the_contract() {
    let names =
        ["get-group", "get-member", "add-member", "remove-member", "nest-group", "update-group", "delete-group"];
    let headers = ["if-match", "idempotency-key", "content-type", "x-more"];
    let cases = (0..names.len(), text(), text(), 0..headers.len(), any::<bool>());
    fuzz(150, cases, World::start, async |world, (which, id, value, header, keeps_id)| {
        let mut event = recorded(names[which]);
        let id = json!(if keeps_id { TEAM.to_owned() } else { id.clone() });
        for name in ["id", "accountId", "childId"] {
            event["pathParameters"][name] = id.clone();
        }
        event["headers"][headers[header]] = json!(value);
        // HTTP cannot carry some of these headers, so there may be no answer.
        world.invoke(function(names[which]), &event).await;
    });
}

/// Draws queries of any bytes that HTTP can carry, encoded or not.
fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["search", "limit", "after", "member", "membership_type", "email", "status", "fields", "transitive", "at", "since", "until", "account_id", "group_type", "is_privileged", "sort"]).prop_map(str::to_owned),
        1 => text().prop_map(|text| percent_encoded(&text)),
    ];
    let value = prop_oneof![
        3 => text().prop_map(|text| percent_encoded(&text)),
        2 => proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect()),
        2 => "[a-zA-Z0-9%+&=;,._~:@!$'()*/?-]{0,20}",
        2 => "[0-9]{1,25}",
    ];
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    proptest::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

#[test]
fn every_query_gets_an_answer_of_the_contract() {
    let lists = ["", "/members", "/groups", "/history"];
    let cases = (0..lists.len(), query());
    fuzz(250, cases, World::start, async |world, (list, query)| {
        let group = if list == 0 { String::new() } else { format!("/{TEAM}") };
        let query: String = query.chars().take(6_000).collect();
        let path = format!("{group}{}?{query}", lists[list]);
        let answer = Answer::to(world.api.request(Method::GET, &path)).await;
        match answer.status.as_u16() {
            200 => {}
            400 => drop(answer.field_errors()),
            404 => drop(answer.not_found()),
            status => panic!("{status} {}", answer.text),
        }
    });
}

/// Each list that has pages: its path, its name, and the values that narrow it.
fn lists<'a>(account: &'a str, at: &'a str) -> [(String, &'static str, Vec<&'a str>); 18] {
    [
        ("?".into(), "groups", vec![]),
        ("?search=team&".into(), "search", vec!["team"]),
        ("?group_type=security&".into(), "groups", vec!["security", "", ""]),
        ("?search=team&sort=-name&".into(), "search", vec!["team", "", "", "descending"]),
        (format!("/{TEAM}/history?"), "history of group", vec![TEAM, "", "", ""]),
        (format!("/{TEAM}/history?account_id={account}&"), "history of group", vec![TEAM, account, "", ""]),
        (format!("/api/v1/accounts/{account}/history?"), "history of account", vec![account, "", ""]),
        (format!("/{TEAM}/members?at={at}&"), "members of group at", vec![TEAM, at, ""]),
        (format!("?member={account}&"), "groups of account", vec![account]),
        (format!("/{TEAM}/members?"), "members", vec![TEAM, ""]),
        (format!("/{TEAM}/members?membership_type=direct&"), "members", vec![TEAM, "direct"]),
        (format!("/{TEAM}/groups?"), "nested groups", vec![TEAM]),
        (format!("/{TEAM}/parents?transitive=true&"), "groups above", vec![TEAM, "transitive"]),
        (format!("/api/v1/accounts/{account}/groups?"), "groups of account", vec![account]),
        (format!("/api/v1/accounts/{account}/groups?fields=id&"), "group ids of account", vec![account, ""]),
        ("/api/v1/accounts?".into(), "accounts", vec!["", "", ""]),
        ("/api/v1/accounts?search=name&".into(), "accounts", vec!["name", "", ""]),
        ("/api/v1/accounts?email=a@b&".into(), "accounts", vec!["", "a@b", ""]),
    ]
}

#[test]
fn every_cursor_continues_its_list_or_is_refused() {
    let account = numbered(1);
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..1_200),
        text().prop_map(|text| [b"acc-1 ".as_slice(), text.as_bytes()].concat()),
        (any::<[u8; 16]>(), text()).prop_map(|(id, text)| [id.as_slice(), text.as_bytes()].concat()),
        text().prop_map(String::into_bytes),
        "[!-~]{1,130}".prop_map(String::into_bytes),
    ];
    let world = async || {
        let world = World::start().await;
        world.api.members(TEAM, 0..5).await;
        // After these changes: nothing here writes the history that an earlier time needs.
        (world, now().to_string())
    };
    let count = lists("", "").len();
    fuzz(250, (0..count, bytes, 0..4_u8), world, async |(world, at), (list, bytes, form)| {
        let (path, name, narrowed_by) = &lists(&account, at)[list];
        let bytes = &bytes[..bytes.len().min(4_000)];
        let cursor = match form {
            0 => percent_encoded(&String::from_utf8_lossy(&bytes[..bytes.len().min(1_500)])),
            1 => URL_SAFE_NO_PAD.encode(bytes),
            _ => forged(name, narrowed_by, bytes),
        };
        let answer = world.api.get(&format!("{path}limit=2&after={cursor}")).await;
        if answer.status == 200 {
            assert!(form > 1, "only cursors in the store's own format are accepted");
            let page: &Value = &answer.body["pageInfo"];
            assert!(page["hasNextPage"].is_boolean());
        } else {
            assert_eq!(answer.field_errors(), [("after".to_owned(), "is not a cursor of this list".to_owned())]);
        }
    });
}
