//! The two rows of a membership: the member in the group's partition, its mirror in the account's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{Account, AccountId, AccountVersion, EdgeId, Member, Membership, MembershipType, Timestamp};
use crate::store::keys::Attribute;
use crate::store::table::{Condition, Update};

/// A member of a group, with copies of the account's fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct MemberItem {
    pub(in crate::store) direct: bool,
    #[serde(default, with = "serde_dynamo::string_set", skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::store) via: BTreeSet<EdgeId>,
    pub(in crate::store) added_at: Timestamp,
    /// When the direct membership ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) ends_at: Option<Timestamp>,
    name: String,
    email: String,
    status: String,
    pub(in crate::store) account_version: AccountVersion,
}

impl MemberItem {
    pub(in crate::store) fn new(member: &Member) -> Self {
        let Member { account, membership, added_at, expires_at } = member;
        Self {
            direct: membership.direct,
            via: membership.via.clone(),
            added_at: *added_at,
            ends_at: *expires_at,
            name: account.name.clone(),
            email: account.email.clone(),
            status: account.status.clone(),
            account_version: account.version,
        }
    }

    /// The member with this account id, which is in the row's key.
    pub(in crate::store) fn member(self, id: AccountId) -> Member {
        let version = self.account_version;
        let account = Account { id, name: self.name, email: self.email, status: self.status, version };
        let membership = Membership { direct: self.direct, via: self.via };
        Member { account, membership, added_at: self.added_at, expires_at: self.ends_at }
    }

    pub(in crate::store) fn membership(&self) -> Membership {
        Membership { direct: self.direct, via: self.via.clone() }
    }

    /// Whether the direct membership has ended, and the row does not show it yet.
    pub(in crate::store) fn has_expired(&self, now: Timestamp) -> bool {
        self.direct && self.ends_at.is_some_and(|at| at <= now)
    }

    /// Whether the row makes the account a member now, as far as the row shows it.
    pub(in crate::store) fn is_in_force(&self, now: Timestamp) -> bool {
        !self.has_expired(now) || !self.via.is_empty()
    }

    /// The optimistic condition on the row: it is unchanged since it was read.
    pub(in crate::store) fn unchanged_since_read(&self) -> Condition {
        let via = (!self.via.is_empty()).then_some(&self.via);
        Condition::equals(Attribute::Direct, self.direct)
            .and(Condition::equals_or_absent(Attribute::Via, via))
            .and(Condition::equals_or_absent(Attribute::EndsAt, self.ends_at))
            .and(Condition::equals(Attribute::AccountVersion, self.account_version))
    }
}

/// Sets the copies of an account's fields in a member row.
pub(in crate::store) fn set_copies(member: Update, account: &Account) -> Update {
    member
        .set(Attribute::Name, &*account.name)
        .set(Attribute::Email, &*account.email)
        .set(Attribute::Status, &*account.status)
        .set(Attribute::AccountVersion, account.version)
}

/// Selects members, or mirrors, of one type. Also passes the rows before them in their range, which have no `direct`.
pub(in crate::store) fn of_type(only: MembershipType) -> Condition {
    Condition::equals(Attribute::Direct, only == MembershipType::Direct).or(Condition::absent(Attribute::Direct))
}

/// The mirror of a member row, in the account's partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct MirrorItem {
    pub(in crate::store) direct: bool,
}

impl MirrorItem {
    pub(in crate::store) const fn membership_type(&self) -> MembershipType {
        MembershipType::from_direct(self.direct)
    }
}
