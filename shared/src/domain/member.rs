//! Members: accounts in groups.

use std::collections::BTreeSet;

use super::{Account, AccountId, EdgeId, GroupId, InvalidValue, Moment, Timestamp};

/// How an account is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipType {
    /// Added to the group itself.
    Direct,
    /// Only inherited from a nested group.
    Indirect,
}

impl MembershipType {
    /// Reads the lower-case name of a type.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "direct" => Ok(Self::Direct),
            "indirect" => Ok(Self::Indirect),
            _ => Err(InvalidValue::new("is no membership type", "direct or indirect")),
        }
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

/// An account as a member of one group, with the account's fields as they were last copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: Account,
    /// How it is a member.
    pub membership_type: MembershipType,
    /// The nestings it comes through as well, or only.
    pub via: BTreeSet<EdgeId>,
    /// When it became one, by whichever way came first.
    pub added_at: Timestamp,
}

impl Member {
    /// The directly nested groups that it comes through, each once, in the order of ids.
    #[must_use]
    pub fn via_groups(&self) -> Vec<GroupId> {
        via_groups(&self.via)
    }
}

/// How an account is a member, whoever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// How.
    pub membership_type: MembershipType,
    /// The nestings it comes through as well, or only.
    pub via: BTreeSet<EdgeId>,
}

impl Membership {
    /// Of one that was added to the group itself, or was not, and comes through these nestings; `None` for one that is
    /// no member.
    #[must_use]
    pub fn of(direct: bool, via: BTreeSet<EdgeId>) -> Option<Self> {
        let membership_type = if direct { MembershipType::Direct } else { MembershipType::Indirect };
        (direct || !via.is_empty()).then_some(Self { membership_type, via })
    }

    /// The directly nested groups that it comes through, each once, in the order of ids.
    #[must_use]
    pub fn via_groups(&self) -> Vec<GroupId> {
        via_groups(&self.via)
    }
}

fn via_groups(via: &BTreeSet<EdgeId>) -> Vec<GroupId> {
    let groups: BTreeSet<GroupId> = via.iter().map(EdgeId::child).collect();
    groups.into_iter().collect()
}

/// One account to add to or remove from a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make it a direct member.
    Add(AccountId),
    /// Make it no direct member.
    Remove(AccountId),
}

impl Change {
    /// The account that is to change.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::Add(id) | Self::Remove(id) => id,
        }
    }
}

/// What came of a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is a direct member from now on.
    Added(Member),
    /// It was a direct member before.
    AlreadyMember(Member),
    /// It is no direct member any more, and no member at all unless it comes through a nested group.
    Removed,
    /// It was no member before.
    NotDirectMember,
    /// It is a member only through these directly nested groups.
    OnlyIndirect(Vec<GroupId>),
    /// The account system has told of no such account, or that it is gone.
    UnknownAccount,
    /// Not known to have happened: the table was too busy for it in the time there was. Ask again.
    Retry,
}

/// A change that another system asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRequest {
    /// Names the request: the same however often it is delivered.
    pub id: String,
    /// When it was made: one that was made before what was decided last comes too late.
    pub requested_at: Moment,
    /// Of which group.
    pub group: GroupId,
    /// What is asked for.
    pub change: Change,
}

/// What came of a [`MembershipRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The account is a direct member now and was not, or the reverse.
    Changed,
    /// It was so already, or something was decided since the request was made, perhaps by this very request.
    Unchanged,
    /// The account is to be removed and is a member only through these directly nested groups.
    OnlyIndirect(Vec<GroupId>),
    /// The account system has told of no such account yet, or that it is gone.
    UnknownAccount,
}
