//! Planned changes of member rows, in all groups that they concern. Pure.
//!
//! A plan starts from changes of direct memberships and from edges to check. It propagates to ancestors wherever a row is
//! created or deleted. It decides the final state of each row, so a row changes once, not once for each edge.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::{Account, AccountId, Actor, Edge, EdgeId, GroupId, Membership, Timestamp};
use crate::store::rows::MemberItem;

/// A member row, by its group and account.
pub(super) type MemberKey = (GroupId, AccountId);

/// An account that may inherit a membership through an edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inheritance {
    /// The edge.
    pub edge: Edge,
    /// The account.
    pub account: AccountId,
}

impl Inheritance {
    /// The member row of the child.
    pub(super) fn source(&self) -> MemberKey {
        (self.edge.child(), self.account.clone())
    }

    /// The member row of the parent.
    pub(super) fn target(&self) -> MemberKey {
        (self.edge.parent, self.account.clone())
    }
}

/// Which rows a plan propagates to the parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// None. The stream propagates.
    OneGroup,
    /// Rows that are created or deleted. The stream checks each again.
    ChangedRows,
    /// Also rows that do not change but that this plan decides completely: an earlier change may not have been propagated.
    AllLevels,
}

/// A change of a direct membership.
#[derive(Debug, Clone)]
pub(super) struct DirectChange {
    /// Whether the account is a direct member now.
    pub(super) direct: bool,
    /// For a new direct member: the account's fields to copy, and when it was added.
    pub(super) copies: Option<(Account, Timestamp)>,
    /// When the direct membership ends.
    pub(super) ends_at: Option<Timestamp>,
}

impl DirectChange {
    /// The account is no direct member any more.
    pub(super) const END: Self = Self { direct: false, copies: None, ends_at: None };

    /// The account stays a direct member.
    pub(super) fn stay(member: Option<&MemberItem>) -> Self {
        Self { direct: true, copies: None, ends_at: member.and_then(|item| item.ends_at) }
    }
}

/// A member row: as read, and as planned.
#[derive(Debug, Clone)]
pub(super) struct PlannedRow {
    pub(super) before: Option<Arc<MemberItem>>,
    pub(super) after: Membership,
    /// The account's fields and the time for a new row, or one that becomes direct.
    pub(super) copies: Option<(Account, Timestamp)>,
    /// When the direct membership ends.
    pub(super) ends_at: Option<Timestamp>,
    /// Who changes it, where the plan knows.
    pub(super) actor: Option<Actor>,
    /// Whether the plan decides the direct membership.
    pub(super) is_direct_decided: bool,
    /// The edges that the plan decides, each with whether it must find the child's row as planned. An edge that was deleted
    /// never returns and needs no condition.
    decided: BTreeMap<EdgeId, bool>,
}

impl PlannedRow {
    fn read(before: Option<Arc<MemberItem>>) -> Self {
        let after = before.as_ref().map(|item| item.membership()).unwrap_or_default();
        let (ends_at, decided) = (before.as_ref().and_then(|item| item.ends_at), BTreeMap::new());
        Self { before, after, copies: None, ends_at, actor: None, is_direct_decided: false, decided }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.is_membership_changed() || self.is_end_changed()
    }

    /// Whether more changes than when it ends.
    pub(super) fn is_membership_changed(&self) -> bool {
        let before = self.before.as_ref().map(|item| item.membership()).unwrap_or_default();
        before != self.after || (self.before.is_some() && self.copies.is_some())
    }

    /// Whether the direct membership ends at another time than before.
    pub(super) fn is_end_changed(&self) -> bool {
        self.before.as_ref().and_then(|item| item.ends_at) != self.ends_at
    }

    /// Members that the change adds: -1 to 1.
    pub(super) fn members_added(&self) -> i64 {
        i64::from(self.after.is_member()) - i64::from(self.before.is_some())
    }

    /// Direct members that the change adds: -1 to 1.
    pub(super) fn direct_members_added(&self) -> i64 {
        i64::from(self.after.direct) - i64::from(self.before.as_ref().is_some_and(|item| item.direct))
    }

    /// When the membership began, if the account is a member or was one before.
    pub(super) fn added_at(&self) -> Option<Timestamp> {
        let planned = self.copies.as_ref().map(|(_, added_at)| *added_at);
        planned.or_else(|| self.before.as_ref().map(|item| item.added_at))
    }

    /// Whether the account is added to the group itself.
    pub(super) fn becomes_direct(&self) -> bool {
        self.is_direct_decided && self.after.direct && self.copies.is_some()
    }

    /// Whether the plan decides the row, changed or not.
    fn is_decided(&self) -> bool {
        self.is_direct_decided || !self.decided.is_empty()
    }

    fn ascends(&self, reach: Reach) -> bool {
        let depends_on_plan = || {
            let direct = !self.after.direct || self.is_direct_decided;
            direct && self.after.via.iter().all(|id| self.decided.contains_key(id))
        };
        self.is_decided()
            && match reach {
                Reach::OneGroup => false,
                Reach::ChangedRows => self.members_added() != 0,
                Reach::AllLevels => self.members_added() != 0 || depends_on_plan(),
            }
    }

