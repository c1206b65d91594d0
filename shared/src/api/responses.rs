//! Response bodies. The doc comments of serialized types and fields are descriptions in `openapi.yaml`.

use schemars::JsonSchema;
use serde::Serialize;

use super::requests::{ChangeMembersRequest, RequestedAccount};
use super::schema::{ErrorCode, OutcomeName};
use crate::domain::group::Description;
use crate::domain::preview::{AffectedAccounts, GroupPreview, Preview};
use crate::domain::{
    AccountId, Actor, AddOutcome, ChangeOutcome, ExternalId, Group, GroupEmail, GroupId, GroupName, GroupType, Member,
    Membership, MembershipType, Page, PastGroup, RemoveOutcome, Timestamp,
};

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub struct GroupResponse<'a> {
    #[schemars(with = "GroupId")]
    id: String,
    #[schemars(with = "GroupName")]
    name: &'a str,
    #[schemars(with = "Description")]
    description: &'a str,
    group_type: GroupType,
    /// Whether it grants elevated rights.
    is_privileged: bool,
    /// Accounts that are members, direct and indirect, each once.
    member_count: u64,
    /// When it was created.
    created_at: Timestamp,
    /// When its own fields were last written.
    updated_at: Timestamp,
    /// Accounts added to this group itself.
    direct_member_count: u64,
    /// Groups nested directly in it.
    nested_group_count: u64,
    /// Its id in another system, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExternalId")]
    external_id: Option<&'a str>,
    /// Its address, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupEmail")]
    email: Option<&'a str>,
    /// Who created it. Absent for groups of before this was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    created_by: Option<&'a str>,
    /// Who last wrote its own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    updated_by: Option<&'a str>,
    /// Only where the groups of an account are listed: how the account is a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MembershipType")]
    membership_type: Option<&'static str>,
    /// Only where the memberships of an account are listed: the directly nested groups that an indirect one comes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<GroupId>")]
    via: Option<Vec<GroupId>>,
    /// Only where the groups that contain a group are listed: the nestings on the shortest way up to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    distance: Option<u64>,
    /// Only with `at`: when the group was deleted, if it was since. Its other fields are the last ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    deleted_at: Option<Timestamp>,
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
            external_id: group.profile.external_id.as_ref().map(ExternalId::as_str),
            email: group.profile.email.as_ref().map(GroupEmail::as_str),
            created_by: group.created_by.as_ref().map(Actor::as_str),
            updated_by: group.updated_by.as_ref().map(Actor::as_str),
            membership_type: None,
            via: None,
            distance: None,
            deleted_at: None,
        }
    }
}

impl<'a> From<&'a (Group, MembershipType)> for GroupResponse<'a> {
    fn from((group, membership_type): &'a (Group, MembershipType)) -> Self {
        Self { membership_type: Some(membership_type.as_str()), ..Self::from(group) }
    }
}

impl<'a> From<&'a (Group, Membership)> for GroupResponse<'a> {
    fn from((group, membership): &'a (Group, Membership)) -> Self {
        Self::with_membership(group, membership)
    }
}

impl<'a> GroupResponse<'a> {
    fn with_membership(group: &'a Group, membership: &Membership) -> Self {
        let membership_type = Some(membership.membership_type().as_str());
        Self { membership_type, via: (!membership.direct).then(|| membership.via_groups()), ..Self::from(group) }
    }
}

impl<'a> From<&'a (Group, u64)> for GroupResponse<'a> {
    fn from((group, distance): &'a (Group, u64)) -> Self {
        Self { distance: Some(*distance), ..Self::from(group) }
    }
}

impl<'a> From<&'a PastGroup> for GroupResponse<'a> {
    fn from(PastGroup { group, membership, deleted_at }: &'a PastGroup) -> Self {
        Self { deleted_at: *deleted_at, ..Self::with_membership(group, membership) }
    }
}

/// Whether and where the list continues.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PageInfo")]
pub struct PageInfoResponse<'a> {
    /// Whether more may follow. In a list of members or accounts with a filter, a page may be empty and still have a next one.
    has_next_page: bool,
    /// Send it as `after` with the same other parameters; null on the last page.
    end_cursor: Option<&'a str>,
}

