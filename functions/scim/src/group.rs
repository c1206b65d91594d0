//! A group as a client describes it.

use serde_json::Value;
use shared::domain::{ExternalId, GroupName};

use crate::body::{self, Object};
use crate::error::ScimError;
use crate::members::MembersEdit;
use crate::user;

/// The changes of a group that a client asks for. Attributes that it leaves out stay.
#[derive(Default)]
pub(crate) struct GroupEdit {
    pub(crate) name: Option<GroupName>,
    pub(crate) external_id: Option<Option<ExternalId>>,
    pub(crate) members: MembersEdit,
}

impl GroupEdit {
    /// Reads a whole group. Its members, where they are given, replace all.
    pub(crate) fn of_body(body: &Object) -> Result<Self, ScimError> {
        let mut edit = Self::default();
        edit.set_name(body)?;
        if body::has(body, "externalId") {
            edit.set_external_id(body)?;
        }
        if body::has(body, "members") {
            edit.members.remove_all();
            edit.members.add(body::member_ids(body::get(body, "members").unwrap_or(&Value::Null))?)?;
        }
        Ok(edit)
    }

    pub(crate) fn set_name(&mut self, body: &Object) -> Result<(), ScimError> {
        let name = body::text(body, "displayName")?;
        let name = name.ok_or_else(|| ScimError::bad_request("invalidValue", "displayName is required"))?;
        let invalid = |invalid| ScimError::invalid_value("displayName", invalid);
        self.name = Some(GroupName::parse(name).map_err(invalid)?);
        Ok(())
    }

    pub(crate) fn set_external_id(&mut self, body: &Object) -> Result<(), ScimError> {
        self.external_id = Some(user::external_id(body)?);
        Ok(())
    }
}
