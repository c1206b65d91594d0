//! The protocol as a model: its actions, its properties, and the defects that tests inject.

use stateright::{Model, Property};

use super::protocol::Step;
use super::state::{Cause, Edge, Life, Reads, State, Work};
use super::{CONTRADICTION, COUNT, DELETED, MIRROR, MISSING, OUTLIVED, PHANTOM, STUCK, VIA};
use crate::model::items::Group;

/// A part left out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// Checks an edge without the condition that the child's row still exists, or still does not.
    SourceWithoutCondition,
    /// Marks an account as deleted after its memberships have been listed instead of before.
    AccountMarkedAfterListing,
    /// A backfill waits until the `CHILD` row of its edge is visible, but not the `NEST` row.
    BackfillWithoutNestRow,
    /// A backfill waits until the `NEST` row of its edge is visible, but not the `CHILD` row.
    BackfillWithoutChildRow,
    /// A backfill does not wait until its edge is visible.
    BackfillWithoutEdgeRows,
    /// A row changes without the condition that it is unchanged since it was read.
    RowWithoutCondition,
    /// A backfill keeps the edge of a group that is being deleted.
    BackfillKeepsEdgeOfDeletedGroup,
    /// The record of a member's row checks the account without waiting until the mirror is visible.
    AccountCheckedBeforeMirror,
    /// The record of a row that appears in a deleted group does not purge it.
    LateRowNotPurged,
    /// The record of a row that gained an edge does not check whether the edge still exists.
    GainNotRechecked,
    /// An edge is checked with plain reads instead of a transactional one.
    EdgeCheckedWithPlainReads,
    /// The record of a new row does not check the parents' rows.
    GainNotPropagated,
    /// The record of a deleted row does not check the parents' rows.
    LossNotPropagated,
    /// The account is checked for new rows, but not for existing ones that become direct.
    AccountCheckedOnlyForNewRows,
    /// The record of a row that becomes direct does not check the account.
    AccountNotChecked,
    /// `via` names the child, and an edge counts as there if the child is nested by any edge.
    SweepAcceptsAnyEdge,
    /// A sweep does not wait until its edge is visibly gone.
    SweepWithoutEdgeRow,
    /// `via` names the child instead of the edge.
    ViaNamesChild,
}

/// A request of a caller, with the parent before the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add(Group),
    Remove(Group),
    Nest(Group, Group),
    Unnest(Group, Group),
    DeleteGroup(Group),
    DeleteAccount,
}

/// A decided item that becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Row(Group),
    Mirror(Group),
    Child(Group, Group),
    Nest(Group),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Operate(Operation),
    Perform(Work),
    /// The next reads of a change.
    Read(Cause, Reads),
    /// Performs work and keeps it: a record is delivered twice, or a job crashes before it is deleted.
    Repeat(Work),
    Show(Shown),
}

