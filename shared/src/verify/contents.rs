//! All rows of the table, and the contradictions between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::violation::InvariantViolation;
use crate::domain::{AccountId, Edge, EdgeId, GroupId, Job, JobKind, Membership, Timestamp};
use crate::store::{
    COUNT_SHARDS, CountShard, DueMembership, GroupCounts, RowsDigest, ScannedAccount, ScannedGroup, ScannedMember,
    ScannedRow, ShardCounts,
};

/// All rows, by type.
#[derive(Debug, Default)]
pub(super) struct TableContents {
    groups: BTreeMap<GroupId, ScannedGroup>,
    members: BTreeMap<(GroupId, AccountId), ScannedMember>,
    /// The count shards, each with its revision.
    shards: BTreeMap<CountShard, (ShardCounts, i64)>,
    /// The count shards with the guard's mark, by group.
    marked_shards: BTreeMap<GroupId, usize>,
    /// The sums of the shards' revisions.
    revisions: BTreeMap<GroupId, i64>,
    /// Edges in the parents' partitions, and in the children's.
    children: BTreeSet<Edge>,
    parents: BTreeSet<Edge>,
    accounts: HashMap<AccountId, ScannedAccount>,
    mirrors: BTreeMap<(GroupId, AccountId), bool>,
    /// Current memberships, by their audit records.
    audit_records: BTreeMap<(GroupId, AccountId), Membership>,
    /// When scheduled memberships start.
    schedules: BTreeMap<(GroupId, AccountId), Timestamp>,
    /// When direct memberships end, as noted for their accounts.
    ends: BTreeMap<(GroupId, AccountId), Timestamp>,
    /// From when on the sweep first looks at memberships.
    due: BTreeMap<(GroupId, AccountId), Timestamp>,
    /// The list entries and the search rows.
    names: BTreeMap<GroupId, RowsDigest>,
    /// The rows by which accounts are listed and found.
    account_texts: BTreeMap<AccountId, RowsDigest>,
    jobs: Vec<Job>,
    first_design_groups: BTreeSet<GroupId>,
    first_design_jobs: Vec<JobKind>,
    unreadable: Vec<String>,
}

impl TableContents {
    pub(super) fn of(rows: Vec<ScannedRow>) -> Self {
        let mut contents = Self::default();
        for row in rows {
            match row {
                ScannedRow::Group(id, group) => drop(contents.groups.insert(id, group)),
                ScannedRow::Member(group, account, member) => drop(contents.members.insert((group, account), member)),
                ScannedRow::Count(shard, counts, revision, has_mark) => {
                    *contents.marked_shards.entry(shard.group).or_default() += usize::from(has_mark);
                    *contents.revisions.entry(shard.group).or_default() += revision;
                    contents.shards.insert(shard, (counts, revision));
                }
                ScannedRow::Child(edge) => drop(contents.children.insert(edge)),
                ScannedRow::Parent(edge) => drop(contents.parents.insert(edge)),
                ScannedRow::Account(id, account) => drop(contents.accounts.insert(id, account)),
                ScannedRow::Mirror(account, group, direct) => drop(contents.mirrors.insert((group, account), direct)),
                ScannedRow::AuditRecord(group, account, Some(membership)) => {
                    contents.audit_records.insert((group, account), membership);
                }
                ScannedRow::AuditRecord(_, _, None) => {}
                ScannedRow::Schedule(group, account, at) => drop(contents.schedules.insert((group, account), at)),
                ScannedRow::End(group, account, at) => drop(contents.ends.insert((group, account), at)),
                ScannedRow::Due(DueMembership { at, group, account }) => {
                    let first = contents.due.entry((group, account)).or_insert(at);
                    *first = at.min(*first);
                }
                ScannedRow::Name(group, row) => *contents.names.entry(group).or_default() += row,
                ScannedRow::AccountText(id, row) => *contents.account_texts.entry(id).or_default() += row,
                ScannedRow::Job(job) => contents.jobs.push(job),
                ScannedRow::FirstDesignGroup(group) => drop(contents.first_design_groups.insert(group)),
                ScannedRow::FirstDesignJob(job) => contents.first_design_jobs.push(job),
                ScannedRow::Unreadable(key) => contents.unreadable.push(key),
            }
        }
        contents
    }

