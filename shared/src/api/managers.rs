//! The bodies of replies about managers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::managers::Manager;
use crate::domain::{Actor, PrincipalId, Timestamp};

/// The managers of a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Managers")]
pub struct ManagersResponse<'a> {
    /// By id, at most 100.
    managers: Vec<ManagerResponse<'a>>,
}

/// A manager.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Manager")]
pub struct ManagerResponse<'a> {
    /// The id of the account or the group.
    id: String,
    #[serde(rename = "type")]
    kind: ManagerKind,
    /// Its name. Absent for one that was deleted, which manages nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    name: Option<&'a str>,
    /// When it became a manager.
    added_at: Timestamp,
    /// Who made it one.
    added_by: &'a str,
}

/// `account`, or `group`: every member of that group is a manager.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ManagerKind {
    Account,
    Group,
}

impl<'a> From<&'a Manager> for ManagerResponse<'a> {
    fn from(manager: &'a Manager) -> Self {
        let kind = match &manager.id {
            PrincipalId::Account(_) => ManagerKind::Account,
            PrincipalId::Group(_) => ManagerKind::Group,
        };
        Self {
            id: manager.id.to_string(),
            kind,
            name: manager.name.as_deref(),
            added_at: manager.added_at,
            added_by: Actor::as_str(&manager.added_by),
        }
    }
}

impl<'a> ManagersResponse<'a> {
    /// Returns these managers.
    #[must_use]
    pub fn new(managers: &'a [Manager]) -> Self {
        Self { managers: managers.iter().map(ManagerResponse::from).collect() }
    }
}