/// A named situation that must occur in some history. Without it the model would show less than it seems to.
pub(super) type Sight = (&'static str, fn(&Propagation, &State) -> bool);

#[derive(Default)]
pub(super) struct Propagation {
    /// Operations performed in advance, until rest.
    pub(super) before: Vec<Operation>,
    /// Operations that callers choose from, any number of times.
    pub(super) menu: Vec<Operation>,
    /// The number of operations in a history.
    pub(super) operations: u8,
    /// The number of duplicate deliveries in a history.
    pub(super) repeats: u8,
    /// Whether a change commits only its nearest group, and leaves those above to the records.
    pub(super) one_group_a_transaction: bool,
    pub(super) sights: Vec<Sight>,
    pub(super) defect: Option<Defect>,
}

impl Propagation {
    /// Returns the bit of an edge in `via`.
    pub(super) fn bit(&self, edge: Edge) -> u16 {
        let by_child = matches!(self.defect, Some(Defect::ViaNamesChild | Defect::SweepAcceptsAnyEdge));
        1 << if by_child { edge.child as u8 } else { edge.id }
    }

    pub(super) fn deletes_account(&self) -> bool {
        self.menu.contains(&Operation::DeleteAccount)
    }

    /// Whether no work is left and every item is visible.
    pub(super) fn at_rest(&self, state: &State) -> bool {
        state.work.is_empty() && invisible(state).next().is_none()
    }

    /// Returns the next state without a request of a caller.
    fn next_step(&self, state: &State) -> Option<State> {
        let work = state.work.iter().copied().map(Action::Perform);
        let reads = state.work.iter().flat_map(|work| self.reads(*work));
        work.chain(reads).chain(invisible(state).map(Action::Show)).find_map(|action| self.next_state(state, action))
    }

    /// Returns the reads that a change can make now.
    fn reads(&self, work: Work) -> Vec<Action> {
        let Work::Change(cause, reads) = work else { return Vec::new() };
        let (_, wanted) = self.plan(cause, &reads);
        if wanted.is_empty() { Vec::new() } else { vec![Action::Read(cause, reads)] }
    }

    /// Whether a condition holds for each group of this life at rest. True for every state that is not at rest.
    fn at_rest_each(&self, state: &State, life: Life, holds: impl Fn(Group) -> bool) -> bool {
        !self.at_rest(state) || Group::ALL.into_iter().filter(|group| state.groups[*group] == life).all(holds)
    }

    /// Returns the edges over which a group should inherit the account.
    fn via(&self, state: &State, group: Group) -> u16 {
        let inherited = state.edges().filter(|edge| edge.parent == group && state.rows[edge.child].latest().exists());
        inherited.fold(0, |via, edge| via | self.bit(edge))
    }
}

/// Returns the items that can become visible now.
fn invisible(state: &State) -> impl Iterator<Item = Shown> {
    Group::ALL.into_iter().flat_map(|group| {
        let items = [
            (state.rows[group].decided.is_some(), Shown::Row(group)),
            (state.mirrors[group].decided.is_some(), Shown::Mirror(group)),
            (state.nests[group].decided.is_some(), Shown::Nest(group)),
        ];
        let edges =
            Group::ALL.map(|child| (state.children[group][child].decided.is_some(), Shown::Child(group, child)));
        items.into_iter().chain(edges).filter(|(waits, _)| *waits).map(|(_, item)| item)
    })
}

impl Model for Propagation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::default();
        for operation in &self.before {
            state.operations_left = 1;
            state = self.next_state(&state, Action::Operate(*operation)).expect("the operation is allowed");
            while let Some(next) = self.next_step(&state) {
                state = next;
            }
        }
        vec![State { operations_left: self.operations, repeats_left: self.repeats, ..state }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut work = state.work.clone();
        work.dedup();
        actions.extend(work.iter().copied().map(Action::Perform));
        actions.extend(work.iter().flat_map(|work| self.reads(*work)));
        if state.repeats_left > 0 {
            actions.extend(work.into_iter().filter(|work| work.is_delivered()).map(Action::Repeat));
        }
        actions.extend(invisible(state).map(Action::Show));
        if state.operations_left > 0 {
            actions.extend(self.menu.iter().copied().map(Action::Operate));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut step = Step { model: self, state: state.clone() };
        match action {
            Action::Operate(operation) => {
                step.state.operations_left -= 1;
                step.operate(operation)?;
            }
            Action::Perform(work) => {
                step.state.take(work);
                step.perform(work)?;
            }
            Action::Read(cause, reads) => {
                step.state.take(Work::Change(cause, reads));
                step.read(cause, reads);
            }
            Action::Repeat(work) => {
                step.state.repeats_left -= 1;
                step.perform(work)?;
            }
            Action::Show(item) => step.show(item)?,
        }
        Some(step.state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(MISSING, |model: &Self, state: &State| {
                let missing = |group| state.is_member(group) && !state.rows[group].latest().exists();
                model.at_rest_each(state, Life::Active, |group| !missing(group))
            }),
            Property::always(PHANTOM, |model: &Self, state: &State| {
                let phantom = |group| !state.is_member(group) && state.rows[group].latest().exists();
                model.at_rest_each(state, Life::Active, |group| !phantom(group))
            }),
            Property::always(VIA, |model: &Self, state: &State| {
                let exact = |group| state.rows[group].latest().via == model.via(state, group);
                model.at_rest_each(state, Life::Active, exact)
            }),
            Property::always(OUTLIVED, |model: &Self, state: &State| {
                let nested = |group| state.edges().any(|edge| edge.parent == group || edge.child == group);
                let clean = |group| !state.rows[group].latest().exists() && !nested(group);
                model.at_rest_each(state, Life::Gone, clean) && model.at_rest_each(state, Life::Deleting, |_| false)
            }),
            Property::always(DELETED, |model: &Self, state: &State| {
                let gone = |group| !state.account_deleted || !state.rows[group].latest().exists();
                model.at_rest_each(state, Life::Active, gone)
            }),
            Property::always(MIRROR, |model: &Self, state: &State| {
                let agrees = |group| state.mirrors[group].latest() == state.rows[group].latest().direct;
                !model.at_rest(state) || Group::ALL.into_iter().all(agrees)
            }),
            Property::always(COUNT, |_: &Self, state: &State| {
                let exact = |group| state.counts[group] == i8::from(state.rows[group].latest().exists());
                Group::ALL.into_iter().all(|group| !state.is_active(group) || exact(group))
            }),
            Property::always(CONTRADICTION, |_: &Self, state: &State| !state.contradicted),
            Property::always(STUCK, |model: &Self, state: &State| {
                model.at_rest(state) || model.next_step(state).is_some()
            }),
        ];
        properties.extend(self.sights.iter().map(|(name, condition)| Property::sometimes(name, *condition)));
        properties
    }
}
