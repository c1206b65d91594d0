//! The direct members of a group: accounts and nested groups.

use std::collections::{BTreeMap, BTreeSet};

use shared::app::App;
use shared::authz::{Administer, Granted, Read};
use shared::domain::{
    Account, AccountId, AddOutcome, ChangeOutcome, Error, Group, GroupId, Limit, MemberChange, MembershipType, Missing,
    Precondition, PrincipalId,
};
use shared::store::MemberFilter;

use crate::error::ScimError;
use crate::pages::all_pages;

/// Members that are changed in one call of the store.
const CHANGES_TOGETHER: usize = 500;

/// Changes of members, of which the last one of a member counts.
#[derive(Debug, Default)]
pub(crate) struct MembersEdit {
    /// Whether all members are removed first.
    replaces_all: bool,
    /// For each member that is named, whether it is one in the end.
    is_member: BTreeMap<PrincipalId, bool>,
}

impl MembersEdit {
    /// Adds members. An id that no member can have is an error.
    pub(crate) fn add(&mut self, ids: Vec<String>) -> Result<(), ScimError> {
        for text in ids {
            let Some(id) = PrincipalId::parse(&text) else { return Err(unknown([text])) };
            self.is_member.insert(id, true);
        }
        Ok(())
    }

    /// Removes members. An id that no member can have is ignored.
    pub(crate) fn remove(&mut self, ids: &[String]) {
        self.is_member.extend(ids.iter().filter_map(|text| PrincipalId::parse(text)).map(|id| (id, false)));
    }

    pub(crate) fn remove_all(&mut self) {
        self.replaces_all = true;
        self.is_member.clear();
    }

    fn is_empty(&self) -> bool {
        !self.replaces_all && self.is_member.is_empty()
    }
}

/// Changes that are to be made.
#[derive(Default)]
struct Plan {
    added: Vec<PrincipalId>,
    removed: Vec<PrincipalId>,
}

/// Checks that every account and group exists that an edit makes a member, and that the groups may be nested in the group, where it
/// exists already. So that nothing is written of a request that is refused.
pub(crate) async fn require_possible(
    app: &App,
    granted: &Granted<Administer>,
    group: Option<&GroupId>,
    edit: &MembersEdit,
) -> Result<(), ScimError> {
    let added = edit.is_member.iter().filter(|(_, is_member)| **is_member).map(|(id, _)| id);
    let (mut accounts, mut missing) = (Vec::new(), Vec::new());
    for id in added {
        let nested = match (id, group) {
            (PrincipalId::Account(id), _) => {
                accounts.push(id.clone());
                continue;
            }
            (PrincipalId::Group(id), Some(group)) => {
                app.store.plan_edge(granted, group, id, &Precondition::NONE, app.clock.now()).await.map(drop)
            }
            (PrincipalId::Group(id), None) => app.store.require_group(&granted.to_read(), id).await.map(drop),
        };
        match (nested, id) {
            (Err(Error::Missing(Missing::Group | Missing::NestedGroup(_))), PrincipalId::Group(id)) => {
                missing.push(id.to_string());
            }
            (nested, _) => nested?,
        }
    }
    missing.extend(app.store.unknown_accounts(&granted.to_read(), &accounts).await?.iter().map(AccountId::to_string));
    if missing.is_empty() { Ok(()) } else { Err(unknown(missing)) }
}