    /// The children whose member rows this change depends on.
    fn sources(&self) -> impl Iterator<Item = GroupId> {
        let before = self.before.as_ref().map(|item| item.via.clone()).unwrap_or_default();
        let changed = move |id: &EdgeId| before.contains(id) != self.after.via.contains(id);
        let conditional = self.decided.iter().filter(|(_, condition)| **condition).map(|(id, _)| id);
        conditional.filter(move |id| changed(id)).map(EdgeId::child)
    }

    fn decide(&mut self, edge: EdgeId, source: &Source, now: Timestamp) {
        self.decided.insert(edge, source.has_edge);
        let is_held = source.has_edge && source.account.is_some();
        if is_held == self.after.via.contains(&edge) {
            return;
        }
        self.actor.clone_from(&source.actor);
        if is_held {
            self.after.via.insert(edge);
            if self.before.is_none() && self.copies.is_none() {
                self.copies = source.account.clone().map(|account| (account, now));
            }
        } else {
            self.after.via.remove(&edge);
        }
    }

    /// The account's fields, when it is a member.
    fn account(&self, id: &AccountId) -> Option<Account> {
        let copied = self.copies.as_ref().map(|(account, _)| account.clone());
        let account = copied.or_else(|| Some(MemberItem::clone(self.before.as_ref()?).member(id.clone()).account));
        account.filter(|_| self.after.is_member())
    }
}

/// A child's row, for its parent's.
struct Source {
    has_edge: bool,
    /// The account's fields, when it is a member of the child.
    account: Option<Account>,
    /// Who made the change that the parent's follows from.
    actor: Option<Actor>,
}

/// Rows that a plan depends on and that were not read.
#[derive(Debug, Default)]
pub(super) struct UnreadRows {
    /// Member rows.
    pub(super) rows: BTreeSet<MemberKey>,
    /// Groups whose parents are not known.
    pub(super) groups: BTreeSet<GroupId>,
}

impl UnreadRows {
    /// Whether the plan is complete.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.groups.is_empty()
    }
}

/// Member rows and the changes planned for them.
#[derive(Debug)]
pub(super) struct MemberPlan {
    reach: Reach,
    now: Timestamp,
    /// Who makes the changes; `None` for the actor of the change that each follows from.
    actor: Option<Actor>,
    direct: BTreeMap<MemberKey, DirectChange>,
    edges: BTreeMap<MemberKey, BTreeSet<Edge>>,
    actors: HashMap<Inheritance, Actor>,
    read: BTreeMap<MemberKey, Option<Arc<MemberItem>>>,
    parents: HashMap<GroupId, Vec<Edge>>,
    rows: BTreeMap<MemberKey, PlannedRow>,
    levels: HashMap<GroupId, usize>,
}

impl MemberPlan {
    /// A plan without changes.
    pub(super) fn new(reach: Reach, actor: Option<&Actor>, now: Timestamp) -> Self {
        Self {
            reach,
            now,
            actor: actor.cloned(),
            direct: BTreeMap::new(),
            edges: BTreeMap::new(),
            actors: HashMap::new(),
            read: BTreeMap::new(),
            parents: HashMap::new(),
            rows: BTreeMap::new(),
            levels: HashMap::new(),
        }
    }

    /// Adds a member row as read.
    pub(super) fn add_row(&mut self, place: MemberKey, row: Option<MemberItem>) {
        self.read.insert(place, row.map(Arc::new));
    }

    /// Adds the edges from a group to its parents, as read.
    pub(super) fn add_parents(&mut self, group: GroupId, parents: Vec<Edge>) {
        self.parents.insert(group, parents);
    }

    /// Plans a change of a direct membership.
    pub(super) fn change_direct(&mut self, place: MemberKey, change: DirectChange) {
        self.direct.insert(place, change);
    }

    /// Plans that the parent's row agrees with the edge and the child's row.
    pub(super) fn check_edge(&mut self, inheritance: &Inheritance) {
        self.edges.entry(inheritance.source()).or_default().insert(inheritance.edge);
    }

    /// Sets who made the change that an inheritance follows from.
    pub(super) fn set_actor(&mut self, inheritance: Inheritance, actor: Actor) {
        self.actors.insert(inheritance, actor);
    }

