//! Previews: the plan of a change, as it would be committed, read for its effects instead.

use super::audit::{ChangeContext, ChangeOrigin};
use super::change::CHANGES_TOGETHER;
use super::plan::{Inheritance, MemberPlan, Reach};
use crate::authz::{Administer, Granted, ManageMembers};
use crate::domain::preview::{COUNTED_ACCOUNTS, Preview};
use crate::domain::{
    AccountId, AddOutcome, ChangeOutcome, Edge, Error, GroupId, MemberChange, Missing, Precondition, RemoveOutcome,
    Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Key, Range};
use crate::store::rows::{MemberItem, from_row};
use crate::store::table::{Attempt, ConflictLimit, QuerySpec};

/// Accounts whose memberships above are planned together.
const ACCOUNTS_TOGETHER: usize = 1_000;

/// An edge that would be added or removed, with the parents that its child would then have.
struct Rewiring {
    child: GroupId,
    edges: Vec<Edge>,
    parents: Vec<Edge>,
    /// Whether the child itself would lose its members.
    is_deletion: bool,
}

impl Store {
    /// Previews [`Store::add_member`] and [`Store::remove_member`]. The reads of that change, and one `BatchGetItem` for the names of the
    /// groups.
    ///
    /// # Errors
    /// Those of the change; [`Missing::Account`], [`Missing::Member`] or [`Error::OnlyIndirect`] where it would change nothing.
    pub async fn preview_member(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        change: MemberChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Preview, Error> {
        let starts_later = matches!(&change, MemberChange::Add(_, validity) if validity.starts_at.is_some());
        let require_effect = |account: &AccountId, outcome: &ChangeOutcome| match outcome {
            ChangeOutcome::Add(AddOutcome::AlreadyMember(_)) if starts_later => Err(Error::HasStarted),
            outcome => require_effect(account, outcome),
        };
        self.preview_changes(granted, group, &[change], precondition, now, require_effect).await
    }

    /// Previews [`Store::change_members`]. The reads of that change for each hundred accounts, and one `BatchGetItem` for the names.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn preview_members(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        changes: &[MemberChange],
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Preview, Error> {
        self.require_new_only(group, precondition).await?;
        self.preview_changes(granted, group, changes, precondition, now, |_, _| Ok(())).await
    }

    async fn preview_changes(
        &self,
        granted: &Granted<ManageMembers>,
        group: &GroupId,
        changes: &[MemberChange],
        precondition: &Precondition,
        now: Timestamp,
        check: impl Fn(&AccountId, &ChangeOutcome) -> Result<(), Error>,
    ) -> Result<Preview, Error> {
        self.require_state(group, precondition).await?;
        let (actor, may_change_guarded) = (granted.actor(), granted.may_change_guarded());
        let context = &ChangeContext { actor, now, origin: ChangeOrigin::AdminRequest, may_change_guarded };
        let mut preview = Preview { is_complete: true, ..Preview::default() };
        let changes: Vec<(usize, &MemberChange)> = changes.iter().enumerate().collect();
        for some in changes.chunks(CHANGES_TOGETHER).chain(changes.is_empty().then_some([].as_slice())) {
            let planned = self.table.retry_on_conflict(ConflictLimit::MEMBERSHIP, || async {
                let planned = self.plan_changes(group, some.to_vec(), precondition, context).await?;
                Ok(planned.map_or(Attempt::Conflict, Attempt::Done))
            });
            let planned = planned.await?;
            planned.outcomes().try_for_each(|(account, outcome)| check(account, outcome))?;
            add_effects(&mut preview, &planned.plan);
        }
        self.name_groups(preview).await
    }

    /// Previews [`Store::nest_group`]. The reads of that change, then a `Query` for each megabyte of the child's members and a
    /// `BatchGetItem` for each hundred of their rows in the groups above.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn preview_nesting(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Preview, Error> {
        let edge = self.plan_edge(granted, parent, child, precondition, now).await?;
        let parents = self.parents(child).await?;
        let edges: Vec<Edge> = Some(edge).filter(|edge| !parents.contains(edge)).into_iter().collect();
        let parents = parents.into_iter().chain(edges.iter().copied()).collect();
        self.preview_rewiring(Rewiring { child: *child, edges, parents, is_deletion: false }, now).await
    }

