//! The row of an account.

use serde::{Deserialize, Serialize};

use super::State;
use crate::domain::{Account, AccountId, AccountVersion, Actor, ExternalId, ProvisionedAccount, Timestamp};

/// An account. A deleted one keeps its versions only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct AccountItem {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    pub(in crate::store) version: AccountVersion,
    pub(in crate::store) state: State,
    /// The system that announced this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) actor: Option<Actor>,
    /// The version at which the account was last deleted; kept when it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) deleted_version: Option<AccountVersion>,
}

impl AccountItem {
    /// Whether the account was deleted after the version in `copies`. A direct membership from before that has ended, even
    /// when the account has returned.
    pub(in crate::store) fn was_deleted_since(&self, copies: AccountVersion) -> bool {
        self.state == State::Deleted || self.deleted_version.is_some_and(|deleted| deleted >= copies)
    }

    /// The account with this id, which is in the row's key; `None` for a deleted one.
    pub(in crate::store) fn active(&self, id: &AccountId) -> Option<Account> {
        let Self { name, email, status, version, state, .. } = self;
        (*state == State::Active).then(|| Account {
            id: id.clone(),
            name: name.clone(),
            email: email.clone(),
            status: status.clone(),
            version: *version,
        })
    }

    /// The same, with its id in the system that provisions it.
    pub(in crate::store) fn provisioned(&self, id: &AccountId) -> Option<ProvisionedAccount> {
        let external_id = self.external_id.as_deref().and_then(|id| ExternalId::parse(id).ok());
        Some(ProvisionedAccount { account: self.active(id)?, external_id, created_at: self.created_at })
    }
}