    /// Plans all rows that were read. Returns those that the plan also depends on. The parents of a missing row's group are read with
    /// it: the row may be propagated in turn.
    pub(super) fn evaluate(&mut self) -> UnreadRows {
        self.rows = self.read.iter().map(|(place, row)| (place.clone(), PlannedRow::read(row.clone()))).collect();
        for (place, change) in &self.direct {
            if let Some(row) = self.rows.get_mut(place) {
                row.after.direct = change.direct;
                row.copies.clone_from(&change.copies);
                row.ends_at = change.ends_at;
                row.actor.clone_from(&self.actor);
                row.is_direct_decided = true;
            }
        }
        let mut missing = UnreadRows::default();
        for place in self.places_upwards() {
            let Some(source) = self.rows.get(&place).cloned() else { continue };
            let parents = self.parents.get(&place.0).cloned().unwrap_or_default();
            let mut edges = self.edges.get(&place).cloned().unwrap_or_default();
            if source.ascends(self.reach) {
                edges.extend(&parents);
                missing.groups.insert(place.0);
            }
            for edge in edges {
                let inheritance = Inheritance { edge, account: place.1.clone() };
                // A row that does not change has no actor in this plan.
                let cause = || self.actor.clone().or_else(|| self.actors.get(&inheritance).cloned());
                let actor = if source.is_changed() { source.actor.clone() } else { cause() };
                let source = Source { has_edge: parents.contains(&edge), account: source.account(&place.1), actor };
                match self.rows.get_mut(&inheritance.target()) {
                    Some(target) => target.decide(edge.id, &source, self.now),
                    None => {
                        missing.groups.insert(edge.parent);
                        missing.rows.insert(inheritance.target());
                    }
                }
            }
        }
        missing.groups.retain(|group| !self.parents.contains_key(group));
        missing
    }

    /// The places of rows, those of children before those of their parents.
    fn places_upwards(&mut self) -> Vec<MemberKey> {
        let groups: BTreeSet<GroupId> = self.rows.keys().map(|(group, _)| *group).collect();
        let checked = self.edges.values().flatten();
        let edges: BTreeSet<Edge> = self.parents.values().flatten().chain(checked).copied().collect();
        self.levels = groups.iter().map(|group| (*group, 0)).collect();
        // Rows read at different times may show a cycle: its levels end at the number of groups.
        for _ in 0..groups.len() {
            let mut is_final = true;
            for edge in &edges {
                let Some(below) = self.levels.get(&edge.child()).copied() else { continue };
                if let Some(level) = self.levels.get_mut(&edge.parent).filter(|level| **level <= below) {
                    *level = below + 1;
                    is_final = false;
                }
            }
            if is_final {
                break;
            }
        }
        let mut places: Vec<MemberKey> = self.rows.keys().cloned().collect();
        places.sort_by_key(|(group, _)| self.levels[group]);
        places
    }

    /// The rows of each account that change, in the order of the levels; and those among them that the plan found right, for a
    /// condition: another change may be about to make them wrong.
    pub(super) fn changes(&self) -> BTreeMap<&AccountId, Vec<(&GroupId, &PlannedRow)>> {
        let mut changes: BTreeMap<&AccountId, Vec<(&GroupId, &PlannedRow)>> = BTreeMap::new();
        for ((group, account), row) in self.rows.iter().filter(|(_, row)| row.is_decided()) {
            changes.entry(account).or_default().push((group, row));
        }
        changes.retain(|_, rows| rows.iter().any(|(_, row)| row.is_changed()));
        for rows in changes.values_mut() {
            rows.sort_by_key(|(group, _)| self.levels[*group]);
        }
        changes
    }

    /// The checked inheritances whose rows change and whose actors are not known.
    pub(super) fn without_actor(&self) -> Vec<Inheritance> {
        let changed = |it: &Inheritance| {
            let target = self.rows.get(&it.target());
            self.actor.is_none()
                && target
                    .is_some_and(|row| row.actor.is_none() && row.decided.contains_key(&it.edge.id) && row.is_changed())
        };
        let edges = self.edges.iter().flat_map(|((_, account), edges)| {
            edges.iter().map(|edge| Inheritance { edge: *edge, account: account.clone() })
        });
        edges.filter(changed).collect()
    }

    /// Whether the account is a member, as read.
    pub(super) fn is_member(&self, place: &MemberKey) -> bool {
        self.read.get(place).is_some_and(Option::is_some)
    }

    /// Whether the edge exists, as read.
    pub(super) fn has_edge(&self, edge: &Edge) -> bool {
        self.parents.get(&edge.child()).is_some_and(|parents| parents.contains(edge))
    }

    /// The ancestors of a group, as far as they were read.
    pub(super) fn ancestors_of(&self, group: &GroupId) -> Vec<GroupId> {
        let mut ancestors = Vec::new();
        let mut open = vec![*group];
        while let Some(group) = open.pop() {
            for edge in self.parents.get(&group).into_iter().flatten() {
                if !ancestors.contains(&edge.parent) {
                    ancestors.push(edge.parent);
                    open.push(edge.parent);
                }
            }
        }
        ancestors
    }

    /// The children's rows that a change depends on, each with whether it exists as planned.
    pub(super) fn sources<'a>(
        &'a self,
        account: &'a AccountId,
        row: &'a PlannedRow,
    ) -> impl Iterator<Item = (MemberKey, bool)> + 'a {
        row.sources().map(move |child| {
            let place = (child, account.clone());
            let exists = self.rows.get(&place).is_some_and(|row| row.after.is_member());
            (place, exists)
        })
    }
}
