//! Members: accounts in groups, and the changes that make them so.

use std::collections::BTreeSet;

use super::{Account, AccountId, Actor, EdgeId, GroupId, GroupName, InvalidValue, Moment, Timestamp, Validity};

/// Whether an account was added to a group itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipType {
    /// Added to the group itself, and perhaps inherited as well.
    Direct,
    /// Only inherited from a nested group.
    Indirect,
}

impl MembershipType {
    /// Parses the lower-case name of a type.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "direct" => Ok(Self::Direct),
            "indirect" => Ok(Self::Indirect),
            _ => Err(InvalidValue::new("is no membership type", "direct or indirect")),
        }
    }

    /// Returns direct for a member that was added to the group itself, else indirect.
    #[must_use]
    pub const fn from_direct(direct: bool) -> Self {
        if direct { Self::Direct } else { Self::Indirect }
    }

    /// The lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Indirect => "indirect",
        }
    }
}

/// How an account is a member of a group. Neither direct nor inherited means that it is not one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// The account was added to the group itself.
    pub direct: bool,
    /// The edges to nested groups through which the account inherits the membership.
    pub via: BTreeSet<EdgeId>,
}

impl Membership {
    /// Whether the account is a member at all.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.direct || !self.via.is_empty()
    }

    /// Returns the type: direct when both apply.
    #[must_use]
    pub const fn membership_type(&self) -> MembershipType {
        MembershipType::from_direct(self.direct)
    }

    /// The directly nested groups that the membership is inherited from, each once, by id.
    #[must_use]
    pub fn via_groups(&self) -> Vec<GroupId> {
        let groups: BTreeSet<GroupId> = self.via.iter().map(EdgeId::child).collect();
        groups.into_iter().collect()
    }
}

/// An account as a member of one group, with the account's fields as last copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: Account,
    /// How it is a member.
    pub membership: Membership,
    /// When it became a member, directly or by inheritance.
    pub added_at: Timestamp,
    /// The second from which on it is no direct member any more; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A way from an account to a group that it is a member of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipPath {
    /// The group that the account was added to, then each group in which the one before is nested directly; last the group asked
    /// about.
    pub steps: Vec<PathStep>,
}

/// A group on a [`MembershipPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStep {
    /// The group.
    pub group: GroupId,
    /// Its name.
    pub name: GroupName,
    /// When the account was added to the first group, or the group before was nested in this one; `None` for a change of before
    /// this was recorded.
    pub at: Option<Timestamp>,
    /// Who did so.
    pub by: Option<Actor>,
}

/// One account to add to or remove from a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Make the account a direct member, for this time.
    Add(AccountId, Validity),
    /// End the direct membership of the account.
    Remove(AccountId),
}

impl MemberChange {
    /// Makes an account a direct member at once. Where it is one, its expiry stays.
    #[must_use]
    pub fn add(account: AccountId) -> Self {
        Self::Add(account, Validity::default())
    }

    /// The account to change.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::Add(id, _) | Self::Remove(id) => id,
        }
    }
}

/// The result of adding an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddOutcome {
    /// It is a direct member from now on.
    Added(Member),
    /// It was a direct member before. Its expiry may have changed.
    AlreadyMember(Member),
    /// It becomes a direct member at this time.
    Scheduled(Member, Timestamp),
    /// The account system has not announced such an account, or has deleted it.
    UnknownAccount,
}

/// The result of removing an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// It is no direct member any more, and no member at all unless it inherits the membership.
    Removed,
    /// It was no member before.
    NotMember,
    /// It is a member only through these directly nested groups.
    OnlyIndirect(Vec<GroupId>),
}

/// The result of one [`MemberChange`] among several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// Of an addition.
    Add(AddOutcome),
    /// Of a removal.
    Remove(RemoveOutcome),
    /// Unknown: the time budget ended first. The caller should send the change again.
    Retry,
}

/// A change that another system asked for by an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRequest {
    /// The event's id: the same at every delivery.
    pub id: String,
    /// When it was made: a request made before the last decision is superseded.
    pub requested_at: Moment,
    /// The group to change.
    pub group: GroupId,
    /// The change.
    pub change: MemberChange,
}

/// The result of a [`MembershipRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Too many other requests for this membership were made at the same moment.
    TooMany,
    /// The account is a direct member now and was not, or the reverse.
    Changed,
    /// It was so already, or a later decision was made, perhaps by this very request.
    Unchanged,
    /// The account is to be removed and is a member only through these directly nested groups.
    OnlyIndirect(Vec<GroupId>),
    /// The account system has not announced such an account yet, or has deleted it.
    UnknownAccount,
}