impl<'a> PageInfoResponse<'a> {
    pub(super) fn new<T>(page: &'a Page<T>) -> Self {
        let end_cursor = page.next.as_ref().map(|cursor| cursor.0.as_str());
        Self { has_next_page: end_cursor.is_some(), end_cursor }
    }
}

/// A page of groups.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Groups")]
pub struct GroupsResponse<'a> {
    groups: Vec<GroupResponse<'a>>,
    page_info: PageInfoResponse<'a>,
}

impl<'a, T> From<&'a Page<T>> for GroupsResponse<'a>
where
    GroupResponse<'a>: From<&'a T>,
{
    fn from(page: &'a Page<T>) -> Self {
        let groups = page.items.iter().map(GroupResponse::from).collect();
        Self { groups, page_info: PageInfoResponse::new(page) }
    }
}

/// A member.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberResponse<'a> {
    #[schemars(with = "AccountId")]
    id: &'a str,
    /// As the account system has it.
    name: &'a str,
    /// As the account system has it.
    email: &'a str,
    #[schemars(with = "MembershipType")]
    membership_type: &'static str,
    /// When it became a member of this group, directly or by nesting.
    added_date: Timestamp,
    /// The account's own: `active`, `inactive`, `suspended` or another that the account system sends.
    status: &'a str,
    /// The directly nested groups that an indirect member comes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<GroupId>")]
    via: Option<Vec<GroupId>>,
    /// The second from which on it is no direct member any more. Absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    expires_at: Option<Timestamp>,
    /// Only in the reply to a request that schedules a membership: when it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    starts_at: Option<Timestamp>,
}

impl<'a> MemberResponse<'a> {
    /// Returns an account that becomes a member at this time.
    #[must_use]
    pub fn scheduled(member: &'a Member, starts_at: Timestamp) -> Self {
        Self { starts_at: Some(starts_at), ..Self::from(member) }
    }
}

impl<'a> From<&'a Member> for MemberResponse<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: member.account.id.as_str(),
            name: &member.account.name,
            email: &member.account.email,
            membership_type: member.membership.membership_type().as_str(),
            added_date: member.added_at,
            status: &member.account.status,
            via: (!member.membership.direct).then(|| member.membership.via_groups()),
            expires_at: member.expires_at,
            starts_at: None,
        }
    }
}

/// The members of a group, or a page of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Members")]
pub struct MembersResponse<'a> {
    /// By id.
    members: Vec<MemberResponse<'a>>,
    /// Number of members, of the requested `membership_type` and at the requested time; without regard to `status` and `search`.
    count: u64,
    page_info: PageInfoResponse<'a>,
}

impl<'a> MembersResponse<'a> {
    /// Returns a page of members, with the total `count` of the list.
    #[must_use]
    pub fn new(page: &'a Page<Member>, count: u64) -> Self {
        let members = page.items.iter().map(MemberResponse::from).collect();
        Self { members, count, page_info: PageInfoResponse::new(page) }
    }
}

/// The outcomes of a `PATCH` of members, one for each id: additions first, each in the order sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Outcomes")]
pub struct OutcomesResponse<'a> {
    outcomes: Vec<OutcomeResponse<'a>>,
}

/// The outcome for one id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Outcome")]
struct OutcomeResponse<'a> {
    /// As it was sent.
    id: &'a str,
    #[schemars(with = "OutcomeName")]
    outcome: &'static str,
}

