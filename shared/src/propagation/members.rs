//! Rules 3 and 4: a change of members, propagated to the groups above.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Propagation;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId};
use crate::store::{Inheritance, MemberRowChange, Reach};

/// Accounts that became members or ceased to be, by group.
type AccountsByGroup = BTreeMap<GroupId, BTreeSet<AccountId>>;

/// Changes of member rows.
#[derive(Debug, Default, Clone)]
pub(super) struct MemberChanges {
    /// Rows that were added or removed: the groups above must be reconciled.
    added_or_removed: BTreeSet<(GroupId, AccountId)>,
    /// Rows that were added or became direct: their group and account may have been deleted meanwhile.
    added_or_promoted: BTreeSet<(GroupId, AccountId)>,
    /// Edges that rows gained: they may have been deleted meanwhile.
    gained: BTreeSet<(Edge, AccountId)>,
}

impl MemberChanges {
    /// One member to reconcile, as if its row had just been added with all its edges.
    pub(super) fn of_member(group: GroupId, account: AccountId, via: &[EdgeId]) -> Self {
        let gained = via.iter().map(|id| (Edge { parent: group, id: *id }, account.clone())).collect();
        let member = BTreeSet::from([(group, account)]);
        Self { added_or_removed: member.clone(), added_or_promoted: member, gained }
    }

    /// Whether the changes have no effects.
    pub(super) fn is_empty(&self) -> bool {
        self.added_or_removed.is_empty() && self.added_or_promoted.is_empty() && self.gained.is_empty()
    }

    pub(super) fn add(&mut self, change: &MemberRowChange) {
        let MemberRowChange { group, account, before, after } = change;
        let member = || (*group, account.clone());
        if before.is_some() != after.is_some() {
            self.added_or_removed.insert(member());
        }
        let Some(after) = after else { return };
        if before.as_ref().is_none_or(|before| after.direct && !before.direct) {
            self.added_or_promoted.insert(member());
        }
        let is_new = |id: &&EdgeId| before.as_ref().is_none_or(|before| !before.via.contains(*id));
        let gained = after.via.iter().filter(is_new);
        self.gained.extend(gained.map(|id| (Edge { parent: *group, id: *id }, account.clone())));
    }
}

impl From<&MemberRowChange> for MemberChanges {
    fn from(change: &MemberRowChange) -> Self {
        let mut changes = Self::default();
        changes.add(change);
        changes
    }
}

impl Propagation<'_> {
    /// Propagates to all ancestors that accounts became members of a group or ceased to be. One `GetItem`, then the reads and
    /// transactions of `Store::reconcile_inherited`.
    ///
    /// # Errors
    /// The table did not respond. The stream finishes the rest.
    pub async fn propagate_members(&self, group: &GroupId, accounts: &[AccountId]) -> Result<(), Error> {
        let parents = HashMap::from([(*group, self.store.parents(group).await?)]);
        let changed = AccountsByGroup::from([(*group, accounts.iter().cloned().collect())]);
        self.store.reconcile_inherited(&inheritances(&changed, &parents), self.actor, self.now, Reach::AllLevels).await
    }

    /// Reconciles the ancestors of changed member rows, wherever a row is created or deleted. Each changed row has its own
    /// stream record.
    pub(super) async fn reconcile(&self, changes: &MemberChanges) -> Result<(), Error> {
        let members = changes.added_or_removed.union(&changes.added_or_promoted);
        let groups: BTreeSet<GroupId> = members.map(|(group, _)| *group).collect();
        let edges: BTreeSet<Edge> = changes.gained.iter().map(|(edge, _)| *edge).collect();
        if groups.is_empty() && edges.is_empty() {
            return Ok(());
        }
        let context = self.store.groups_and_edges(&groups, &edges).await?;

        // Members added while their group was being deleted.
        let (late, added): (BTreeSet<_>, BTreeSet<_>) = changes
            .added_or_promoted
            .iter()
            .cloned()
            .partition(|(group, _)| context.deleted_groups.contains_key(group));
        for (group, accounts) in by_group(&late) {
            // The audit record of a removed member already shows the removal.
            let accounts = self.store.remaining_members(&group, accounts).await?;
            let actor = context.deleted_groups.get(&group).and_then(Option::as_ref);
            self.store.purge_members(&group, &accounts, actor, self.now).await?;
        }
        // Rules 3 and 4. Rule 6 where an edge was deleted before the row that it added was visible.
        let mut inheritances = inheritances(&by_group(&changes.added_or_removed), &context.parents);
        let deleted = changes.gained.iter().filter(|(edge, _)| context.deleted_edges.contains(edge));
        inheritances.extend(deleted.map(|(edge, account)| Inheritance { edge: *edge, account: account.clone() }));
        self.store.reconcile_inherited(&inheritances, self.actor, self.now, Reach::ChangedRows).await?;
        // Rule 8 where an account changed before the row was visible.
        self.store.update_members(&added, self.now).await
    }
}

/// The inheritances through the edges above groups of these accounts.
fn inheritances(accounts: &AccountsByGroup, parents: &HashMap<GroupId, Vec<Edge>>) -> Vec<Inheritance> {
    let mut inheritances = Vec::new();
    for (group, accounts) in accounts {
        for edge in parents.get(group).into_iter().flatten() {
            inheritances.extend(accounts.iter().map(|account| Inheritance { edge: *edge, account: account.clone() }));
        }
    }
    inheritances
}

fn by_group(members: &BTreeSet<(GroupId, AccountId)>) -> AccountsByGroup {
    let mut groups = AccountsByGroup::new();
    for (group, account) in members {
        groups.entry(*group).or_default().insert(account.clone());
    }
    groups
}