    pub(super) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The contradictions, as of `now`.
    pub(super) fn violations(&self, now: Timestamp) -> Vec<InvariantViolation> {
        let mut violations: Vec<InvariantViolation> =
            self.unreadable.iter().cloned().map(InvariantViolation::Unreadable).collect();
        violations.extend(self.first_design_groups.iter().copied().map(InvariantViolation::FirstDesignGroup));
        violations.extend(self.first_design_jobs.iter().cloned().map(InvariantViolation::FirstDesignJob));
        violations.extend(self.jobs.iter().filter(|job| job.set_aside).cloned().map(InvariantViolation::SetAside));
        let an_hour_ago = Timestamp::from_unix_seconds(now.unix_seconds() - 60 * 60);
        let old = self.jobs.iter().filter(|job| !job.set_aside && job.created_at < an_hour_ago);
        violations.extend(old.cloned().map(InvariantViolation::Stalled));
        self.check_nesting(&mut violations);
        if !violations.iter().any(|violation| matches!(violation, InvariantViolation::Cycle(_))) {
            self.check_members(&mut violations);
        }
        self.check_rows(&mut violations);
        self.check_shards(&mut violations);
        self.check_counts(&mut violations);
        self.check_names(&mut violations);
        self.check_audit_records(&mut violations);
        self.check_guards(&mut violations);
        self.check_ends(&mut violations);
        violations
    }

    /// Invariant 10.
    fn check_ends(&self, violations: &mut Vec<InvariantViolation>) {
        let of_group = |(place, member): (&(GroupId, AccountId), &ScannedMember)| {
            let at = member.expires_at.filter(|_| self.is_active(&place.0))?;
            Some((place.clone(), at))
        };
        let ends: Vec<_> = self.members.iter().filter_map(of_group).collect();
        let is_in_time = |place, at: Timestamp| self.due.get(place).is_some_and(|due| *due <= at);
        let unnoted = ends.iter().filter(|(place, at)| self.ends.get(place) != Some(at) || !is_in_time(place, *at));
        let schedules = self.schedules.iter().filter(|((group, _), _)| self.is_active(group));
        let forgotten = schedules.filter(|(place, at)| !is_in_time(*place, **at)).map(|(place, _)| place);
        let all: BTreeSet<_> = unnoted.map(|(place, _)| place).chain(forgotten).cloned().collect();
        violations.extend(all.into_iter().map(|(group, account)| InvariantViolation::NotDue(group, account)));
    }

    /// Invariant 9.
    fn check_guards(&self, violations: &mut Vec<InvariantViolation>) {
        let privileged = self.groups.iter().filter(|(_, group)| group.is_privileged).map(|(id, _)| *id);
        let mut open: Vec<GroupId> = privileged.collect();
        let mut below = BTreeSet::new();
        while let Some(group) = open.pop() {
            open.extend(self.children_of(group).filter(|child| below.insert(*child)));
        }
        let is_marked = |id: &GroupId| {
            let shards = self.marked_shards.get(id).copied().unwrap_or_default();
            self.groups.get(id).is_none_or(|group| group.has_mark && shards == COUNT_SHARDS)
        };
        violations.extend(below.into_iter().filter(|id| !is_marked(id)).map(InvariantViolation::Unguarded));
    }

    /// Invariant 8.
    fn check_audit_records(&self, violations: &mut Vec<InvariantViolation>) {
        let of_groups = self.members.iter().filter(|((group, _), _)| self.groups.contains_key(group));
        let wrong = of_groups.filter(|(place, member)| {
            self.audit_records.get(*place) != Some(&member.membership).filter(|it| it.is_member())
        });
        violations.extend(wrong.map(|((group, account), _)| InvariantViolation::AuditRecord(*group, account.clone())));
        let without = self.audit_records.keys().filter(|place| !self.members.contains_key(*place));
        violations.extend(without.map(|(group, account)| InvariantViolation::AuditRecord(*group, account.clone())));
    }

    /// Invariant 7.
    fn check_names(&self, violations: &mut Vec<InvariantViolation>) {
        let active = self.groups.iter().filter(|(_, group)| group.is_active);
        let wrong = active.filter(|(id, group)| group.name != self.names.get(id).copied());
        violations.extend(wrong.map(|(id, _)| InvariantViolation::Name(*id)));
        // The job of a group that is being deleted removes its rows.
        let orphans = self.names.keys().filter(|id| !self.groups.contains_key(id));
        violations.extend(orphans.map(|id| InvariantViolation::Name(*id)));
        let stored = |id: &AccountId| self.account_texts.get(id).copied().unwrap_or_default();
        let wrong = self.accounts.iter().filter(|(id, account)| account.texts != stored(id)).map(|(id, _)| id);
        let orphans = self.account_texts.keys().filter(|id| !self.accounts.contains_key(id));
        let ids: BTreeSet<&AccountId> = wrong.chain(orphans).collect();
        violations.extend(ids.into_iter().cloned().map(InvariantViolation::AccountTexts));
    }

