//! Patches (RFC 7644, section 3.5.2), and what Okta and Microsoft Entra make of them: any case of `op`, paths as attribute names,
//! values to remove beside a path without a filter.

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::{Value, json};
use shared::domain::ProvisionedAccount;

use crate::body::{self, Object};
use crate::call::Kind;
use crate::error::ScimError;
use crate::group::GroupEdit;
use crate::members::MembersEdit;
use crate::{filter, user};

/// The most operations of a patch: each may name many members.
const MAX_OPERATIONS: usize = 1_000;

/// The most addresses at a time, of which one is kept in the end.
const MAX_EMAILS: usize = 100;

/// One change of one attribute.
#[derive(Debug)]
pub(crate) struct Operation {
    change: Change,
    target: Target,
    value: Value,
    /// Whether the client named the attribute by a path, and not in an object of many.
    has_path: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Replace,
    Remove,
}

/// An attribute, with names in lower case.
#[derive(Debug)]
struct Target {
    name: String,
    sub: Option<String>,
    filter: Option<ValFilter>,
    /// Whether it belongs to an extension of the schema.
    is_of_extension: bool,
}

/// Attributes of RFC 7643 that are not kept. Naming one changes nothing.
const IGNORED: [&str; 18] = [
    "name",
    "displayname",
    "nickname",
    "profileurl",
    "title",
    "usertype",
    "preferredlanguage",
    "locale",
    "timezone",
    "password",
    "phonenumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
    "x509certificates",
];

/// Parses the body of a patch.
pub(crate) fn parse(body: &Object) -> Result<Vec<Operation>, ScimError> {
    let invalid = |detail: &str| ScimError::bad_request("invalidSyntax", detail);
    let operations =
        body::get(body, "Operations").and_then(Value::as_array).filter(|operations| !operations.is_empty());
    let operations = operations.ok_or_else(|| invalid("Operations must be a list with at least one operation"))?;
    if operations.len() > MAX_OPERATIONS {
        return Err(invalid("Operations must be a list of at most 1000 operations"));
    }
    let mut parsed = Vec::new();
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| invalid("each of the Operations must be an object"))?;
        let change = match body::text(operation, "op")?.unwrap_or_default().to_ascii_lowercase().as_str() {
            "add" => Change::Add,
            "replace" => Change::Replace,
            "remove" => Change::Remove,
            _ => return Err(invalid("op must be add, replace or remove")),
        };
        let value = body::get(operation, "value").cloned().unwrap_or_default();
        match (body::text(operation, "path")?, value) {
            (Some(path), value) => {
                let target = Target::of(filter::path(path)?);
                parsed.push(Operation { change, target, value, has_path: true });
            }
            (None, Value::Object(attributes)) if change != Change::Remove => {
                for (name, value) in attributes {
                    let target = Target::of(filter::path(&name)?);
                    parsed.push(Operation { change, target, value, has_path: false });
                }
            }
            (None, _) if change == Change::Remove => {
                return Err(ScimError::bad_request("noTarget", "an operation that removes must have a path"));
            }
            (None, _) => return Err(invalid("an operation without a path must have an object as its value")),
        }
    }
    Ok(parsed)
}

impl Target {
    fn of(path: PatchPath) -> Self {
        let (AttrPath { uri, name, sub_attr }, filter) = match path {
            PatchPath::Attr(attribute) => (attribute, None),
            PatchPath::Value(value) => (AttrPath { sub_attr: value.sub_attr, ..value.attr }, Some(value.filter)),
        };
        let is_core =
            |uri: &String| [Kind::User, Kind::Group].iter().any(|kind| kind.schema().eq_ignore_ascii_case(uri));
        Self {
            name: name.to_ascii_lowercase(),
            sub: sub_attr.map(|sub| sub.to_ascii_lowercase()),
            filter,
            is_of_extension: uri.is_some_and(|uri| !is_core(&uri)),
        }
    }
}

impl Operation {
    /// Handles an attribute that is not kept: nothing changes, or the operation is refused.
    fn ignore_or_refuse(&self, own_id: &str, kept: &str) -> Result<(), ScimError> {
        let Target { name, is_of_extension, .. } = &self.target;
        let is_other_id = name == "id" && self.value.as_str() != Some(own_id);
        if !is_of_extension && (is_other_id || (self.has_path && ["id", "meta", "schemas"].contains(&name.as_str()))) {
            return Err(ScimError::bad_request("mutability", format!("{name} is read-only")));
        }
        if *is_of_extension || !self.has_path || IGNORED.contains(&name.as_str()) {
            return Ok(());
        }
        Err(ScimError::bad_request("invalidPath", format!("path {name} is no attribute here; there are {kept}")))
    }
}

