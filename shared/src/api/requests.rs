//! Request bodies.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{Fields, UnknownFields, ValidationErrors};
use crate::domain::group::Description;
use crate::domain::{
    AccountId, ExternalId, GroupChanges, GroupEmail, GroupId, GroupName, GroupProfile, GroupType, InvalidValue,
    MemberChange, Timestamp, Validity,
};

/// Bodies of writes must not have the fields that only responses have.
const WITHOUT_READ_ONLY_FIELDS: UnknownFields<'static> = UnknownFields::Rejected {
    read_only: &[
        "id",
        "member_count",
        "direct_member_count",
        "nested_group_count",
        "created_at",
        "updated_at",
        "created_by",
        "updated_by",
    ],
};

/// The body of `POST /api/v1/groups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGroupRequest(pub GroupProfile);

impl CreateGroupRequest {
    /// Parses the body.
    ///
    /// # Errors
    /// All validation errors of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::from_body(body)?;
        let name = fields.required("name", GroupName::EXPECTED, GroupName::parse);
        let changes = profile_fields(&mut fields);
        let name = fields.finish(WITHOUT_READ_ONLY_FIELDS, name)?;
        Ok(Self(GroupProfile {
            name,
            description: changes.description.unwrap_or_default(),
            group_type: changes.group_type.unwrap_or_default(),
            is_privileged: changes.is_privileged.unwrap_or_default(),
            external_id: changes.external_id.flatten(),
            email: changes.email.flatten(),
        }))
    }

    /// Returns a SHA-256 over the requested fields. The order of fields and white space make no difference.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let GroupProfile { name, description, group_type, is_privileged, external_id, email } = &self.0;
        let mut canonical = serde_json::json!([name.as_str(), description.as_str(), group_type, is_privileged]);
        // Without them, the digest is that of versions that did not know them.
        if external_id.is_some() || email.is_some() {
            canonical = serde_json::json!([
                canonical,
                external_id.as_ref().map(ExternalId::as_str),
                email.as_ref().map(GroupEmail::as_str),
            ]);
        }
        Sha256::digest(canonical.to_string()).into()
    }
}

/// The body of `PUT /api/v1/groups/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateGroupRequest(pub GroupChanges);

impl UpdateGroupRequest {
    /// Parses the body.
    ///
    /// # Errors
    /// All validation errors of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::from_body(body)?;
        let name = fields.optional("name", GroupName::EXPECTED, GroupName::parse);
        let changes = GroupChanges { name, ..profile_fields(&mut fields) };
        fields.finish(WITHOUT_READ_ONLY_FIELDS, Some(Self(changes)))
    }
}

/// Parses the fields that creating and updating have in common: all but the name.
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
        group_type: fields.optional("group_type", "security or distribution", GroupType::parse),
        is_privileged: fields.boolean("is_privileged"),
        external_id: fields.nullable("external_id", ExternalId::EXPECTED, ExternalId::parse),
        email: fields.nullable("email", GroupEmail::EXPECTED, GroupEmail::parse),
    }
}

/// The body of `PUT /api/v1/groups/{id}/members/{accountId}`, which may be absent: from when until when the account is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddMemberRequest(pub Validity);

impl AddMemberRequest {
    /// Parses the body. `now` is the present time.
    ///
    /// # Errors
    /// All validation errors of the body.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ValidationErrors> {
        if body.is_empty() {
            return Ok(Self(Validity::default()));
        }
        let mut fields = Fields::from_body(body)?;
        let validity = validity(&mut fields, now);
        fields.finish(UnknownFields::Rejected { read_only: &[] }, Some(Self(validity)))
    }
}

/// Parses `starts_at` and `expires_at`. A start that is not later than now is at once.
fn validity(fields: &mut Fields, now: Timestamp) -> Validity {
    const START: &str = "a time in RFC 3339 such as 2024-01-15T10:30:00Z, or null for at once";
    const END: &str = "a time in RFC 3339 that is later than now and than starts_at, or null for never";
    let starts_at = fields.nullable("starts_at", START, Timestamp::parse).flatten().filter(|at| *at > now);
    let expires_at = fields.nullable("expires_at", END, Timestamp::parse);
    if let Some(Some(end)) = expires_at {
        if end <= now {
            fields.error("expires_at", InvalidValue::because(format!("is not later than now, which is {now}"), END));
        } else if starts_at.is_some_and(|start| end <= start) {
            fields.error("expires_at", InvalidValue::new("is not later than starts_at", END));
        }
    }
    Validity { starts_at, expires_at }
}

