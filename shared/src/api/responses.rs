//! The bodies that clients get.

use serde::Serialize;

use super::requests::{ChangeMembersRequest, RequestedAccount};
use crate::domain::{Group, GroupId, Member, MembershipType, Outcome, Page, Timestamp};

/// A group.
#[derive(Debug, Serialize)]
pub struct GroupResponse<'a> {
    id: String,
    name: &'a str,
    description: &'a str,
    group_type: crate::domain::GroupType,
    is_privileged: bool,
    member_count: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    direct_member_count: u64,
    nested_group_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership_type: Option<&'static str>,
}

impl<'a> From<&'a Group> for GroupResponse<'a> {
    fn from(group: &'a Group) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.profile.name.as_str(),
            description: group.profile.description.as_str(),
            group_type: group.profile.group_type,
            is_privileged: group.profile.is_privileged,
            member_count: group.member_count,
            created_at: group.created_at,
            updated_at: group.updated_at,
            direct_member_count: group.direct_member_count,
            nested_group_count: group.nested_group_count,
            membership_type: None,
        }
    }
}

/// How to go on with a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfoResponse<'a> {
    has_next_page: bool,
    end_cursor: Option<&'a str>,
}

impl<'a> PageInfoResponse<'a> {
    fn of<T>(page: &'a Page<T>) -> Self {
        let end_cursor = page.next.as_ref().map(|cursor| cursor.0.as_str());
        Self { has_next_page: end_cursor.is_some(), end_cursor }
    }
}

/// A page of groups.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupsResponse<'a> {
    groups: Vec<GroupResponse<'a>>,
    page_info: PageInfoResponse<'a>,
}

impl<'a> From<&'a Page<Group>> for GroupsResponse<'a> {
    fn from(page: &'a Page<Group>) -> Self {
        let groups = page.items.iter().map(GroupResponse::from).collect();
        Self { groups, page_info: PageInfoResponse::of(page) }
    }
}

impl<'a> From<&'a Page<(Group, MembershipType)>> for GroupsResponse<'a> {
    fn from(page: &'a Page<(Group, MembershipType)>) -> Self {
        let groups = page.items.iter().map(|(group, membership_type)| GroupResponse {
            membership_type: Some(membership_type.as_str()),
            ..GroupResponse::from(group)
        });
        Self { groups: groups.collect(), page_info: PageInfoResponse::of(page) }
    }
}

/// A member.
#[derive(Debug, Serialize)]
pub struct MemberResponse<'a> {
    id: &'a str,
    name: &'a str,
    email: &'a str,
    membership_type: &'static str,
    added_date: Timestamp,
    status: &'a str,
    /// The directly nested groups that an indirect member comes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<Vec<GroupId>>,
}

impl<'a> From<&'a Member> for MemberResponse<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: member.account.id.as_str(),
            name: &member.account.name,
            email: &member.account.email,
            membership_type: member.membership_type.as_str(),
            added_date: member.added_at,
            status: &member.account.status,
            via: (member.membership_type == MembershipType::Indirect).then(|| member.via_groups()),
        }
    }
}

/// The members of a group, or a page of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MembersResponse<'a> {
    members: Vec<MemberResponse<'a>>,
    count: u64,
    page_info: PageInfoResponse<'a>,
}

impl<'a> MembersResponse<'a> {
    /// A page of members and how many there are in all.
    #[must_use]
    pub fn new(page: &'a Page<Member>, count: u64) -> Self {
        let members = page.items.iter().map(MemberResponse::from).collect();
        Self { members, count, page_info: PageInfoResponse::of(page) }
    }
}

/// What came of a `PATCH` of members: one outcome per id, those to add first, each in the order sent.
#[derive(Debug, Serialize)]
pub struct OutcomesResponse<'a> {
    outcomes: Vec<OutcomeResponse<'a>>,
}

#[derive(Debug, Serialize)]
struct OutcomeResponse<'a> {
    id: &'a str,
    outcome: &'static str,
}

impl<'a> OutcomesResponse<'a> {
    /// The request with what came of [`ChangeMembersRequest::changes`], in that order.
    #[must_use]
    pub fn new(request: &'a ChangeMembersRequest, outcomes: Vec<Outcome>) -> Self {
        let mut outcomes = outcomes.into_iter();
        let mut tell = |account: &'a RequestedAccount, of_impossible_id: Outcome| {
            let settled = account.id.is_none().then_some(of_impossible_id);
            let outcome = settled.or_else(|| outcomes.next()).unwrap_or(Outcome::Retry);
            OutcomeResponse { id: &account.text, outcome: outcome_name(&outcome) }
        };
        let mut told: Vec<_> = request.add.iter().map(|id| tell(id, Outcome::UnknownAccount)).collect();
        told.extend(request.remove.iter().map(|id| tell(id, Outcome::NotDirectMember)));
        Self { outcomes: told }
    }
}

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Added(_) => "added",
        Outcome::AlreadyMember(_) => "already_member",
        Outcome::Removed => "removed",
        Outcome::NotDirectMember | Outcome::OnlyIndirect(_) => "not_direct_member",
        Outcome::UnknownAccount => "unknown_account",
        Outcome::Retry => "retry",
    }
}

/// An error.
#[derive(Debug, Serialize)]
pub struct ErrorResponse<'a> {
    /// The envelope's one field.
    pub error: ErrorBody<'a>,
}

/// What an error says.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// One of the codes of the contract.
    pub code: &'static str,
    /// A sentence for people.
    pub message: &'a str,
    /// The fields at fault, when some are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail<'a>>,
    /// Names the request in the logs.
    pub request_id: &'a str,
}

/// A field at fault.
#[derive(Debug, Serialize)]
pub struct ErrorDetail<'a> {
    /// The field, parameter or header.
    pub field: &'a str,
    /// What is wrong with it.
    pub reason: &'a str,
}