/// Makes the changes that are left between the group's members and the edit: nested groups one by one, then accounts.
pub(crate) async fn change(
    app: &App,
    granted: &Granted<Administer>,
    group: &GroupId,
    edit: &MembersEdit,
    mut precondition: Precondition,
) -> Result<(), ScimError> {
    if edit.is_empty() {
        return Ok(());
    }
    let plan = plan(app, granted, group, edit).await?;
    let mut accounts = Vec::new();
    for (id, is_added) in plan.removed.iter().map(|id| (id, false)).chain(plan.added.iter().map(|id| (id, true))) {
        match id {
            PrincipalId::Account(id) if is_added => accounts.push(MemberChange::add(id.clone())),
            PrincipalId::Account(id) => accounts.push(MemberChange::Remove(id.clone())),
            PrincipalId::Group(child) => {
                nest(app, granted, group, child, is_added, &std::mem::take(&mut precondition)).await?;
            }
        }
    }
    let granted = granted.to_manage_members();
    for (index, changes) in accounts.chunks(CHANGES_TOGETHER).enumerate() {
        let precondition = std::mem::take(&mut precondition);
        let now = app.clock.now();
        let changed = app.store.change_members(&granted, group, changes, &precondition, now).await?;
        let (outcomes, _) = app.settle(&granted, changed).await;
        let done = index * CHANGES_TOGETHER + outcomes.iter().filter(|it| **it != ChangeOutcome::Retry).count();
        if outcomes.contains(&ChangeOutcome::Retry) {
            return Err(ScimError::Unfinished { done, all: accounts.len() });
        }
        let is_unknown = |outcome: &ChangeOutcome| *outcome == ChangeOutcome::Add(AddOutcome::UnknownAccount);
        let deleted = changes.iter().zip(&outcomes).filter(|(_, outcome)| is_unknown(outcome));
        let deleted: Vec<String> = deleted.map(|(change, _)| change.account().to_string()).collect();
        if !deleted.is_empty() {
            return Err(unknown(deleted));
        }
    }
    Ok(())
}

async fn plan(
    app: &App,
    granted: &Granted<Administer>,
    group: &GroupId,
    edit: &MembersEdit,
) -> Result<Plan, ScimError> {
    let mut plan = Plan::default();
    for (id, is_member) in &edit.is_member {
        if *is_member { plan.added.push(id.clone()) } else { plan.removed.push(id.clone()) }
    }
    if edit.replaces_all {
        let present = direct_members(app, &granted.to_read(), group).await?;
        plan.removed = present.iter().filter(|id| edit.is_member.get(id) != Some(&true)).cloned().collect();
        plan.added.retain(|id| !present.contains(id));
    }
    Ok(plan)
}

async fn direct_members(
    app: &App,
    granted: &Granted<Read>,
    group: &GroupId,
) -> Result<BTreeSet<PrincipalId>, ScimError> {
    let accounts = accounts(app, granted, group).await?;
    let nested = nested_groups(app, granted, group).await?;
    let accounts = accounts.into_iter().map(|account| PrincipalId::Account(account.id));
    Ok(accounts.chain(nested.into_iter().map(|group| PrincipalId::Group(group.id))).collect())
}

/// Returns the accounts that are direct members, in pages of up to 10,000.
pub(crate) async fn accounts(app: &App, granted: &Granted<Read>, group: &GroupId) -> Result<Vec<Account>, ScimError> {
    let filter = &MemberFilter { membership_type: Some(MembershipType::Direct), ..MemberFilter::default() };
    let members = all_pages(async |after| {
        let list = app.store.list_members(granted, group, filter, Limit::MAX_MEMBERS, after.as_ref());
        list.await.map(|(page, _)| page)
    });
    Ok(members.await?.into_iter().map(|member| member.account).collect())
}

/// Returns the groups nested directly in a group.
pub(crate) async fn nested_groups(
    app: &App,
    granted: &Granted<Read>,
    group: &GroupId,
) -> Result<Vec<Group>, ScimError> {
    let groups =
        all_pages(async |after| app.store.list_nested_groups(granted, group, Limit::MAX_GROUPS, after.as_ref()).await);
    Ok(groups.await?)
}

/// Nests a group, or removes it. Neither is an error where it is so already.
async fn nest(
    app: &App,
    granted: &Granted<Administer>,
    parent: &GroupId,
    child: &GroupId,
    is_added: bool,
    precondition: &Precondition,
) -> Result<(), ScimError> {
    let now = app.clock.now();
    if is_added {
        let nested = app.store.nest_group(granted, parent, child, precondition, now).await?;
        app.settle(granted, nested).await;
        return Ok(());
    }
    match app.store.unnest_group(granted, parent, child, precondition, now).await {
        Err(Error::Missing(Missing::Nesting)) => {}
        removed => drop(app.settle(granted, removed?).await),
    }
    Ok(())
}

fn unknown(ids: impl IntoIterator<Item = String>) -> ScimError {
    /// As many as a person reads.
    const SHOWN: usize = 10;
    let ids: Vec<String> = ids.into_iter().collect();
    let rest = if ids.len() > SHOWN { format!(" and {} more", ids.len() - SHOWN) } else { String::new() };
    let ids = ids.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    ScimError::bad_request(
        "invalidValue",
        format!("members must be users or groups that exist; these do not: {ids}{rest}"),
    )
}