    fn is_active(&self, group: &GroupId) -> bool {
        self.groups.get(group).is_some_and(|group| group.is_active)
    }

    /// Invariant 5, and that both groups of an edge have it.
    fn check_nesting(&self, violations: &mut Vec<InvariantViolation>) {
        violations.extend(self.children.symmetric_difference(&self.parents).copied().map(InvariantViolation::HalfEdge));
        let is_there = |group: &GroupId| self.groups.contains_key(group);
        let whole = self.children.intersection(&self.parents);
        let orphans = whole.filter(|edge| !is_there(&edge.parent) || !is_there(&edge.child()));
        violations.extend(orphans.copied().map(InvariantViolation::OrphanedEdge));
        let deleting = self.groups.iter().filter(|(_, group)| !group.is_active).map(|(id, _)| *id);
        let waiting =
            |group: &GroupId| self.jobs.iter().any(|job| matches!(&job.kind, JobKind::DeleteGroup(id) if id == group));
        violations.extend(deleting.filter(|group| !waiting(group)).map(InvariantViolation::StuckDeletion));
        // Removes the groups without children, again and again: the groups left are in cycles.
        let mut left: BTreeMap<GroupId, BTreeSet<GroupId>> = BTreeMap::new();
        for edge in &self.children {
            left.entry(edge.parent).or_default().insert(edge.child());
        }
        loop {
            let is_leaf = |children: &BTreeSet<GroupId>| children.iter().all(|child| !left.contains_key(child));
            let leaves: Vec<GroupId> = left.iter().filter(|(_, it)| is_leaf(it)).map(|(group, _)| *group).collect();
            if leaves.is_empty() {
                break;
            }
            leaves.iter().for_each(|leaf| drop(left.remove(leaf)));
        }
        if !left.is_empty() {
            violations.push(InvariantViolation::Cycle(left.into_keys().collect()));
        }
    }

    /// Invariant 1, from direct members and edges alone; and 4.
    fn check_members(&self, violations: &mut Vec<InvariantViolation>) {
        let mut closures: HashMap<GroupId, BTreeSet<&AccountId>> = HashMap::new();
        let mut direct: HashMap<GroupId, Vec<&AccountId>> = HashMap::new();
        for ((group, account), member) in &self.members {
            if member.membership.direct && self.is_active(group) {
                direct.entry(*group).or_default().push(account);
            }
        }
        for (group, fact) in &self.groups {
            self.close(*group, &direct, &mut closures);
            let closure = closures.get(group).map_or_else(BTreeSet::new, Clone::clone);
            let rows = self.members_of(group).map(|(account, _)| account);
            let rows: BTreeSet<&AccountId> = rows.collect();
            if fact.is_active {
                let wrong = closure.symmetric_difference(&rows);
                violations.extend(wrong.map(|id| InvariantViolation::Membership {
                    group: *group,
                    account: (*id).clone(),
                    stored: rows.contains(id),
                }));
            }
        }
        self.check_via(violations);
    }

    fn members_of(&self, group: &GroupId) -> impl Iterator<Item = (&AccountId, &ScannedMember)> {
        let first = AccountId::parse("!");
        let range = first.map(|first| self.members.range((*group, first)..));
        let group = *group;
        let rows = range.into_iter().flatten().take_while(move |((of, _), _)| *of == group);
        rows.map(|((_, account), member)| (account, member))
    }

