//! The steps of the protocol: its transactions, and the work that results from them.
//!
//! A step returns `None` while a transaction in flight locks an item that it needs. It is retried later.

use super::model::{Defect, Operation, Propagation, Shown};
use super::state::{Cause, Edge, Life, Reads, Row, State, Wanted, Work};
use crate::model::items::{Group, PerGroup};

pub(super) struct Step<'a> {
    pub(super) model: &'a Propagation,
    pub(super) state: State,
}

/// Operations of callers.
impl Step<'_> {
    /// Also returns `None` for an operation that the API would refuse.
    pub(super) fn operate(&mut self, operation: Operation) -> Option<()> {
        match operation {
            Operation::Add(group) => {
                let refused = !self.state.is_active(group) || self.state.account_deleted;
                (!refused && !self.state.rows[group].visible.direct).then_some(())?;
                self.change(Cause::Add(group))?;
            }
            Operation::Remove(group) => {
                self.state.rows[group].visible.direct.then_some(())?;
                self.change(Cause::Remove(group))?;
            }
            Operation::Nest(parent, child) => return self.nest(parent, child),
            Operation::Unnest(parent, child) => {
                let id = self.state.children[parent][child].visible?;
                return self.unnest(Edge { parent, child, id }, true);
            }
            Operation::DeleteGroup(group) => {
                self.state.is_active(group).then(|| self.state.groups[group] = Life::Deleting)?;
                self.state.push(Work::DeleteGroup(group));
            }
            Operation::DeleteAccount => {
                let job = [Work::DeleteAccount, Work::MarkAccount].iter().any(|work| self.state.work.contains(work));
                let asked = self.state.account_deleted || job;
                (!asked).then(|| self.state.account_deleted = !self.is(Defect::AccountMarkedAfterListing))?;
                self.state.push(Work::DeleteAccount);
            }
        }
        Some(())
    }

    /// Rule 2. The other model shows that the commit refuses cycles.
    fn nest(&mut self, parent: Group, child: Group) -> Option<()> {
        let free = self.state.children[parent][child].unlocked()?.is_none();
        let mut parents = self.state.nests[child].unlocked()?;
        let living = self.state.is_active(parent) && self.state.is_active(child);
        (free && living && !self.state.reaches(child, parent)).then_some(())?;
        self.state.edges_ever.push((parent, child));
        let id = u8::try_from(self.state.edges_ever.len()).ok()?;
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

/// A change of member rows: what it reads, what it decides, and its transaction.
impl Propagation {
    /// Returns the rows as they should be, as far as all they depend on is read, and the items to read next.
    pub(super) fn plan(&self, cause: Cause, reads: &Reads) -> (PerGroup<Option<Row>>, Vec<Wanted>) {
        let mut wanted = Vec::new();
        let mut after = reads.rows;
        // Three groups: after three rounds nothing changes any more.
        for _ in 0..3 {
            let before = after;
            after = reads.rows;
            wanted.clear();
            match cause {
                Cause::Add(group) | Cause::Remove(group) => {
                    let direct = matches!(cause, Cause::Add(_));
                    wanted.extend([Wanted::Row(group), Wanted::Parents(group)]);
                    after[group] = after[group].map(|row| Row { direct, ..row });
                }
                Cause::Edge(edge) => {
                    let (parent, child) = (edge.parent, edge.child);
                    wanted.extend([Wanted::Row(child), Wanted::Parents(child)]);
                    wanted.extend([Wanted::Row(parent), Wanted::Parents(parent)]);
                    if let (Some(row), Some(parents)) = (reads.rows[child], reads.parents[child]) {
                        let held = row.exists() && self.has_edge(&parents, edge);
                        after[parent] = after[parent].map(|row| row.with(self.bit(edge), held));
                    }
                }
            }
            for child in Group::ALL {
                let (Some(old), Some(new)) = (reads.rows[child], before[child]) else { continue };
                let Some(parents) = reads.parents[child].filter(|_| old.exists() != new.exists()) else { continue };
                for parent in Group::ALL {
                    let Some(id) = parents[parent] else { continue };
                    wanted.extend([Wanted::Row(parent), Wanted::Parents(parent)]);
                    let bit = self.bit(Edge { parent, child, id });
                    after[parent] = after[parent].map(|row| row.with(bit, new.exists()));
                }
            }
        }
        wanted.retain(|item| match item {
            Wanted::Row(group) => reads.rows[*group].is_none(),
            Wanted::Parents(group) => reads.parents[*group].is_none(),
        });
        (after, wanted)
    }

    fn has_edge(&self, parents: &super::state::Parents, edge: Edge) -> bool {
        let found = parents[edge.parent];
        if self.defect == Some(Defect::SweepAcceptsAnyEdge) { found.is_some() } else { found == Some(edge.id) }
    }
}

/// How transactions write items, and how these become visible.
impl Step<'_> {
    fn is(&self, defect: Defect) -> bool {
        self.model.defect == Some(defect)
    }

    /// Begins a change of a caller or of an account's deletion, or the check of an edge. An edge is checked by a
    /// transactional read of it and of both rows, which waits for transactions in flight. A caller's change reads plainly.
    fn change(&mut self, cause: Cause) -> Option<()> {
        if let Cause::Edge(edge) = cause
            && !self.is(Defect::EdgeCheckedWithPlainReads)
        {
            self.state.rows[edge.child].unlocked()?;
            self.state.rows[edge.parent].unlocked()?;
            self.state.nests[edge.child].unlocked()?;
        }
        self.read(cause, Reads::default());
        Some(())
    }

    /// Reads all that the change wants next, as plain reads see it. A change with nothing to write ends here.
    pub(super) fn read(&mut self, cause: Cause, mut reads: Reads) {
        for item in self.model.plan(cause, &reads).1 {
            match item {
                Wanted::Row(group) => reads.rows[group] = Some(self.state.rows[group].visible),
                Wanted::Parents(group) => reads.parents[group] = Some(self.state.nests[group].visible),
            }
        }
        let (after, wanted) = self.model.plan(cause, &reads);
        if !wanted.is_empty() || after != reads.rows {
            self.state.push(Work::Change(cause, reads));
        }
    }

    /// The transaction, on condition that each row that changes is as it was read. If one is not, the change starts again.
    fn commit(&mut self, cause: Cause, reads: &Reads) -> Option<()> {
        let (after, wanted) = self.model.plan(cause, reads);
        if !wanted.is_empty() {
            return None;
        }
        let mut changed: Vec<(Group, Row, Row)> = Group::ALL
            .into_iter()
            .filter_map(|group| Some((group, reads.rows[group]?, after[group]?)))
            .filter(|(_, before, after)| before != after)
            .collect();
        if self.model.one_group_a_transaction {
            let nearest = match cause {
                Cause::Add(group) | Cause::Remove(group) => group,
                Cause::Edge(edge) => edge.parent,
            };
            changed.retain(|(group, ..)| *group == nearest);
        }
        let mut unchanged_since_read = true;
        for (group, before, _) in &changed {
            self.state.mirrors[*group].unlocked()?;
            unchanged_since_read &= self.state.rows[*group].unlocked()? == *before;
        }
        if let Cause::Edge(edge) = cause
            && !changed.is_empty()
            && !self.is(Defect::SourceWithoutCondition)
        {
            // The transaction does not write the child's row, so it needs a condition. It writes the rows of all further levels
            // itself.
            let source = self.state.rows[edge.child].unlocked()?;
            unchanged_since_read &= Some(source.exists()) == reads.rows[edge.child].map(Row::exists);
        }
        if !unchanged_since_read && !self.is(Defect::RowWithoutCondition) {
            self.state.push(Work::Start(cause));
            return Some(());
        }
        if let Cause::Edge(edge) = cause
            && !changed.is_empty()
        {
            let gains = after[edge.parent].is_some_and(|row| row.via & self.model.bit(edge) != 0);
            let exists = self.state.rows[edge.child].latest().exists();
            let is_alive = self.state.nests[edge.child].latest()[edge.parent] == Some(edge.id);
            self.state.contradicted |= if gains { !exists } else { exists && is_alive };
        }
        for (group, before, after) in changed {
            self.state.counts[group] += i8::from(after.exists()) - i8::from(before.exists());
            if after.direct != before.direct || after.exists() != before.exists() {
                self.write_mirror(group, after.direct);
            }
            self.state.rows[group].decided = Some(after);
        }
        Some(())
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
            }
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
        let gained = after.via & !before.via;
        let edges: Vec<(Group, Group)> = self.state.edges_ever.clone();
        for ((parent, child), id) in edges.into_iter().zip(1..) {
            let edge = Edge { parent, child, id };
            let bit = if parent == group { self.model.bit(edge) } else { 0 };
            if gained & bit != 0 && !self.is(Defect::GainNotRechecked) {
                self.state.push(Work::Via(edge));
            }
        }
    }
}

