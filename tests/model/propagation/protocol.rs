//! The steps of the protocol: its transactions, and the work that results from them.
//!
//! A step returns `None` while a transaction in flight locks an item that it needs. It is retried later.

use super::model::{Defect, Operation, Propagation, Shown};
use super::state::{Edge, Life, Reading, Row, State, Work};
use crate::model::items::Group;

pub(super) struct Step<'a> {
    pub(super) model: &'a Propagation,
    pub(super) state: State,
}

/// Operations of callers.
impl Step<'_> {
    /// Also returns `None` for an operation that the API would refuse.
    pub(super) fn operate(&mut self, operation: Operation) -> Option<()> {
        match operation {
            Operation::Add(group) => self.add(group),
            Operation::Remove(group) => self.state.rows[group].visible.direct.then(|| self.remove(group))?,
            Operation::Nest(parent, child) => self.nest(parent, child),
            Operation::Unnest(parent, child) => {
                let id = self.state.children[parent][child].visible?;
                self.unnest(Edge { parent, child, id }, true)
            }
            Operation::DeleteGroup(group) => {
                self.state.is_active(group).then(|| self.state.groups[group] = Life::Deleting)?;
                self.state.push(Work::DeleteGroup(group));
                Some(())
            }
            Operation::DeleteAccount => {
                let job = [Work::DeleteAccount, Work::MarkAccount].iter().any(|work| self.state.work.contains(work));
                let asked = self.state.account_deleted || job;
                (!asked).then(|| self.state.account_deleted = !self.is(Defect::AccountMarkedAfterListing))?;
                self.state.push(Work::DeleteAccount);
                Some(())
            }
        }
    }

    /// Rule 1. Leaves out the read before the transaction, which repeats it as conditions.
    fn add(&mut self, group: Group) -> Option<()> {
        let row = self.state.rows[group].unlocked()?;
        self.state.mirrors[group].unlocked()?;
        let allowed = self.state.is_active(group) && !self.state.account_deleted && !row.direct;
        allowed.then(|| self.write_direct(group, row, true))
    }

    /// Rule 1 for a removal. In a deleted group it leaves the row to the purge.
    fn remove(&mut self, group: Group) -> Option<()> {
        let row = self.state.rows[group].unlocked()?;
        self.state.mirrors[group].unlocked()?;
        if self.state.is_active(group) && row.direct {
            self.write_direct(group, row, false);
        }
        Some(())
    }

    /// Rule 2. The other model shows that the commit refuses cycles.
    fn nest(&mut self, parent: Group, child: Group) -> Option<()> {
        let free = self.state.children[parent][child].unlocked()?.is_none();
        let mut parents = self.state.nests[child].unlocked()?;
        let living = self.state.is_active(parent) && self.state.is_active(child);
        (free && living && !self.state.reaches(child, parent)).then_some(())?;
        self.state.last_edge += 1;
        let id = self.state.last_edge;
        parents[parent] = Some(id);
        self.state.children[parent][child].decided = Some(Some(id));
        self.state.nests[child].decided = Some(parents);
        self.state.push(Work::Backfill(Edge { parent, child, id }));
        Some(())
    }

    /// Does nothing if the edge no longer exists.
    fn unnest(&mut self, edge: Edge, sweep: bool) -> Option<()> {
        let found = self.state.children[edge.parent][edge.child].unlocked()?;
        let mut parents = self.state.nests[edge.child].unlocked()?;
        if found == Some(edge.id) {
            parents[edge.parent] = None;
            self.state.children[edge.parent][edge.child].decided = Some(None);
            self.state.nests[edge.child].decided = Some(parents);
            if sweep {
                self.state.push(Work::Sweep(edge));
            }
        }
        Some(())
    }
}

