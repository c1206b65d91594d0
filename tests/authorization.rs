//! Who may do what: every route of the template, asked by everyone.

use std::collections::BTreeSet;
use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};
use shared::authz::{Role, read_roles_claim};

use crate::harness::tokens::token_claiming;
use crate::harness::{Answer, Api, NO_GROUP, template, token};

/// Who asks: a name for the table, and the roles claim in the token, if there is a token.
fn callers() -> [(&'static str, Option<Value>); 9] {
    [
        ("no token", None),
        ("no role", Some(Value::Null)),
        ("Reader", Some(json!(["Reader"]))),
        ("administrator", Some(json!(["administrator"]))),
        ("Administrators", Some(json!(["Administrators"]))),
        ("Not,Admin...", Some(json!(["Not,Administrator"]))),
        ("Administrator", Some(json!(["Administrator"]))),
        ("among others", Some(json!(["Reader", "Administrator", "Auditor"]))),
        ("[Not Adm...]", Some(json!("[Not Administrator]"))),
    ]
}

/// What is asked about: a group that is there, a privileged one, and one that is not there.
#[derive(Clone, Copy, PartialEq)]
enum Object {
    Group,
    Privileged,
    None,
}

const OBJECTS: [Object; 3] = [Object::Group, Object::Privileged, Object::None];

const LEGEND: &str = "\
Who may do what, as the running API answers: a row for each route, a column for each caller.

  200, 201, 204   done
  401             who are you?
  403             you may not, and are told nothing else
  404             you may, but there is no such group

One status: the same for a group that is there, for a privileged group (is_privileged), and for one that is not there.
Where they differ, all three, in this order. A caller whose row says 403 cannot tell them apart.

Callers: no token; a token without a role; the role Reader; roles that only look like Administrator (administrator,
Administrators, Not,Administrator); Administrator; Administrator among Reader and Auditor; and a token whose roles claim
is the text [Not Administrator]. API Gateway hands this on exactly as it does the two roles Not and Administrator, and
so the last column has to be as the one before: an identity provider must not give out roles with spaces.
";

/// What requests are about; a request may change it.
struct Objects {
    id: String,
    child: String,
}

async fn objects(api: &Api, object: Object, method: &str) -> Objects {
    api.accounts(&["acc-1", "acc-2"]).await;
    let child = api.group("Child").await;
    if object == Object::None {
        return Objects { id: NO_GROUP.into(), child };
    }
    let body = json!({ "name": "Matrix", "is_privileged": object == Object::Privileged });
    let id = api.post("", body).await.body["id"].as_str().unwrap().to_owned();
    api.put(&format!("/{id}/members/acc-2"), Value::Null).await.ok();
    if method != "PUT" {
        api.nest(&id, &child).await;
    }
    Objects { id, child }
}

/// A request that succeeds for somebody who may, if there is the group: the route's method and path, filled in.
async fn ask(api: &Api, token: Option<&str>, (path, method): (&str, &str), objects: &Objects) -> Answer {
    let account = if method == "PUT" { "acc-1" } else { "acc-2" };
    let path = path
        .strip_prefix("/api/v1/groups")
        .unwrap()
        .replace("{id}", &objects.id)
        .replace("{accountId}", account)
        .replace("{childId}", &objects.child);
    let method: Method = method.parse().unwrap();
    let request = api.request_as(token, method.clone(), &path);
    let body = match method {
        Method::PATCH => json!({ "add": ["acc-1"] }),
        _ if path.contains("/members/") || path.contains("/groups/") => json!({}),
        _ => json!({ "name": "Matrix", "is_privileged": objects.id == NO_GROUP }),
    };
    Answer::to(if method == Method::GET { request } else { request.json(&body) }).await
}

/// What a caller is answered about each object: one status where it is the same.
async fn cell(api: &Api, token: Option<&str>, route: (&str, &str), known: &mut [Option<Objects>; 3]) -> String {
    let mut statuses = Vec::new();
    let mut denials = BTreeSet::new();
    for (object, known) in OBJECTS.into_iter().zip(known) {
        let objects = match known.take() {
            Some(objects) => objects,
            None => objects(api, object, route.1).await,
        };
        let answer = ask(api, token, route, &objects).await;
        if answer.status == 403 {
            denials.insert(answer.refused(403, "FORBIDDEN").to_owned());
        }
        // What was changed is not asked about again.
        *known = (!answer.status.is_success() || route.1 == "GET").then_some(objects);
        statuses.push(answer.status.as_u16().to_string());
    }
    assert!(denials.len() <= 1, "a denial says nothing of what it is about: {denials:?}");
    let differ = statuses.iter().any(|status| *status != statuses[0]);
    if differ { statuses.join(" ") } else { statuses[0].clone() }
}

/// The table in `tests/authorization-matrix.txt`: read it to review who may do what. With `UPDATE_GOLDEN=1` it is
/// written anew.
async fn matrix(api: &Api) -> String {
    let mut table = format!("{:<48}", "");
    for (caller, _) in callers() {
        write!(table, "{caller:>16}").unwrap();
    }
    table.push('\n');
    let routes: BTreeSet<(&str, &str)> =
        template().routes.iter().map(|route| (route.path.as_str(), route.method.as_str())).collect();
    for (path, method) in routes {
        write!(table, "{:<48}", format!("{method} {}", path.strip_prefix("/api/v1").unwrap())).unwrap();
        let mut known = [const { None }; 3];
        for (caller, roles) in callers() {
            let token = roles.map(|roles| token_claiming(caller, &roles));
            write!(table, "{:>16}", cell(api, token.as_deref(), (path, method), &mut known).await).unwrap();
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
    let found = format!("{LEGEND}\nREAD_ROLES empty\n\n{open}\nREAD_ROLES=Reader\n\n{closed}");
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
    for path in [format!("/{id}"), format!("/{}", NO_GROUP), "/grp-1".into()] {
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
