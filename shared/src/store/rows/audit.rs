//! The audit record of a membership: how it is now, who changed it last, when, and how often it changed.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::{AccountVersion, Actor, EdgeId, Membership, Moment, PastMembership, Timestamp};

/// An audit record. It stays when the membership ends.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::store) struct AuditItem {
    /// Whether the account is a direct member; absent when it is no member.
    #[serde(default)]
    direct: Option<bool>,
    #[serde(default, with = "serde_dynamo::string_set")]
    via: BTreeSet<EdgeId>,
    /// When the account became a member, while it is one; absent in records of older versions.
    added_at: Option<Timestamp>,
    /// When the account was last added to the group itself; absent in records of older versions.
    pub(in crate::store) direct_since: Option<Timestamp>,
    /// Who added it.
    pub(in crate::store) direct_by: Option<Actor>,
    pub(in crate::store) actor: Option<Actor>,
    pub(in crate::store) changed_at: Option<Timestamp>,
    /// Counts the changes of the membership.
    #[serde(default)]
    pub(in crate::store) revision: u64,
    /// When a membership starts that is scheduled. The next four are of this schedule, or of one of before.
    pub(in crate::store) starts_at: Option<Timestamp>,
    pub(in crate::store) scheduled_end: Option<Timestamp>,
    pub(in crate::store) scheduled_by: Option<Actor>,
    #[serde(default)]
    pub(in crate::store) scheduled_for_guarded: bool,
    /// The version of the account when it was scheduled.
    pub(in crate::store) account_version: Option<AccountVersion>,
    /// The end of the direct membership that was last announced.
    pub(in crate::store) announced_end: Option<Timestamp>,
    /// When an administrator last added or removed the account directly.
    pub(in crate::store) administered_at: Option<Moment>,
    /// When the request was made that last decided whether the account is a direct member.
    pub(in crate::store) decided_at: Option<Moment>,
    /// The requests that decided at that moment.
    #[serde(default, with = "serde_dynamo::string_set")]
    pub(in crate::store) decisions: BTreeSet<String>,
}

impl AuditItem {
    /// The membership, when the account is a member.
    pub(in crate::store) fn membership(&self) -> Option<Membership> {
        let membership = Membership { direct: self.direct?, via: self.via.clone() };
        membership.is_member().then_some(membership)
    }

    /// The membership with its beginning, when the account is a member. A record of an older version shows the last change instead.
    pub(in crate::store) fn past_membership(&self) -> Option<PastMembership> {
        let added_at = self.added_at.or(self.changed_at)?;
        Some(PastMembership { membership: self.membership()?, added_at })
    }

    /// When and by whom the account was last added to the group itself. A record of an older version shows that only as long as the
    /// membership has changed once.
    pub(in crate::store) fn direct_addition(&self) -> (Option<Timestamp>, Option<Actor>) {
        match self.direct_since {
            None if self.revision == 1 => (self.changed_at, self.actor.clone()),
            since => (since, self.direct_by.clone()),
        }
    }
}