    fn close<'a>(
        &'a self,
        group: GroupId,
        direct: &HashMap<GroupId, Vec<&'a AccountId>>,
        closures: &mut HashMap<GroupId, BTreeSet<&'a AccountId>>,
    ) {
        // An explicit stack: nesting may be deeper than the call stack.
        let mut stack = vec![(group, false)];
        while let Some((group, children_are_closed)) = stack.pop() {
            if closures.contains_key(&group) {
                continue;
            }
            let children = self.children_of(group);
            if children_are_closed {
                let mut closure: BTreeSet<&AccountId> = direct.get(&group).into_iter().flatten().copied().collect();
                for child in children {
                    closure.extend(closures.get(&child).into_iter().flatten());
                }
                closures.insert(group, closure);
            } else {
                stack.push((group, true));
                stack.extend(children.map(|child| (child, false)));
            }
        }
    }

    fn children_of(&self, parent: GroupId) -> impl Iterator<Item = GroupId> {
        let first = Edge { parent, id: EdgeId::new(GroupId::from_bytes([0; 16]), 0) };
        self.children.range(first..).take_while(move |edge| edge.parent == parent).map(Edge::child)
    }

    fn check_via(&self, violations: &mut Vec<InvariantViolation>) {
        let mut wrong = |edge: Edge, account: &AccountId, stored: bool| {
            violations.push(InvariantViolation::Via { edge, account: account.clone(), stored });
        };
        for ((group, account), member) in self.members.iter().filter(|((group, _), _)| self.is_active(group)) {
            for id in &member.membership.via {
                let edge = Edge { parent: *group, id: *id };
                if !self.children.contains(&edge) || !self.members.contains_key(&(id.child(), account.clone())) {
                    wrong(edge, account, true);
                }
            }
        }
        for edge in self.children.iter().filter(|edge| self.is_active(&edge.parent)) {
            for (account, _) in self.members_of(&edge.child()) {
                let above = self.members.get(&(edge.parent, account.clone()));
                if above.is_none_or(|member| !member.membership.via.contains(&edge.id)) {
                    wrong(*edge, account, false);
                }
            }
        }
    }

    /// Invariants 3 and 6, and rows of groups that do not exist.
    fn check_rows(&self, violations: &mut Vec<InvariantViolation>) {
        for ((group, account), member) in &self.members {
            let place = || (*group, account.clone());
            if !self.groups.contains_key(group) {
                violations.push(InvariantViolation::Orphan(*group, account.clone()));
                continue;
            }
            if self.mirrors.get(&place()) != Some(&member.membership.direct) {
                violations.push(InvariantViolation::Mirror(*group, account.clone()));
            }
            if !member.membership.is_member() {
                violations.push(InvariantViolation::Unfounded(*group, account.clone()));
            }
            let Some(ScannedAccount { account: known, deleted_version, .. }) = self.accounts.get(account) else {
                violations.push(InvariantViolation::OfDeletedAccount(*group, account.clone()));
                continue;
            };
            let is_old =
                member.membership.direct && deleted_version.is_some_and(|deleted| deleted >= member.copies.version);
            match known {
                Some(known) if *known == member.copies => {}
                Some(_) if !is_old => violations.push(InvariantViolation::Copies(*group, account.clone())),
                _ if self.is_active(group) => {
                    violations.push(InvariantViolation::OfDeletedAccount(*group, account.clone()));
                }
                _ => {}
            }
        }
        let without_member = self.mirrors.keys().filter(|place| !self.members.contains_key(*place));
        violations.extend(without_member.map(|(group, account)| InvariantViolation::Mirror(*group, account.clone())));
    }

    /// Invariant 2, of the shards. The job of a group that is being deleted deletes its shards.
    fn check_shards(&self, violations: &mut Vec<InvariantViolation>) {
        let mut right: BTreeMap<CountShard, ShardCounts> =
            self.shards.keys().map(|shard| (*shard, ShardCounts::default())).collect();
        for ((group, _), member) in self.members.iter().filter(|((group, _), _)| self.is_active(group)) {
            let counts = right.entry(CountShard { group: *group, number: member.shard }).or_default();
            counts.members += 1;
            counts.direct_members += i64::from(member.membership.direct);
        }
        for (shard, right) in right {
            let (stored, revision) = self.shards.get(&shard).copied().unwrap_or_default();
            let group = self.groups.get(&shard.group);
            if group.is_none_or(|group| group.is_active && stored != right) {
                let has_group = group.is_some();
                violations.push(InvariantViolation::Shard { shard, revision, has_group, stored, right });
            }
        }
    }

    /// Invariant 2, of the groups' rows.
    fn check_counts(&self, violations: &mut Vec<InvariantViolation>) {
        for (group, fact) in self.groups.iter().filter(|(_, group)| group.is_active) {
            let mut right =
                GroupCounts { nested_groups: self.children_of(*group).count() as u64, ..GroupCounts::default() };
            for (_, member) in self.members_of(group) {
                right.members += 1;
                right.direct_members += u64::from(member.membership.direct);
            }
            let is_copied = fact.counted_revision == self.revisions.get(group).copied().unwrap_or_default();
            if !is_copied {
                violations.push(InvariantViolation::StaleCounts(*group));
                right = GroupCounts { nested_groups: right.nested_groups, ..fact.counts };
            }
            if right != fact.counts {
                violations.push(InvariantViolation::Counts { group: *group, stored: fact.counts, right });
            }
        }
    }
}
