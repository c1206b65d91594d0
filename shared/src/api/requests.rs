//! The bodies that clients send.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{Fields, Others, ValidationErrors};
use crate::domain::group::Description;
use crate::domain::{AccountId, GroupChanges, GroupName, GroupProfile, GroupType, InvalidValue, MemberChange};

const READ_ONLY: Others<'static> = Others::Refused {
    read_only: &["id", "member_count", "direct_member_count", "nested_group_count", "created_at", "updated_at"],
};

/// The body of `POST /api/v1/groups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGroupRequest(pub GroupProfile);

impl CreateGroupRequest {
    /// Reads the body.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::of_body(body)?;
        let name = fields.required("name", GroupName::EXPECTED, GroupName::parse);
        let changes = profile_fields(&mut fields);
        let name = fields.finish(READ_ONLY, name)?;
        Ok(Self(GroupProfile {
            name,
            description: changes.description.unwrap_or_default(),
            group_type: changes.group_type.unwrap_or_default(),
            is_privileged: changes.is_privileged.unwrap_or_default(),
        }))
    }

    /// Tells one body from another, whatever the order of its fields: SHA-256 over what it asks for.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let GroupProfile { name, description, group_type, is_privileged } = &self.0;
        let canonical = serde_json::json!([name.as_str(), description.as_str(), group_type, is_privileged]);
        Sha256::digest(canonical.to_string()).into()
    }
}

/// The body of `PUT /api/v1/groups/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateGroupRequest(pub GroupChanges);

impl UpdateGroupRequest {
    /// Reads the body.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::of_body(body)?;
        let name = fields.text("name", GroupName::EXPECTED, GroupName::parse);
        let changes = GroupChanges { name, ..profile_fields(&mut fields) };
        fields.finish(READ_ONLY, Some(Self(changes)))
    }
}

/// The fields that creating and updating read alike: all but the name.
fn profile_fields(fields: &mut Fields) -> GroupChanges {
    let description = match fields.take("description") {
        None => None,
        Some(Value::Null) => Some(Description::default()),
        Some(Value::String(text)) => {
            Description::parse(&text).map_err(|invalid| fields.error("description", invalid)).ok()
        }
        Some(_) => {
            fields.error("description", InvalidValue::new("is not a string", "at most 1024 characters"));
            None
        }
    };
    GroupChanges {
        name: None,
        description,
        group_type: fields.text("group_type", "security or distribution", GroupType::parse),
        is_privileged: fields.boolean("is_privileged"),
    }
}

/// The body of `PATCH /api/v1/groups/{id}/members`: ids, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMembersRequest {
    /// To add.
    pub add: Vec<RequestedAccount>,
    /// To remove.
    pub remove: Vec<RequestedAccount>,
}

impl ChangeMembersRequest {
    /// Ids in one request at most.
    pub const MAX_IDS: usize = 500;

    /// Reads the body.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::of_body(body)?;
        let (add, remove) = (fields.texts("add"), fields.texts("remove"));
        if add.len() + remove.len() > Self::MAX_IDS {
            fields.error("body", InvalidValue::new("has more than 500 ids", "at most 500 ids in all"));
        }
        let mut seen = std::collections::HashSet::new();
        for (name, ids) in [("add", &add), ("remove", &remove)] {
            let twice = ids.iter().filter(|id| !seen.insert(id.as_str())).count() > 0;
            if twice {
                fields.error(name, InvalidValue::new("names an account a second time", "free of repeated ids"));
            }
        }
        let read = |ids: Vec<String>| ids.iter().map(|id| RequestedAccount::of(id)).collect();
        let request = Self { add: read(add), remove: read(remove) };
        fields.finish(Others::Refused { read_only: &[] }, Some(request))
    }

    /// What is asked for, but for ids that no account can have: those to add first, each in the order sent.
    #[must_use]
    pub fn changes(&self) -> Vec<MemberChange> {
        let ids = |accounts: &[RequestedAccount]| -> Vec<AccountId> {
            accounts.iter().filter_map(|account| account.id.clone()).collect()
        };
        let added = ids(&self.add).into_iter().map(MemberChange::Add);
        added.chain(ids(&self.remove).into_iter().map(MemberChange::Remove)).collect()
    }
}

/// The body of a request that has nothing to say: none, or an object without fields.
///
/// # Errors
/// Every field, or a body that is no object.
pub fn parse_nothing(body: &[u8]) -> Result<(), ValidationErrors> {
    if body.is_empty() {
        return Ok(());
    }
    Fields::of_body(body)?.finish(Others::Refused { read_only: &[] }, Some(()))
}

/// An account id as it was sent, in a body, a path or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAccount {
    /// As it was sent.
    pub text: String,
    /// As it is read: `None` for a text that no account can have, which names an account that does not exist.
    pub id: Option<AccountId>,
}

impl RequestedAccount {
    /// Reads an id.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), id: AccountId::parse(text) }
    }
}