    /// Previews [`Store::unnest_group`], by the same reads as [`Store::preview_nesting`].
    ///
    /// # Errors
    /// Those of the change.
    pub async fn preview_unnesting(
        &self,
        granted: &Granted<Administer>,
        parent: &GroupId,
        child: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Preview, Error> {
        let edge = self.edge_to_remove(granted, parent, child, precondition, now).await?;
        let mut parents = self.parents(child).await?;
        parents.retain(|it| *it != edge);
        self.preview_rewiring(Rewiring { child: *child, edges: vec![edge], parents, is_deletion: false }, now).await
    }

    /// Previews [`Store::delete_group`], by the same reads as [`Store::preview_nesting`].
    ///
    /// # Errors
    /// Those of the change.
    pub async fn preview_deletion(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Preview, Error> {
        self.require_deletable(granted, group, precondition, now).await?;
        let edges = self.parents(group).await?;
        self.preview_rewiring(Rewiring { child: *group, edges, parents: Vec::new(), is_deletion: true }, now).await
    }

    async fn preview_rewiring(&self, rewiring: Rewiring, now: Timestamp) -> Result<Preview, Error> {
        let mut preview = Preview::default();
        let (members, is_complete) = self.counted_members(&rewiring.child).await?;
        preview.is_complete = is_complete;
        for some in members.chunks(ACCOUNTS_TOGETHER) {
            let mut plan = MemberPlan::new(Reach::ChangedRows, None, now);
            plan.add_parents(rewiring.child, rewiring.parents.clone());
            for (account, row) in some {
                plan.add_row((rewiring.child, account.clone()), Some(row.clone()));
                for edge in &rewiring.edges {
                    plan.check_edge(&Inheritance { edge: *edge, account: account.clone() });
                }
            }
            self.read_ancestors_of(&mut plan).await?;
            add_effects(&mut preview, &plan);
        }
        if rewiring.is_deletion && !members.is_empty() {
            let losses = &mut preview.groups.entry(rewiring.child).or_default().losses;
            members.iter().for_each(|(account, _)| losses.add(account));
            preview.removals = members.len() as u64;
        }
        self.name_groups(preview).await
    }

    /// The first members of a group, and whether they are all.
    async fn counted_members(&self, group: &GroupId) -> Result<(Vec<(AccountId, MemberItem)>, bool), Error> {
        let range = Range::Members(*group);
        let (mut members, mut after) = (Vec::new(), None);
        // One more shows whether there are more.
        while members.len() <= COUNTED_ACCOUNTS {
            let wanted = Some(COUNTED_ACCOUNTS + 1 - members.len());
            let (rows, last) = self.table.query_page(QuerySpec { after, wanted, ..QuerySpec::all(&range) }).await?;
            for row in rows {
                let (key, item): (Key, MemberItem) = from_row(row)?;
                members.extend(key.as_member().map(|(_, account)| (account, item)));
            }
            after = last;
            if after.is_none() {
                return Ok((members, true));
            }
        }
        members.truncate(COUNTED_ACCOUNTS);
        Ok((members, false))
    }

    async fn name_groups(&self, mut preview: Preview) -> Result<Preview, Error> {
        for (id, group) in self.find_groups(preview.groups.keys().copied()).await? {
            if let Some(of_group) = preview.groups.get_mut(&id) {
                (of_group.name, of_group.is_privileged) = (Some(group.profile.name), group.profile.is_privileged);
            }
        }
        Ok(preview)
    }
}

/// Adds the effects of a plan on accounts that no earlier plan has.
fn add_effects(preview: &mut Preview, plan: &MemberPlan) {
    for (account, rows) in plan.changes() {
        let mut is_removal = false;
        for (group, row) in rows.into_iter().filter(|(_, row)| row.members_added() != 0) {
            let effects = preview.groups.entry(*group).or_default();
            if row.members_added() > 0 {
                effects.gains.add(account);
            } else {
                effects.losses.add(account);
                is_removal = true;
            }
        }
        preview.removals += u64::from(is_removal);
    }
}

/// Requires that the change of a single member would not be refused.
fn require_effect(account: &AccountId, outcome: &ChangeOutcome) -> Result<(), Error> {
    match outcome {
        ChangeOutcome::Add(AddOutcome::UnknownAccount) => Err(Missing::Account(account.to_string()).into()),
        ChangeOutcome::Remove(RemoveOutcome::NotMember) => Err(Missing::Member.into()),
        ChangeOutcome::Remove(RemoveOutcome::OnlyIndirect(groups)) => Err(Error::OnlyIndirect(groups.clone())),
        _ => Ok(()),
    }
}
