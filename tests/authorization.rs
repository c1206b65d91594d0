//! The authorization matrix: every route of the template, requested by every kind of caller.

use std::collections::BTreeSet;
use std::fmt::Write;

use aws_sdk_dynamodb::types::AttributeValue;
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use shared::authz::{Role, read_roles_claim};
use shared::store::client_for;

use crate::harness::tokens::{claims, header, key, signed, signing, token_claiming};
use crate::harness::{Answer, Api, NO_GROUP, template, token};

/// A caller: the name of the column, and the roles claim of the token unless there is no token.
type CallerRoles = (&'static str, Option<Value>);

/// Callers of the first two tables.
fn callers() -> Vec<CallerRoles> {
    vec![
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

/// Callers where privileged groups need a role of their own.
fn callers_of_privileged_groups() -> Vec<CallerRoles> {
    vec![
        ("Reader", Some(json!(["Reader"]))),
        ("Guardian", Some(json!(["Guardian"]))),
        ("Administrator", Some(json!(["Administrator"]))),
        ("both", Some(json!(["Administrator", "Guardian"]))),
    ]
}

/// The group that a request addresses.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Ordinary,
    Privileged,
    /// Nested in a group that is nested in a privileged one.
    BelowPrivileged,
    Missing,
}

const TARGETS: [Target; 3] = [Target::Ordinary, Target::Privileged, Target::Missing];
const GUARDED_TARGETS: [Target; 4] = [Target::Ordinary, Target::Privileged, Target::BelowPrivileged, Target::Missing];

const LEGEND: &str = "\
The status of every route for every caller, as the running API answers: a row per route, a column per caller.

  200, 201, 204   allowed
  401             not authenticated
  403             forbidden; the reply has no other information
  404             allowed, but the group does not exist

One status: the same for an ordinary group, for a privileged one (is_privileged) and for one that does not exist.
Three statuses: one for each of them, in this order. A caller whose row says 403 cannot distinguish them.

Callers: no token; a token without a role; the role Reader; roles that only look like Administrator (administrator,
Administrators, Not,Administrator); Administrator; Administrator among Reader and Auditor; and a token whose roles claim
is the text [Not Administrator]. API Gateway passes this text on exactly as it does the two roles Not and Administrator.
So the last column equals the one before: an identity provider must not issue roles with spaces.

In the last table, privileged groups need the role Guardian besides that of an administrator. Its four statuses are for an ordinary
group, a privileged one, one nested two levels below a privileged one, and one that does not exist. There a 403 for an administrator
names the privileged group, as every reader may know it.
";

/// The ids of the groups that a request addresses. A request may change these groups.
struct Groups {
    id: String,
    child: String,
}

/// Creates the groups for a request: for `PUT` the child is not nested yet.
async fn create_groups(api: &Api, target: Target, method: &str) -> Groups {
    api.accounts(&["acc-1", "acc-2"]).await;
    let child = api.group("Child").await;
    if target == Target::Missing {
        return Groups { id: NO_GROUP.into(), child };
    }
    let root = token("root", &["Administrator", "Guardian"]);
    let put = async |path: String| Answer::to(api.request_as(Some(&root), Method::PUT, &path)).await.ok();
    let create = async |name: &str, is_privileged: bool| {
        let body = json!({ "name": name, "is_privileged": is_privileged });
        let created = Answer::to(api.request_as(Some(&root), Method::POST, "").json(&body)).await;
        created.body["id"].as_str().unwrap().to_owned()
    };
    let id = create("Matrix", target == Target::Privileged).await;
    put(format!("/{id}/members/acc-2")).await;
    if method != "PUT" {
        put(format!("/{id}/groups/{child}")).await;
        put(format!("/{id}/managers/acc-2")).await;
    }
    if target == Target::BelowPrivileged {
        let (privileged, between) = (create("Privileged", true).await, create("Between", false).await);
        put(format!("/{between}/groups/{id}")).await;
        put(format!("/{privileged}/groups/{between}")).await;
    }
    Groups { id, child }
}

/// Sends a request to the route that succeeds if the caller is allowed and the group exists.
async fn send(api: &Api, token: Option<&str>, (path, method): (&str, &str), groups: &Groups) -> Answer {
    let account = if method == "PUT" { "acc-1" } else { "acc-2" };
    let path = path
        .replace("{id}", &groups.id)
        .replace("{accountId}", account)
        .replace("{managerId}", account)
        .replace("{childId}", &groups.child);
    let method: Method = method.parse().unwrap();
    let request = api.request_as(token, method.clone(), &path);
    let body = match method {
        _ if path.ends_with("/members") => json!({ "add": ["acc-1"] }),
        _ if path.ends_with("/check") => json!({ "group_ids": [groups.id] }),
        _ if path.contains("/managers/") || path.contains("/members/") || path.contains("/groups/") => json!({}),
        _ => json!({ "name": "Renamed" }),
    };
    Answer::to(if method == Method::GET { request } else { request.json(&body) }).await
}

/// Returns the statuses for each target, or one status if they are equal.
async fn cell(
    api: &Api,
    token: Option<&str>,
    route: (&str, &str),
    unchanged: &mut [(Target, Option<Groups>)],
) -> String {
    let mut statuses = Vec::new();
    let mut messages = BTreeSet::new();
    for (target, unchanged) in unchanged.iter_mut().map(|(target, unchanged)| (*target, unchanged)) {
        let groups = match unchanged.take() {
            Some(groups) => groups,
            None => create_groups(api, target, route.1).await,
        };
        let answer = send(api, token, route, &groups).await;
        // A reply to HEAD has no body.
        if answer.status == 403 && route.1 != "HEAD" {
            let message = answer.refused(403, "FORBIDDEN");
            let is_of_guard = message.contains("the role Guardian");
            messages.extend((!is_of_guard).then(|| message.to_owned()));
        }
        // Groups that a request changed are not used again.
        *unchanged = (!answer.status.is_success() || matches!(route.1, "GET" | "HEAD")).then_some(groups);
        statuses.push(answer.status.as_u16().to_string());
    }
    assert!(messages.len() <= 1, "a 403 without the administrator's role is the same for every group: {messages:?}");
    let differ = statuses.iter().any(|status| *status != statuses[0]);
    if differ { statuses.join(" ") } else { statuses[0].clone() }
}

/// Builds the table of `tests/authorization-matrix.txt`, which a reviewer reads. `UPDATE_GOLDEN=1` writes that file.
async fn matrix(api: &Api, callers: &[CallerRoles], targets: &[Target]) -> String {
    let width = 4 * targets.len() + 4;
    let mut table = format!("{:<48}", "");
    for (caller, _) in callers {
        write!(table, "{caller:>width$}").unwrap();
    }
    table.push('\n');
    let routes = template().routes.iter().filter(|route| !route.is_greedy());
    let routes: BTreeSet<(&str, &str)> = routes.map(|route| (route.path.as_str(), route.method.as_str())).collect();
    for (path, method) in routes {
        write!(table, "{:<48}", format!("{method} {}", path.strip_prefix("/api/v1").unwrap())).unwrap();
        let mut unchanged: Vec<_> = targets.iter().map(|target| (*target, None)).collect();
        for (caller, roles) in callers {
            let token = roles.as_ref().map(|roles| token_claiming(caller, roles));
            write!(table, "{:>width$}", cell(api, token.as_deref(), (path, method), &mut unchanged).await).unwrap();
        }
        table.push('\n');
    }
    table
}

#[tokio::test]
async fn every_route_answers_every_caller_as_reviewed() {
    let open = matrix(&Api::start().await, &callers(), &TARGETS).await;
    let role = Role::parse("Reader").unwrap();
    let restricted = Api::start_configured(|config| config.policy.read_roles = vec![role]).await;
    let closed = matrix(&restricted, &callers(), &TARGETS).await;
    let role = Role::parse("Guardian").unwrap();
    let guarded = Api::start_configured(|config| config.policy.privileged_role = role).await;
    let guarded = matrix(&guarded, &callers_of_privileged_groups(), &GUARDED_TARGETS).await;
    let found = format!(
        "{LEGEND}\nREAD_ROLES empty\n\n{open}\nREAD_ROLES=Reader\n\n{closed}\nPRIVILEGED_ROLE=Guardian\n\n{guarded}"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/authorization-matrix.txt");
    #[expect(clippy::disallowed_methods, reason = "the reviewer decides whether to write the file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes {path}");
}

/// 403 is decided before the request is parsed or the table read: it is the same for any group and any body.
#[tokio::test]
async fn forbidden_request_learns_nothing_about_the_group() {
    let api = Api::start().await;
    let engineering = api.group("Engineering").await;
    let mallory = token("mallory", &["Reader"]);
    api.recorder.take();

    let mut messages = BTreeSet::new();
    for path in [format!("/{engineering}"), format!("/{}", NO_GROUP), "/grp-1".into()] {
        for body in ["{}", "nonsense", ""] {
            let request = api.request_as(Some(&mallory), Method::PUT, &path).body(body.to_owned());
            let answer = Answer::to(request.header("If-Match", "nonsense")).await;
            messages.insert(answer.refused(403, "FORBIDDEN").to_owned());
        }
    }

    assert_eq!(messages.len(), 1);
    assert!(api.recorder.take().is_empty());
}

#[test]
fn flattened_roles_claim_is_parsed_exactly() {
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

/// Some issuers have a `sub` that nobody recognizes.
#[tokio::test]
async fn actor_claim_names_the_caller_in_what_is_stored() {
    let api = Api::start_configured(|config| config.actor_claim = "email".into()).await;
    let create = async |email: Option<&str>| {
        let mut claims = claims("7c1f");
        claims["cognito:groups"] = json!(["Administrator"]);
        if let Some(email) = email {
            claims["email"] = json!(email);
        }
        let token = signed(&header().to_string(), &claims.to_string(), Algorithm::RS256, &signing(key()));
        Answer::to(api.request_as(Some(&token), Method::POST, "").json(&json!({ "name": "Team" }))).await
    };

    let created = create(Some("ada@corp.example")).await;
    create(None).await.refused(401, "UNAUTHORIZED");

    let id = created.body["id"].as_str().unwrap();
    let table = client_for(&api.endpoint, |builder| builder);
    let row = table
        .get_item()
        .table_name(&api.table)
        .key("PK", AttributeValue::S(format!("GROUP#{id}")))
        .key("SK", AttributeValue::S("GROUP".into()))
        .send()
        .await
        .unwrap();
    assert_eq!(row.item.unwrap()["actor"], AttributeValue::S("ada@corp.example".into()));
}
