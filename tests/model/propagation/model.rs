//! The protocol as the checker sees it: states, actions and what has to hold.

use stateright::{Model, Property};

use super::protocol::Step;
use super::state::{Edge, Life, State, Work};
use super::{COUNT, DELETED, MIRROR, MISSING, OUTLIVED, PHANTOM, STUCK, VIA};
use crate::model::items::Group;

/// One thing left out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// An account is marked as deleted after its memberships were looked up, not before.
    AccountMarkedLate,
    /// A backfill makes sure that the parent's row of the nesting is seen, but not the child's.
    BackfillReadsOnlyChild,
    /// A backfill makes sure that the child's row of the nesting is seen, but not the parent's.
    BackfillReadsOnlyNest,
    /// A backfill does not make sure that its edge is seen.
    BackfillWithoutBarrier,
    /// A count moves by what was read, with no condition that it is still so.
    CountsAsRead,
    /// A row gains an edge without the condition that the child has a row.
    GainWithoutMember,
    /// A backfill leaves alone an edge of a group that is being deleted.
    InactiveEdgeStays,
    /// A row loses an edge without the condition that the child has no row.
    LossDespiteMember,
    /// The record of a member's row does not wait for the mirror to be seen before it looks at the account.
    MirrorNotAwaited,
    /// A row that appears in a deleted group is left alone.
    NoPurgeByRecord,
    /// A row that gained an edge is not asked whether the edge is still there.
    NoRecheck,
    /// A row that was there and becomes direct is not taken for a new direct membership.
    OnlyNewRowsWatched,
    /// The groups above are looked up in an index that lags behind.
    ParentsFromIndex,
    /// The account of a row that becomes direct is not looked at.
    RowUnwatched,
    /// What there is to do about an edge is decided from plain reads.
    SettleReadsPlainly,
    /// `via` names the child, and a sweep ends when the child is nested, no matter by which edge.
    SweepWhereNoEdge,
    /// A sweep does not make sure that its edge is seen to be gone.
    SweepWithoutBarrier,
    /// `via` names the child and not the edge.
    ViaByChild,
}

/// What callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add(Group),
    Remove(Group),
    /// The parent first.
    Nest(Group, Group),
    Unnest(Group, Group),
    DeleteGroup(Group),
    DeleteAccount,
}

/// Something decided that comes to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Row(Group),
    Mirror(Group),
    Child(Group, Group),
    Nest(Group),
    Index(Group),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Operate(Operation),
    Perform(Work),
    /// Done, and yet to be done again: a record comes twice, or a job crashes before it is deleted.
    Repeat(Work),
    See(Seen),
}

/// A situation, by name, that has to come up; else a model shows less than it seems to.
pub(super) type Sight = (&'static str, fn(&Propagation, &State) -> bool);

#[derive(Default)]
pub(super) struct Propagation {
    /// Done and brought to rest in advance.
    pub(super) before: Vec<Operation>,
    /// What can be asked for, again and again.
    pub(super) menu: Vec<Operation>,
    /// How many operations there are in all.
    pub(super) operations: u8,
    /// How many deliveries there are too many, in all.
    pub(super) repeats: u8,
    pub(super) sights: Vec<Sight>,
    pub(super) defect: Option<Defect>,
}

impl Propagation {
    /// What `via` holds for an edge.
    pub(super) fn bit(&self, edge: Edge) -> u16 {
        let by_child = matches!(self.defect, Some(Defect::ViaByChild | Defect::SweepWhereNoEdge));
        1 << if by_child { edge.child as u8 } else { edge.id }
    }

    pub(super) fn deletes_account(&self) -> bool {
        self.menu.contains(&Operation::DeleteAccount)
    }

    /// Nothing is left to do or to be seen.
    pub(super) fn at_rest(&self, state: &State) -> bool {
        state.work.is_empty() && unseen(state).next().is_none()
    }

    /// What happens next when callers ask for nothing more.
    fn next_step(&self, state: &State) -> Option<State> {
        let work = state.work.iter().copied().map(Action::Perform);
        work.chain(unseen(state).map(Action::See)).find_map(|action| self.next_state(state, action))
    }

    /// Whether something holds at rest, for each group that is alive, or for each that is not.
    fn at_rest_each(&self, state: &State, life: Life, holds: impl Fn(Group) -> bool) -> bool {
        !self.at_rest(state) || Group::ALL.into_iter().filter(|group| state.groups[*group] == life).all(holds)
    }

    /// The edges that should have brought the account to a group.
    fn via(&self, state: &State, group: Group) -> u16 {
        let bring = state.edges().filter(|edge| edge.parent == group && state.rows[edge.child].latest().exists());
        bring.fold(0, |via, edge| via | self.bit(edge))
    }
}

/// Whatever can come to be seen now.
fn unseen(state: &State) -> impl Iterator<Item = Seen> {
    Group::ALL.into_iter().flat_map(|group| {
        let items = [
            (state.rows[group].decided.is_some(), Seen::Row(group)),
            (state.mirrors[group].decided.is_some(), Seen::Mirror(group)),
            (state.nests[group].decided.is_some(), Seen::Nest(group)),
            (state.index[group] != state.nests[group].visible, Seen::Index(group)),
        ];
        let edges = Group::ALL.map(|child| (state.children[group][child].decided.is_some(), Seen::Child(group, child)));
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
        if state.repeats_left > 0 {
            actions.extend(work.into_iter().filter(|work| work.is_delivered()).map(Action::Repeat));
        }
        actions.extend(unseen(state).map(Action::See));
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
            Action::Repeat(work) => {
                step.state.repeats_left -= 1;
                step.perform(work)?;
            }
            Action::See(item) => step.see(item)?,
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
            Property::always(STUCK, |model: &Self, state: &State| {
                model.at_rest(state) || model.next_step(state).is_some()
            }),
        ];
        properties.extend(self.sights.iter().map(|(name, condition)| Property::sometimes(name, *condition)));
        properties
    }
}