/// How transactions write items, and how these become visible.
impl Step<'_> {
    fn is(&self, defect: Defect) -> bool {
        self.model.defect == Some(defect)
    }

    fn write_direct(&mut self, group: Group, row: Row, direct: bool) {
        let after = Row { direct, ..row };
        self.state.counts[group] += i8::from(after.exists()) - i8::from(row.exists());
        self.write_mirror(group, direct);
        self.state.rows[group].decided = Some(after);
    }

    /// The mirror is visible at once in models without a deletion of the account, since only that reads it.
    fn write_mirror(&mut self, group: Group, direct: bool) {
        self.state.mirrors[group].decided = Some(direct);
        if !self.model.deletes_account() {
            self.show(Shown::Mirror(group));
        }
    }

    /// Makes a decided item visible. A member's row yields a record of the stream.
    pub(super) fn show(&mut self, item: Shown) -> Option<()> {
        match item {
            Shown::Row(group) => {
                let row = &mut self.state.rows[group];
                let before = std::mem::replace(&mut row.visible, row.decided.take()?);
                self.record(group, before);
            }
            Shown::Mirror(group) => {
                let mirror = &mut self.state.mirrors[group];
                mirror.visible = mirror.decided.take()?;
            }
            Shown::Child(parent, child) => {
                let edge = &mut self.state.children[parent][child];
                edge.visible = edge.decided.take()?;
            }
            Shown::Nest(child) => {
                let nest = &mut self.state.nests[child];
                nest.visible = nest.decided.take()?;
                if !self.is(Defect::ParentsFromIndex) {
                    self.show(Shown::Index(child))?;
                }
            }
            Shown::Index(child) => self.state.index[child] = self.state.nests[child].visible,
        }
        Some(())
    }

    /// Adds the record of a member's row as separate pieces of work. Leaves out pieces without effect, which would only
    /// multiply the states.
    fn record(&mut self, group: Group, before: Row) {
        let after = self.state.rows[group].visible;
        let new = before.exists() != after.exists();
        if new {
            self.state.push(Work::Existence { group, appeared: after.exists() });
        }
        let became_direct = after.direct && !before.direct && (new || !self.is(Defect::AccountCheckedOnlyForNewRows));
        if became_direct && self.model.deletes_account() && !self.is(Defect::AccountNotChecked) {
            self.state.push(Work::Direct(group));
        }
        if let Some(edge) = self.state.gaining[group].take()
            && !self.is(Defect::GainedEdgeNotRechecked)
        {
            self.state.push(Work::Gained(edge));
        }
    }
}

