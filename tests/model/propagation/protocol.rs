//! What the product does: its transactions, and the work that follows from them.
//!
//! A step answers `None` when a transaction in flight holds an item that it needs: it is tried again later.

use super::model::{Defect, Operation, Propagation, Seen};
use super::state::{Edge, Life, Reading, Row, State, Work};
use crate::model::items::Group;

pub(super) struct Step<'a> {
    pub(super) model: &'a Propagation,
    pub(super) state: State,
}

/// What callers ask for.
impl Step<'_> {
    /// Also `None` for what would be refused for good.
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
                (!asked).then(|| self.state.account_deleted = !self.is(Defect::AccountMarkedLate))?;
                self.state.push(Work::DeleteAccount);
                Some(())
            }
        }
    }

    /// Rule 1. The read that precedes the transaction is left out: the transaction repeats it as conditions.
    fn add(&mut self, group: Group) -> Option<()> {
        let row = self.state.rows[group].unlocked()?;
        self.state.mirrors[group].unlocked()?;
        let allowed = self.state.is_active(group) && !self.state.account_deleted && !row.direct;
        allowed.then(|| self.write_direct(group, row, true))
    }

    /// Rule 1 the other way round. In a group that is deleted it leaves the row to the purge.
    fn remove(&mut self, group: Group) -> Option<()> {
        let row = self.state.rows[group].unlocked()?;
        self.state.mirrors[group].unlocked()?;
        if self.state.is_active(group) && row.direct {
            self.write_direct(group, row, false);
        }
        Some(())
    }

    /// Rule 2. That the commit refuses a cycle is what the other model is about.
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

    /// Nothing happens when the edge is no longer there.
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

/// How the items of a transaction are written and seen.
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

    /// Seen at once where no account is deleted: nobody else reads it.
    fn write_mirror(&mut self, group: Group, direct: bool) {
        self.state.mirrors[group].decided = Some(direct);
        if !self.model.deletes_account() {
            self.see(Seen::Mirror(group));
        }
    }

    /// A decided item comes to be seen; for a member's row the stream has a record.
    pub(super) fn see(&mut self, item: Seen) -> Option<()> {
        match item {
            Seen::Row(group) => {
                let row = &mut self.state.rows[group];
                let before = std::mem::replace(&mut row.visible, row.decided.take()?);
                self.record(group, before);
            }
            Seen::Mirror(group) => {
                let mirror = &mut self.state.mirrors[group];
                mirror.visible = mirror.decided.take()?;
            }
            Seen::Child(parent, child) => {
                let edge = &mut self.state.children[parent][child];
                edge.visible = edge.decided.take()?;
            }
            Seen::Nest(child) => {
                let nest = &mut self.state.nests[child];
                nest.visible = nest.decided.take()?;
                if !self.is(Defect::ParentsFromIndex) {
                    self.see(Seen::Index(child))?;
                }
            }
            Seen::Index(child) => self.state.index[child] = self.state.nests[child].visible,
        }
        Some(())
    }

    /// The record of a member's row, in parts that are dealt with one by one. The parts without effect are left out:
    /// they would only make more states.
    fn record(&mut self, group: Group, before: Row) {
        let after = self.state.rows[group].visible;
        let new = before.exists() != after.exists();
        if new {
            self.state.push(Work::Existence { group, appeared: after.exists() });
        }
        let became_direct = after.direct && !before.direct && (new || !self.is(Defect::OnlyNewRowsWatched));
        if became_direct && self.model.deletes_account() && !self.is(Defect::RowUnwatched) {
            self.state.push(Work::Direct(group));
        }
        if let Some(edge) = self.state.gaining[group].take()
            && !self.is(Defect::NoRecheck)
        {
            self.state.push(Work::Gained(edge));
        }
    }
}