/// Work.
impl Step<'_> {
    pub(super) fn perform(&mut self, work: Work) -> Option<()> {
        match work {
            Work::Existence { group, appeared } => self.existence(group, appeared),
            Work::Via(edge) => {
                // A sweep may have read the page before the row became visible.
                if !self.is_alive(edge) {
                    self.state.push(Work::Start(Cause::Edge(edge)));
                }
            }
            Work::Start(cause) => self.change(cause)?,
            Work::Direct(group) => {
                // A deletion after this check finds the mirror; this check finds an earlier deletion.
                if !self.is(Defect::AccountCheckedBeforeMirror) {
                    self.state.mirrors[group].unlocked()?;
                }
                if self.state.account_deleted {
                    self.state.push(Work::Start(Cause::Remove(group)));
                }
            }
            Work::Backfill(edge) => self.backfill(edge)?,
            Work::BackfillMembers(edge) => {
                if self.state.rows[edge.child].visible.exists() {
                    self.state.push(Work::Start(Cause::Edge(edge)));
                }
            }
            Work::Sweep(edge) => self.sweep(edge)?,
            Work::SweepMembers(edge) => {
                if self.state.rows[edge.parent].visible.via & self.model.bit(edge) != 0 {
                    self.state.push(Work::Start(Cause::Edge(edge)));
                }
            }
            Work::DeleteGroup(group) => self.delete_group(group)?,
            Work::DeleteRows(group) => self.delete_rows(group)?,
            Work::DeleteAccount => self.delete_account(),
            Work::MarkAccount => self.state.account_deleted = true,
            Work::Change(cause, reads) => self.commit(cause, &reads)?,
            Work::Purge(group) if self.state.rows[group].visible.exists() => self.purge(group)?,
            Work::Purge(_) => {}
        }
        Some(())
    }

    fn existence(&mut self, group: Group, appeared: bool) {
        if appeared && !self.state.is_active(group) && !self.is(Defect::LateRowNotPurged) {
            self.state.push(Work::Purge(group));
        }
        let left_out = if appeared { Defect::GainNotPropagated } else { Defect::LossNotPropagated };
        if self.is(left_out) {
            return;
        }
        for parent in Group::ALL {
            if let Some(id) = self.state.nests[group].visible[parent] {
                self.state.push(Work::Start(Cause::Edge(Edge { parent, child: group, id })));
            }
        }
    }

    /// Whether the edge visibly exists.
    fn is_alive(&self, edge: Edge) -> bool {
        self.model.has_edge(&self.state.nests[edge.child].visible, edge)
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
            exists = self.state.children[edge.parent][edge.child].unlocked()? == Some(edge.id);
        }
        if !self.is(Defect::BackfillWithoutNestRow) {
            exists &= self.state.nests[edge.child].unlocked()?[edge.parent] == Some(edge.id);
        }
        Some(exists)
    }

    fn sweep(&mut self, edge: Edge) -> Option<()> {
        if !self.is(Defect::SweepWithoutEdgeRow) {
            self.state.nests[edge.child].unlocked()?;
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
                self.state.push(Work::Start(Cause::Remove(group)));
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
