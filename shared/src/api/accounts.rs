//! Response bodies about accounts. The doc comments of serialized types and fields are descriptions in `openapi.yaml`.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::requests::CheckMembershipsRequest;
use super::responses::{GroupResponse, PageInfoResponse};
use crate::domain::{
    Account, AccountId, Actor, GroupId, GroupName, MembershipPath, MembershipType, Page, PathStep, ProvisionedAccount,
    Timestamp,
};

/// An account, as the account system has it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountResponse<'a> {
    #[schemars(with = "AccountId")]
    id: &'a str,
    name: &'a str,
    /// May be empty.
    email: &'a str,
    /// `active`, `inactive`, `suspended` or another that the account system sends.
    status: &'a str,
    /// When the account system last changed it.
    updated_at: Timestamp,
    /// Only of a single account: the groups that it is in, directly and indirectly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    group_count: Option<u64>,
}

impl<'a> From<&'a Account> for AccountResponse<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            id: account.id.as_str(),
            name: &account.name,
            email: &account.email,
            status: &account.status,
            updated_at: account.version.moment().into(),
            group_count: None,
        }
    }
}

impl<'a> AccountResponse<'a> {
    /// Returns an account with the number of its groups.
    #[must_use]
    pub fn with_group_count(account: &'a Account, group_count: u64) -> Self {
        Self { group_count: Some(group_count), ..Self::from(account) }
    }
}

/// A page of accounts.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Accounts")]
pub struct AccountsResponse<'a> {
    accounts: Vec<AccountResponse<'a>>,
    page_info: PageInfoResponse<'a>,
}

impl<'a> From<&'a Page<ProvisionedAccount>> for AccountsResponse<'a> {
    fn from(page: &'a Page<ProvisionedAccount>) -> Self {
        let accounts = page.items.iter().map(|it| AccountResponse::from(&it.account)).collect();
        Self { accounts, page_info: PageInfoResponse::new(page) }
    }
}

/// A page of the groups that an account is in: either the groups or, with `fields=id`, their ids.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AccountGroups")]
pub struct AccountGroupsResponse<'a> {
    /// By name, ignoring case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<GroupResponse<'a>>")]
    groups: Option<Vec<GroupResponse<'a>>>,
    /// By id.
    #[serde(rename = "group_ids", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<GroupId>")]
    group_ids: Option<&'a [GroupId]>,
    page_info: PageInfoResponse<'a>,
}

impl<'a, T> From<&'a Page<T>> for AccountGroupsResponse<'a>
where
    GroupResponse<'a>: From<&'a T>,
{
    fn from(page: &'a Page<T>) -> Self {
        let groups = page.items.iter().map(GroupResponse::from).collect();
        Self { groups: Some(groups), group_ids: None, page_info: PageInfoResponse::new(page) }
    }
}

impl<'a> AccountGroupsResponse<'a> {
    /// Returns a page of ids.
    #[must_use]
    pub fn of_ids(page: &'a Page<GroupId>) -> Self {
        Self { groups: None, group_ids: Some(&page.items), page_info: PageInfoResponse::new(page) }
    }
}

/// For each id of the request, in its order, whether the account is a member of that group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MembershipChecks")]
pub struct MembershipChecksResponse<'a> {
    checks: Vec<MembershipCheck<'a>>,
}

/// Whether the account is a member of a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MembershipCheck")]
struct MembershipCheck<'a> {
    /// As it was sent.
    group_id: &'a str,
    /// False also for a group that does not exist.
    is_member: bool,
    /// Only for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MembershipType")]
    membership_type: Option<&'static str>,
}

impl<'a> MembershipChecksResponse<'a> {
    /// Combines the request with the memberships that were found.
    #[must_use]
    pub fn new(request: &'a CheckMembershipsRequest, memberships: &HashMap<GroupId, MembershipType>) -> Self {
        let check = |text: &'a String| {
            let membership_type = GroupId::parse_in_any_case(text).and_then(|group| memberships.get(&group));
            let membership_type = membership_type.map(|membership_type| membership_type.as_str());
            MembershipCheck { group_id: text, is_member: membership_type.is_some(), membership_type }
        };
        Self { checks: request.group_ids.iter().map(check).collect() }
    }
}

/// The ways from an account to a group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MembershipPaths")]
pub struct PathsResponse<'a> {
    /// Shortest first.
    paths: Vec<PathResponse<'a>>,
    /// Whether there are more than these.
    has_more: bool,
}

/// One way from an account to a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MembershipPath")]
struct PathResponse<'a> {
    /// The group that the account was added to, then each group in which the one before is nested; last the group asked about.
    steps: Vec<PathStepResponse<'a>>,
}

/// A group on the way.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "MembershipPathStep")]
struct PathStepResponse<'a> {
    #[schemars(with = "GroupId")]
    group_id: String,
    #[schemars(with = "GroupName")]
    group_name: &'a str,
    /// Only of the first step: when the account was added to this group. Absent for additions before this was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    added_at: Option<Timestamp>,
    /// Only of the first step: who added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    added_by: Option<&'a str>,
    /// Of all other steps: when the group of the step before was nested in this one. Absent for nestings before this was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    nested_at: Option<Timestamp>,
    /// Of all other steps: who nested it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    nested_by: Option<&'a str>,
}

impl<'a> PathsResponse<'a> {
    /// Returns these paths.
    #[must_use]
    pub fn new(paths: &'a [MembershipPath], has_more: bool) -> Self {
        let path = |path: &'a MembershipPath| {
            let steps = path.steps.iter().enumerate().map(|(index, step)| PathStepResponse::new(index == 0, step));
            PathResponse { steps: steps.collect() }
        };
        Self { paths: paths.iter().map(path).collect(), has_more }
    }
}

impl<'a> PathStepResponse<'a> {
    fn new(is_first: bool, step: &'a PathStep) -> Self {
        let (at, by) = (step.at, step.by.as_ref().map(Actor::as_str));
        let group = Self { group_id: step.group.to_string(), group_name: step.name.as_str(), ..Self::default() };
        match is_first {
            true => Self { added_at: at, added_by: by, ..group },
            false => Self { nested_at: at, nested_by: by, ..group },
        }
    }
}
