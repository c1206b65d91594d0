//! Who may do what: every route of the template, asked by everyone.

use std::collections::BTreeSet;
use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};
use shared::authz::{Role, read_roles_claim};

use crate::harness::{Answer, Api, template, token};

/// Who asks: a name and the roles in the token.
const CALLERS: [(&str, &[&str]); 6] = [
    ("nobody", &[]),
    ("reader", &["Reader"]),
    ("lower case", &["administrator"]),
    ("plural", &["Administrators"]),
    ("administrator", &["Administrator"]),
    ("among others", &["Reader", "Administrator", "Auditor"]),
];

/// A request that would succeed for somebody who may: the route's method and path, filled in.
async fn ask(api: &Api, token: Option<&str>, method: &str, path: &str) -> Answer {
    let id = api.group("Matrix").await;
    api.accounts(&["acc-1", "acc-2"]).await;
    api.put(&format!("/{id}/members/acc-2"), Value::Null).await.ok();
    let child = api.group("Child").await;
    if method != "PUT" {
        api.nest(&id, &child).await;
    }
    let account = if method == "PUT" { "acc-1" } else { "acc-2" };
    let path = path
        .strip_prefix("/api/v1/groups")
        .unwrap()
        .replace("{id}", &id)
        .replace("{accountId}", account)
        .replace("{childId}", &child);
    let method: Method = method.parse().unwrap();
    let request = api.request_as(token, method.clone(), &path);
    let body = match method {
        Method::PATCH => json!({ "add": ["acc-1"] }),
        _ if path.contains("/members/") || path.contains("/groups/") => json!({}),
        _ => json!({ "name": "Matrix" }),
    };
    Answer::to(if method == Method::GET { request } else { request.json(&body) }).await
}

/// The table in `tests/authorization-matrix.txt`: read it to review who may do what. With `UPDATE_GOLDEN=1` it is
/// written anew.
async fn matrix(api: &Api) -> String {
    let mut table = format!("{:<58}{:>10}", "", "no token");
    for (caller, _) in CALLERS {
        write!(table, "{caller:>15}").unwrap();
    }
    table.push('\n');
    let routes: BTreeSet<(&str, &str)> =
        template().routes.iter().map(|route| (route.path.as_str(), route.method.as_str())).collect();
    for (path, method) in routes {
        let status = ask(api, None, method, path).await.status.as_u16();
        write!(table, "{:<58}{status:>10}", format!("{method} {path}")).unwrap();
        for (caller, roles) in CALLERS {
            let answer = ask(api, Some(&token(caller, roles)), method, path).await;
            if answer.status == 403 {
                answer.refused(403, "FORBIDDEN");
            }
            write!(table, "{:>15}", answer.status.as_u16()).unwrap();
        }
        table.push('\n');
    }
    table
}

#[tokio::test]
async fn every_route_answers_every_caller_as_reviewed() {
    let open = matrix(&Api::start().await).await;
    let role = Role::parse("Reader").unwrap();
    let restricted = Api::start_configured(|config| config.policy.read_roles = vec![role]).await;
    let closed = matrix(&restricted).await;
    let found = format!("READ_ROLES empty\n\n{open}\nREAD_ROLES=Reader\n\n{closed}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/authorization-matrix.txt");
    #[expect(clippy::disallowed_methods, reason = "whether to write the table anew is the reviewer's to say")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes {path} anew");
}

/// 403 comes before anything is looked up or read: the same for what exists, what does not, and nonsense.
#[tokio::test]
async fn whoever_may_not_learns_nothing() {
    let api = Api::start().await;
    let id = api.group("A").await;
    let mallory = token("mallory", &["Reader"]);
    api.recorder.take();
    let mut texts = BTreeSet::new();
    for path in [format!("/{id}"), format!("/{}", crate::harness::NO_GROUP), "/grp-1".into()] {
        for body in ["{}", "nonsense", ""] {
            let request = api.request_as(Some(&mallory), Method::PUT, &path).body(body.to_owned());
            let answer = Answer::to(request.header("If-Match", "nonsense")).await;
            texts.insert(answer.refused(403, "FORBIDDEN").to_owned());
        }
    }
    assert_eq!(texts.len(), 1);
    assert!(api.recorder.take().is_empty());
}

#[test]
fn a_flattened_claim_is_read_exactly() {
    let read =
        |claim: &str| -> Vec<String> { read_roles_claim(claim).iter().map(|role| role.as_str().to_owned()).collect() };
    for (claim, roles) in [
        ("Administrator", vec!["Administrator"]),
        ("[Administrator]", vec!["Administrator"]),
        ("[Reader Administrator]", vec!["Reader", "Administrator"]),
        ("[us-east-1_abc:Group Administrator]", vec!["us-east-1_abc:Group", "Administrator"]),
    ] {
        assert_eq!(read(claim), roles);
    }
    for unreadable in [
        "",
        "[]",
        "[ ]",
        "Reader Administrator",
        " Administrator",
        "Administrator ",
        "[Administrator",
        "Administrator]",
        "[[Administrator]]",
        "[Reader  Administrator]",
        "[ Administrator]",
        "[Administrator ]",
        "[Reader\tAdministrator]",
        "Reader\nAdministrator",
        "[Reader [Administrator]]",
        "[Administrator\u{a0}Reader]",
    ] {
        assert_eq!(read(unreadable), [] as [String; 0], "{unreadable}");
    }
}