fn required(attribute: &str) -> ScimError {
    ScimError::bad_request("mutability", format!("{attribute} is required and cannot be removed"))
}

/// Applies a patch to the attributes of a user.
pub(crate) fn apply_to_user(patch: &[Operation], before: &ProvisionedAccount) -> Result<Object, ScimError> {
    let mut object = user::writable(before);
    for operation in patch {
        let Target { name, sub, filter, is_of_extension } = &operation.target;
        let is_removal = operation.change == Change::Remove || operation.value.is_null();
        let whole = sub.is_none() && filter.is_none() && !is_of_extension;
        let mut set = |attribute: &str, value: Value| drop(object.insert(attribute.to_owned(), value));
        match name.as_str() {
            "username" if whole && is_removal => return Err(required("userName")),
            "username" if whole => set("userName", operation.value.clone()),
            "externalid" if whole && is_removal => set("externalId", Value::Null),
            "externalid" if whole => set("externalId", operation.value.clone()),
            "active" if whole && is_removal => {}
            "active" if whole => set("active", operation.value.clone()),
            "emails" if !is_of_extension => {
                let emails = object.remove("emails").unwrap_or_default();
                let emails = change_emails(operation, body::objects(&emails)?)?;
                object.insert("emails".into(), json!(emails));
            }
            _ => operation.ignore_or_refuse(before.account.id.as_str(), "userName, active, emails and externalId")?,
        }
    }
    Ok(object)
}

/// Applies an operation to the addresses of a user.
fn change_emails(operation: &Operation, mut emails: Vec<Object>) -> Result<Vec<Object>, ScimError> {
    let Operation { change, target: Target { sub, filter, .. }, value, .. } = operation;
    let is_target = |email: &Object| filter.as_ref().is_none_or(|filter| matches(filter, email));
    let sub_value = |sub: &str| Object::from_iter([(sub.to_owned(), value.clone())]);
    match (change, sub) {
        (Change::Remove, None) if filter.is_none() && !value.is_null() => {
            let removed = addresses(value)?;
            emails.retain(|email| !removed.iter().any(|other| same_value(other, email)));
        }
        (Change::Remove, None) => emails.retain(|email| !is_target(email)),
        // An address without its value is none.
        (Change::Remove, Some(sub)) if sub == "value" => emails.retain(|email| !is_target(email)),
        (Change::Remove, Some(sub)) => emails.iter_mut().filter(|it| is_target(it)).for_each(|it| drop(it.remove(sub))),
        (Change::Replace, None) if filter.is_none() => emails = addresses(value)?,
        (Change::Add, None) if filter.is_none() => {
            for new in addresses(value)? {
                emails.retain(|email| !same_value(&new, email));
                if body::get(&new, "primary").is_some_and(|it| body::truth("primary", it).unwrap_or_default()) {
                    emails.iter_mut().for_each(|email| drop(email.remove("primary")));
                }
                emails.push(new);
            }
        }
        (Change::Add | Change::Replace, _) => {
            let new = match sub {
                Some(sub) => vec![sub_value(sub)],
                None => addresses(value)?,
            };
            let mut targets: Vec<usize> = (0..emails.len()).filter(|index| is_target(&emails[*index])).collect();
            if targets.is_empty() {
                // Microsoft Entra names an address to create by its type.
                targets.push(emails.len());
                emails.push(filter.as_ref().map(equalities).unwrap_or_default());
            }
            for index in targets {
                new.iter().for_each(|new| emails[index].extend(new.clone()));
            }
        }
    }
    at_most_100(emails)
}

/// The addresses in the value of an operation.
fn addresses(value: &Value) -> Result<Vec<Object>, ScimError> {
    at_most_100(body::objects(value)?)
}

fn at_most_100(emails: Vec<Object>) -> Result<Vec<Object>, ScimError> {
    if emails.len() > MAX_EMAILS {
        return Err(ScimError::bad_request("invalidValue", "emails must be at most 100"));
    }
    Ok(emails)
}