/// The body of `PATCH /api/v1/groups/{id}/members`: account ids without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMembersRequest {
    /// The accounts to add.
    pub add: Vec<RequestedAccount>,
    /// The accounts to remove.
    pub remove: Vec<RequestedAccount>,
    /// From when until when the accounts to add are members.
    pub validity: Validity,
}

impl ChangeMembersRequest {
    /// The maximum number of ids in one request, both lists together.
    pub const MAX_IDS: usize = 500;

    /// Parses the body. `now` is the present time.
    ///
    /// # Errors
    /// All validation errors of the body.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::from_body(body)?;
        let validity = validity(&mut fields, now);
        let (add, remove) = (fields.strings("add"), fields.strings("remove"));
        if add.len() + remove.len() > Self::MAX_IDS {
            fields.error("body", InvalidValue::new("has more than 500 ids", "at most 500 ids in all"));
        }
        let mut seen = std::collections::HashSet::new();
        for (name, ids) in [("add", &add), ("remove", &remove)] {
            let repeated: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !seen.insert(*id)).collect();
            if !repeated.is_empty() {
                let reason = format!("names {} a second time", repeated.join(", "));
                fields.error(name, InvalidValue::because(reason, "free of repeated ids"));
            }
        }
        let accounts = |ids: Vec<String>| ids.iter().map(|id| RequestedAccount::parse(id)).collect();
        let request = Self { add: accounts(add), remove: accounts(remove), validity };
        fields.finish(UnknownFields::Rejected { read_only: &[] }, Some(request))
    }

    /// Returns the requested changes without impossible ids: additions, then removals, each in the order sent.
    #[must_use]
    pub fn changes(&self) -> Vec<MemberChange> {
        let ids = |accounts: &[RequestedAccount]| -> Vec<AccountId> {
            accounts.iter().filter_map(|account| account.id.clone()).collect()
        };
        let added = ids(&self.add).into_iter().map(|account| MemberChange::Add(account, self.validity));
        added.chain(ids(&self.remove).into_iter().map(MemberChange::Remove)).collect()
    }
}

/// The body of `POST /api/v1/accounts/{accountId}/check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckMembershipsRequest {
    /// The ids as they were sent.
    pub group_ids: Vec<String>,
}

impl CheckMembershipsRequest {
    /// The maximum number of ids in one request.
    pub const MAX_IDS: usize = 500;

    /// Parses the body.
    ///
    /// # Errors
    /// All validation errors of the body.
    pub fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::from_body(body)?;
        let group_ids = fields.required_strings("group_ids", "a list of up to 500 group ids");
        if group_ids.as_ref().is_some_and(|ids| ids.len() > Self::MAX_IDS) {
            fields.error("group_ids", InvalidValue::new("has more than 500 ids", "a list of up to 500 group ids"));
        }
        let request = group_ids.map(|group_ids| Self { group_ids });
        fields.finish(UnknownFields::Rejected { read_only: &[] }, request)
    }

    /// Returns the groups, each once. An impossible id names none.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<GroupId> {
        self.group_ids.iter().filter_map(|text| GroupId::parse_in_any_case(text)).collect()
    }
}

/// Checks the body of a request without fields: it is absent, or an empty object.
///
/// # Errors
/// The body is not an object, or has fields; each is an error.
pub fn parse_empty_body(body: &[u8]) -> Result<(), ValidationErrors> {
    if body.is_empty() {
        return Ok(());
    }
    Fields::from_body(body)?.finish(UnknownFields::Rejected { read_only: &[] }, Some(()))
}

/// An account id that a client sent in a body, a path or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAccount {
    /// The text as it was sent.
    pub text: String,
    /// The parsed id; `None` for an impossible id, which names an account that does not exist.
    pub id: Option<AccountId>,
}

impl RequestedAccount {
    /// Parses an id; an impossible one is no error.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), id: AccountId::parse(text) }
    }
}