/// Each piece of work.
impl Step<'_> {
    pub(super) fn perform(&mut self, work: Work) -> Option<()> {
        match work {
            Work::Existence { group, appeared } => self.existence(group, appeared),
            Work::Gained(edge) => {
                // A sweep that read the page before the row was seen has missed it.
                if !self.is_alive(edge) {
                    self.state.push(Work::Settle(edge));
                }
            }
            Work::Direct(group) => {
                // A deletion that comes after this look finds the mirror; one that came before is found by it.
                if !self.is(Defect::MirrorNotAwaited) {
                    self.state.mirrors[group].unlocked()?;
                }
                if self.state.account_deleted {
                    self.state.push(Work::Remove(group));
                }
            }
            Work::Backfill(edge) => self.backfill(edge)?,
            Work::BackfillMembers(edge) => {
                if self.state.rows[edge.child].visible.exists() {
                    self.state.push(Work::Settle(edge));
                }
            }
            Work::Sweep(edge) => self.sweep(edge)?,
            Work::SweepMembers(edge) => {
                if self.state.rows[edge.parent].visible.via & self.model.bit(edge) != 0 {
                    self.state.push(Work::Settle(edge));
                }
            }
            Work::DeleteGroup(group) => self.delete_group(group)?,
            Work::DeleteRows(group) => self.delete_rows(group)?,
            Work::DeleteAccount => self.delete_account(),
            Work::MarkAccount => self.state.account_deleted = true,
            Work::Settle(edge) => self.settle(edge)?,
            Work::Write { edge, reading, counts } => self.write(edge, reading, counts)?,
            // As rule 1 reads before it writes, it does not wait for a row that is yet to be seen.
            Work::Remove(group) if self.state.rows[group].visible.direct => self.remove(group)?,
            Work::Purge(group) if self.state.rows[group].visible.exists() => self.purge(group)?,
            Work::Remove(_) | Work::Purge(_) => {}
        }
        Some(())
    }

    fn existence(&mut self, group: Group, appeared: bool) {
        if appeared && !self.state.is_active(group) && !self.is(Defect::NoPurgeByRecord) {
            self.state.push(Work::Purge(group));
        }
        for parent in Group::ALL {
            if let Some(id) = self.state.index[group][parent] {
                self.state.push(Work::Settle(Edge { parent, child: group, id }));
            }
        }
    }

    /// Whether the edge is there, as far as can be seen.
    fn is_alive(&self, edge: Edge) -> bool {
        let found = self.state.children[edge.parent][edge.child].visible;
        if self.is(Defect::SweepWhereNoEdge) { found.is_some() } else { found == Some(edge.id) }
    }

    /// A transactional read of all that decides whether the parent's row holds the edge.
    fn settle(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::SettleReadsPlainly) {
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

    /// Rules 3 and 4: the transaction. When a condition fails, all is read again.
    fn write(&mut self, edge: Edge, reading: Reading, counts: bool) -> Option<()> {
        let before = self.state.rows[edge.parent].unlocked()?;
        let after = before.with(self.model.bit(edge), reading == Reading::Member);
        let as_read = counts == (after.exists() != before.exists()) || self.is(Defect::CountsAsRead);
        if !self.conditions_hold(edge, reading)? || !as_read {
            self.state.push(Work::Settle(edge));
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

    /// The conditions on other items than the row itself; an item without condition does not make it wait.
    fn conditions_hold(&self, edge: Edge, reading: Reading) -> Option<bool> {
        let (member, edge_too) = match reading {
            Reading::Member => (!self.is(Defect::GainWithoutMember), true),
            Reading::NoMember => (!self.is(Defect::LossDespiteMember), false),
            Reading::NoEdge => (false, false),
        };
        let mut hold = true;
        if edge_too {
            self.state.children[edge.parent][edge.child].unlocked()?;
            hold = self.is_alive(edge);
        }
        if member {
            hold &= self.state.rows[edge.child].unlocked()?.exists() == (reading == Reading::Member);
        }
        Some(hold)
    }

    fn backfill(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::BackfillWithoutBarrier) && !self.is_there(edge)? {
            return Some(());
        }
        if self.state.is_active(edge.parent) && self.state.is_active(edge.child) {
            self.state.push(Work::BackfillMembers(edge));
        } else if !self.is(Defect::InactiveEdgeStays) {
            self.unnest(edge, true)?;
        }
        Some(())
    }

    /// A transactional read of both rows of an edge. Only when both are seen, a record of a child's row finds the
    /// parent, and the deletion of either group finds the edge.
    fn is_there(&self, edge: Edge) -> Option<bool> {
        let mut there = true;
        if !self.is(Defect::BackfillReadsOnlyNest) {
            self.state.children[edge.parent][edge.child].unlocked()?;
            there = self.is_alive(edge);
        }
        if !self.is(Defect::BackfillReadsOnlyChild) {
            there &= self.state.nests[edge.child].unlocked()?[edge.parent] == Some(edge.id);
        }
        Some(there)
    }

    fn sweep(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::SweepWithoutBarrier) {
            self.state.children[edge.parent][edge.child].unlocked()?;
            if self.is_alive(edge) {
                return Some(());
            }
        }
        self.state.push(Work::SweepMembers(edge));
        Some(())
    }

    /// One edge a step, until none is seen.
    fn delete_group(&mut self, group: Group) -> Option<()> {
        let upward = |parent| Some((Edge { parent, child: group, id: self.state.nests[group].visible[parent]? }, true));
        let downward =
            |child| Some((Edge { parent: group, child, id: self.state.children[group][child].visible? }, false));
        let seen = Group::ALL.into_iter().find_map(|other| upward(other).or_else(|| downward(other)));
        if let Some((edge, sweep)) = seen {
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

    /// The memberships are found by their mirrors.
    fn delete_account(&mut self) {
        for group in Group::ALL {
            if self.state.mirrors[group].visible {
                self.state.push(Work::Remove(group));
            }
        }
        if self.is(Defect::AccountMarkedLate) {
            self.state.push(Work::MarkAccount);
        }
    }

    /// Neither counts nor climbs: nobody asks for the count any more, and the edges go by themselves.
    fn purge(&mut self, group: Group) -> Option<()> {
        self.state.rows[group].unlocked()?;
        if self.state.mirrors[group].unlocked()? {
            self.write_mirror(group, false);
        }
        self.state.rows[group].decided = Some(Row::default());
        Some(())
    }
}