/// Whether the filter selects a value of an attribute.
fn matches(filter: &ValFilter, value: &Object) -> bool {
    match filter {
        ValFilter::And(parts) => parts.iter().all(|part| matches(part, value)),
        ValFilter::Or(parts) => parts.iter().any(|part| matches(part, value)),
        ValFilter::Not(part) => !matches(part, value),
        ValFilter::Attr(AttrExp::Present(path)) => body::get(value, &path.name).is_some(),
        ValFilter::Attr(AttrExp::Comparison(path, operator, wanted)) => {
            let found = body::get(value, &path.name);
            let (found, wanted) = (found.map(plain), plain(&json_of(wanted)));
            found.is_some_and(|found| match operator {
                CompareOp::Eq => found == wanted,
                CompareOp::Ne => found != wanted,
                CompareOp::Co => found.contains(&wanted),
                CompareOp::Sw => found.starts_with(&wanted),
                CompareOp::Ew => found.ends_with(&wanted),
                CompareOp::Gt | CompareOp::Lt | CompareOp::Ge | CompareOp::Le => false,
            })
        }
    }
}

/// The values that a filter requires of attributes.
fn equalities(filter: &ValFilter) -> Object {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) => {
            Object::from_iter([(path.name.clone(), json_of(value))])
        }
        ValFilter::And(parts) => parts.iter().flat_map(equalities).collect(),
        _ => Object::new(),
    }
}

/// A value as a text without case, by which texts and truth values are compared.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).to_lowercase()
}

fn json_of(value: &CompValue) -> Value {
    match value {
        CompValue::True => json!(true),
        CompValue::False => json!(false),
        CompValue::Null => Value::Null,
        CompValue::Number(number) => json!(number),
        CompValue::Str(text) => json!(text),
    }
}

fn same_value(one: &Object, other: &Object) -> bool {
    body::get(one, "value").map(plain) == body::get(other, "value").map(plain)
}

/// Returns the changes of a group that a patch makes.
pub(crate) fn changes_of_group(patch: &[Operation], own_id: &str) -> Result<GroupEdit, ScimError> {
    let mut edit = GroupEdit::default();
    for operation in patch {
        let Target { name, sub, filter, is_of_extension } = &operation.target;
        let is_removal = operation.change == Change::Remove || operation.value.is_null();
        let whole = sub.is_none() && filter.is_none() && !is_of_extension;
        match name.as_str() {
            "displayname" if whole && is_removal => return Err(required("displayName")),
            "displayname" if whole => edit.set_name(&Object::from_iter([(name.clone(), operation.value.clone())]))?,
            "externalid" if whole => {
                let value = if is_removal { Value::Null } else { operation.value.clone() };
                edit.set_external_id(&Object::from_iter([(name.clone(), value)]))?;
            }
            "members" if sub.is_none() && !is_of_extension => change_members(operation, &mut edit.members)?,
            "members" if !is_of_extension => {
                let detail = "the parts of a member cannot be changed; add and remove members";
                return Err(ScimError::bad_request("mutability", detail));
            }
            _ => operation.ignore_or_refuse(own_id, "displayName, members and externalId")?,
        }
    }
    Ok(edit)
}

fn change_members(operation: &Operation, members: &mut MembersEdit) -> Result<(), ScimError> {
    let Operation { change, target, value, .. } = operation;
    match (change, &target.filter) {
        (Change::Add, None) => members.add(body::member_ids(value)?)?,
        (Change::Replace, None) => {
            members.remove_all();
            members.add(body::member_ids(value)?)?;
        }
        (Change::Remove, None) if value.is_null() => members.remove_all(),
        (Change::Remove, None) => members.remove(&body::member_ids(value)?),
        (Change::Remove, Some(filter)) => {
            let mut ids = Vec::new();
            values_of(filter, &mut ids).ok_or_else(|| {
                let detail =
                    r#"a path of members must have the form members[value eq "id"], or several of these joined by or"#;
                ScimError::bad_request("invalidFilter", detail)
            })?;
            members.remove(&ids);
        }
        (Change::Add | Change::Replace, Some(_)) => {
            let detail = "only an operation that removes can have a filter in the path of members";
            return Err(ScimError::bad_request("invalidPath", detail));
        }
    }
    Ok(())
}

/// The ids that a filter of members selects.
fn values_of(filter: &ValFilter, ids: &mut Vec<String>) -> Option<()> {
    match filter {
        ValFilter::Or(parts) => parts.iter().try_for_each(|part| values_of(part, ids)),
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(id)))
            if path.name.eq_ignore_ascii_case("value") =>
        {
            ids.push(id.clone());
            Some(())
        }
        _ => None,
    }
}