impl<'a> OutcomesResponse<'a> {
    /// Combines the request with the outcomes of [`ChangeMembersRequest::changes`], which are in the same order.
    #[must_use]
    pub fn new(request: &'a ChangeMembersRequest, outcomes: Vec<ChangeOutcome>) -> Self {
        let mut outcomes = outcomes.into_iter();
        let mut outcome_of = |account: &'a RequestedAccount, of_impossible_id: ChangeOutcome| {
            let impossible = account.id.is_none().then_some(of_impossible_id);
            let outcome = impossible.or_else(|| outcomes.next()).unwrap_or(ChangeOutcome::Retry);
            OutcomeResponse { id: &account.text, outcome: outcome_name(&outcome) }
        };
        let added = |id| outcome_of(id, ChangeOutcome::Add(AddOutcome::UnknownAccount));
        let mut responses: Vec<_> = request.add.iter().map(added).collect();
        let removed = |id| outcome_of(id, ChangeOutcome::Remove(RemoveOutcome::NotMember));
        responses.extend(request.remove.iter().map(removed));
        Self { outcomes: responses }
    }
}

const fn outcome_name(outcome: &ChangeOutcome) -> &'static str {
    match outcome {
        ChangeOutcome::Add(AddOutcome::Added(_)) => "added",
        ChangeOutcome::Add(AddOutcome::AlreadyMember(_)) => "already_member",
        ChangeOutcome::Add(AddOutcome::Scheduled(..)) => "scheduled",
        ChangeOutcome::Add(AddOutcome::UnknownAccount) => "unknown_account",
        ChangeOutcome::Remove(RemoveOutcome::Removed) => "removed",
        ChangeOutcome::Remove(RemoveOutcome::NotMember | RemoveOutcome::OnlyIndirect(_)) => "not_direct_member",
        ChangeOutcome::Retry => "retry",
    }
}

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorReply")]
pub struct ErrorResponse<'a> {
    /// The error itself.
    pub error: ErrorBody<'a>,
}

/// The body of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorBody")]
pub struct ErrorBody<'a> {
    /// One of the codes of the contract.
    #[schemars(with = "ErrorCode")]
    pub code: &'static str,
    /// A sentence for a person.
    pub message: &'a str,
    /// The invalid fields, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail<'a>>,
    /// Identifies the request in the logs.
    pub request_id: &'a str,
}

/// An invalid field.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorDetail")]
pub struct ErrorDetail<'a> {
    /// The field, parameter or header.
    pub field: &'a str,
    /// Why it is invalid.
    pub reason: &'a str,
}

/// The effects that a change would have.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub struct PreviewResponse<'a> {
    /// Whether all accounts were followed up. If not, more than 10,000 are affected, and the numbers are those of the first 10,000.
    complete: bool,
    /// Accounts that would lose a membership in at least one group. `max_removals` limits them.
    removals: u64,
    /// The groups whose members would change, by id.
    groups: Vec<GroupPreviewResponse<'a>>,
}

/// The effects that a change would have on a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupPreview")]
struct GroupPreviewResponse<'a> {
    #[schemars(with = "GroupId")]
    id: String,
    /// Absent for a group that is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GroupName")]
    name: Option<&'a str>,
    /// Whether it grants elevated rights.
    is_privileged: bool,
    /// Accounts that would become members.
    gains: AffectedAccountsResponse<'a>,
    /// Accounts that would not be members any more.
    losses: AffectedAccountsResponse<'a>,
}

/// Accounts that a change affects.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AffectedAccounts")]
struct AffectedAccountsResponse<'a> {
    /// Their number.
    count: u64,
    /// The first 20 of them, by id.
    #[schemars(with = "Vec<AccountId>")]
    first: Vec<&'a str>,
}

impl<'a> From<&'a Preview> for PreviewResponse<'a> {
    fn from(preview: &'a Preview) -> Self {
        let accounts = |accounts: &'a AffectedAccounts| AffectedAccountsResponse {
            count: accounts.count,
            first: accounts.first.iter().map(AccountId::as_str).collect(),
        };
        let group = |(id, group): (&GroupId, &'a GroupPreview)| GroupPreviewResponse {
            id: id.to_string(),
            name: group.name.as_ref().map(GroupName::as_str),
            is_privileged: group.is_privileged,
            gains: accounts(&group.gains),
            losses: accounts(&group.losses),
        };
        let groups = preview.groups.iter().map(group).collect();
        Self { complete: preview.is_complete, removals: preview.removals, groups }
    }
}