/// Work.
impl Step<'_> {
    pub(super) fn perform(&mut self, work: Work) -> Option<()> {
        match work {
            Work::Existence { group, appeared } => self.existence(group, appeared),
            Work::Gained(edge) => {
                // A sweep may have read the page before the row became visible.
                if !self.is_alive(edge) {
                    self.state.push(Work::Reconcile(edge));
                }
            }
            Work::Direct(group) => {
                // A deletion after this check finds the mirror; this check finds an earlier deletion.
                if !self.is(Defect::AccountCheckedBeforeMirror) {
                    self.state.mirrors[group].unlocked()?;
                }
                if self.state.account_deleted {
                    self.state.push(Work::Remove(group));
                }
            }
            Work::Backfill(edge) => self.backfill(edge)?,
            Work::BackfillMembers(edge) => {
                if self.state.rows[edge.child].visible.exists() {
                    self.state.push(Work::Reconcile(edge));
                }
            }
            Work::Sweep(edge) => self.sweep(edge)?,
            Work::SweepMembers(edge) => {
                if self.state.rows[edge.parent].visible.via & self.model.bit(edge) != 0 {
                    self.state.push(Work::Reconcile(edge));
                }
            }
            Work::DeleteGroup(group) => self.delete_group(group)?,
            Work::DeleteRows(group) => self.delete_rows(group)?,
            Work::DeleteAccount => self.delete_account(),
            Work::MarkAccount => self.state.account_deleted = true,
            Work::Reconcile(edge) => self.reconcile(edge)?,
            Work::Write { edge, reading, counts } => self.write(edge, reading, counts)?,
            // Rule 1 reads before it writes, so it does not wait for a row that is not visible yet.
            Work::Remove(group) if self.state.rows[group].visible.direct => self.remove(group)?,
            Work::Purge(group) if self.state.rows[group].visible.exists() => self.purge(group)?,
            Work::Remove(_) | Work::Purge(_) => {}
        }
        Some(())
    }

    fn existence(&mut self, group: Group, appeared: bool) {
        if appeared && !self.state.is_active(group) && !self.is(Defect::LateRowNotPurged) {
            self.state.push(Work::Purge(group));
        }
        for parent in Group::ALL {
            if let Some(id) = self.state.index[group][parent] {
                self.state.push(Work::Reconcile(Edge { parent, child: group, id }));
            }
        }
    }

    /// Whether the edge visibly exists.
    fn is_alive(&self, edge: Edge) -> bool {
        let found = self.state.children[edge.parent][edge.child].visible;
        if self.is(Defect::SweepAcceptsAnyEdge) { found.is_some() } else { found == Some(edge.id) }
    }

    /// A transactional read of all rows that decide whether the parent's row should hold the edge.
    fn reconcile(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::ReconcileWithPlainReads) {
            self.state.children[edge.parent][edge.child].unlocked()?;
            self.state.rows[edge.child].unlocked()?;
            self.state.rows[edge.parent].unlocked()?;
        }
        let reading = match (self.is_alive(edge), self.state.rows[edge.child].visible.exists()) {
            (true, true) => Reading::Member,
            (true, false) => Reading::NoMember,
            (false, _) => Reading::NoEdge,
        };
        let before = self.state.rows[edge.parent].visible;
        let after = before.with(self.model.bit(edge), reading == Reading::Member);
        if after != before {
            self.state.push(Work::Write { edge, reading, counts: after.exists() != before.exists() });
        }
        Some(())
    }

    /// Rules 3 and 4: the transaction. If a condition fails, the edge is reconciled again.
    fn write(&mut self, edge: Edge, reading: Reading, counts: bool) -> Option<()> {
        let before = self.state.rows[edge.parent].unlocked()?;
        let after = before.with(self.model.bit(edge), reading == Reading::Member);
        let unchanged_since_read =
            counts == (after.exists() != before.exists()) || self.is(Defect::CountWithoutCondition);
        if !self.conditions_hold(edge, reading)? || !unchanged_since_read {
            self.state.push(Work::Reconcile(edge));
            return Some(());
        }
        if counts {
            self.state.counts[edge.parent] += if reading == Reading::Member { 1 } else { -1 };
        }
        if after != before {
            self.state.gaining[edge.parent] = (reading == Reading::Member).then_some(edge);
            self.state.rows[edge.parent].decided = Some(after);
        }
        Some(())
    }

    /// Checks the conditions on items other than the row itself. Waits only for items that have a condition.
    fn conditions_hold(&self, edge: Edge, reading: Reading) -> Option<bool> {
        let (checks_child, checks_edge) = match reading {
            Reading::Member => (!self.is(Defect::GainWithoutCondition), true),
            Reading::NoMember => (!self.is(Defect::LossWithoutCondition), false),
            Reading::NoEdge => (false, false),
        };
        let mut hold = true;
        if checks_edge {
            self.state.children[edge.parent][edge.child].unlocked()?;
            hold = self.is_alive(edge);
        }
        if checks_child {
            hold &= self.state.rows[edge.child].unlocked()?.exists() == (reading == Reading::Member);
        }
        Some(hold)
    }

    fn backfill(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::BackfillWithoutEdgeRows) && !self.edge_exists(edge)? {
            return Some(());
        }
        if self.state.is_active(edge.parent) && self.state.is_active(edge.child) {
            self.state.push(Work::BackfillMembers(edge));
        } else if !self.is(Defect::BackfillKeepsEdgeOfDeletedGroup) {
            self.unnest(edge, true)?;
        }
        Some(())
    }

    /// A transactional read of both rows of an edge. Only once both are visible, a record of a child's row finds the
    /// parent, and the deletion of either group finds the edge.
    fn edge_exists(&self, edge: Edge) -> Option<bool> {
        let mut exists = true;
        if !self.is(Defect::BackfillWithoutChildRow) {
            self.state.children[edge.parent][edge.child].unlocked()?;
            exists = self.is_alive(edge);
        }
        if !self.is(Defect::BackfillWithoutNestRow) {
            exists &= self.state.nests[edge.child].unlocked()?[edge.parent] == Some(edge.id);
        }
        Some(exists)
    }

    fn sweep(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::SweepWithoutEdgeRow) {
            self.state.children[edge.parent][edge.child].unlocked()?;
            if self.is_alive(edge) {
                return Some(());
            }
        }
        self.state.push(Work::SweepMembers(edge));
        Some(())
    }

    /// Removes one edge a step, until none is visible.
    fn delete_group(&mut self, group: Group) -> Option<()> {
        let upward = |parent| Some((Edge { parent, child: group, id: self.state.nests[group].visible[parent]? }, true));
        let downward =
            |child| Some((Edge { parent: group, child, id: self.state.children[group][child].visible? }, false));
        let visible = Group::ALL.into_iter().find_map(|other| upward(other).or_else(|| downward(other)));
        if let Some((edge, sweep)) = visible {
            self.state.push(Work::DeleteGroup(group));
            self.unnest(edge, sweep)
        } else {
            self.state.push(Work::DeleteRows(group));
            Some(())
        }
    }

    fn delete_rows(&mut self, group: Group) -> Option<()> {
        if self.state.rows[group].visible.exists() {
            self.state.push(Work::DeleteRows(group));
            return self.purge(group);
        }
        self.state.groups[group] = Life::Gone;
        Some(())
    }

    /// Lists the memberships by their mirrors.
    fn delete_account(&mut self) {
        for group in Group::ALL {
            if self.state.mirrors[group].visible {
                self.state.push(Work::Remove(group));
            }
        }
        if self.is(Defect::AccountMarkedAfterListing) {
            self.state.push(Work::MarkAccount);
        }
    }

    /// Neither counts nor propagates: nothing reads the count of a deleted group, and its job removes the edges.
    fn purge(&mut self, group: Group) -> Option<()> {
        self.state.rows[group].unlocked()?;
        if self.state.mirrors[group].unlocked()? {
            self.write_mirror(group, false);
        }
        self.state.rows[group].decided = Some(Row::default());
        Some(())
    }
}
