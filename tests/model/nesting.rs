//! How nestings that together would close a circle are kept apart: every order in which they can happen, by a model
//! checker.
//!
//! A request to nest walks upward from the parent with plain reads, one row at a time, and then commits on condition
//! that none of the rows it read has changed. A transaction is decided at once, but the rows that it writes come to be
//! seen later, one by one: until then a plain read finds the old row, and other transactions on it are refused and
//! come again. Rows that a transaction only checks are free again with its decision, which is the earliest possible.
//! Others are taken out at the same time, as by a group's deletion.
//!
//! The decided edges must be free of cycles at every moment. The tests that check less have to find a cycle.

use stateright::{Checker, Model, Property};

use crate::model::items::Group::{A, B, C};
use crate::model::items::{Group, Item, PerGroup};

const ACYCLIC: &str = "no group is nested in itself";
const NEEDED: &str = "nothing is refused that would close no circle";

/// What a commit checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// The revision of every row that the walk read.
    Ancestors,
    /// That of the parent only.
    Parent,
    /// One version for all nestings, read before the walk.
    Version,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// The parent first.
    Nest(Group, Group),
    Unnest(Group, Group),
}

/// A `NEST` row: the parents of a group, and how often it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Nest {
    parents: PerGroup<bool>,
    revision: u8,
}

impl Nest {
    fn with(mut self, parent: Group, nested: bool) -> Self {
        self.parents[parent] = nested;
        Self { revision: self.revision + 1, ..self }
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    Waiting,
    Walking(Walk),
    Committed,
    /// It would have closed a circle.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Walk {
    /// The global version at the start.
    version: u8,
    to_read: PerGroup<bool>,
    /// The revision of each row that was read.
    read: PerGroup<Option<u8>>,
}

impl Walk {
    fn is_over(&self) -> bool {
        Group::ALL.into_iter().all(|group| !self.to_read[group])
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    nests: PerGroup<Item<Nest>>,
    version: Item<u8>,
    progress: Vec<Progress>,
}

impl State {
    /// Whether a group is above another one, so many steps away at most, by what is decided.
    fn is_above(&self, above: Group, group: Group, steps: usize) -> bool {
        let parents = self.nests[group].latest().parents;
        let climbs = |parent: Group| parents[parent] && (parent == above || self.is_above(above, parent, steps - 1));
        steps > 0 && Group::ALL.into_iter().any(climbs)
    }

    fn is_closed_by(&self, request: Request) -> bool {
        matches!(request, Request::Nest(parent, child) if self.is_above(child, parent, Group::ALL.len()))
    }
}

/// The requests are told apart by their place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Start(usize),
    Read(usize, Group),
    Commit(usize),
    SeeNest(Group),
    SeeVersion,
}

struct Nesting {
    /// Who is nested already: the parent first.
    before: Vec<(Group, Group)>,
    requests: Vec<Request>,
    check: Check,
}

impl Nesting {
    fn start(&self, state: &mut State, index: usize) {
        if let Request::Nest(parent, _) = self.requests[index] {
            let mut to_read = PerGroup::default();
            to_read[parent] = true;
            let walk = Walk { version: state.version.visible, to_read, read: PerGroup::default() };
            state.progress[index] = Progress::Walking(walk);
        }
    }

    /// One strongly consistent read, that finds what is seen and not what is decided.
    fn read(&self, state: &mut State, index: usize, group: Group) {
        let (Request::Nest(_, child), Progress::Walking(mut walk)) = (self.requests[index], state.progress[index])
        else {
            return;
        };
        let nest = state.nests[group].visible;
        walk.to_read[group] = false;
        walk.read[group] = Some(nest.revision);
        for parent in Group::ALL {
            walk.to_read[parent] |= nest.parents[parent] && walk.read[parent].is_none();
        }
        state.progress[index] = if group == child { Progress::Refused } else { Progress::Walking(walk) };
    }

    /// `None` while a row of the transaction is held by another one.
    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        match (self.requests[index], state.progress[index]) {
            (Request::Nest(parent, child), Progress::Walking(walk)) => {
                let nest = state.nests[child].unlocked()?;
                if !self.holds(state, parent, &walk)? {
                    state.progress[index] = Progress::Waiting;
                    return Some(());
                }
                if !nest.parents[parent] {
                    self.write(state, child, nest.with(parent, true));
                }
            }
            (Request::Unnest(parent, child), _) => {
                let nest = state.nests[child].unlocked()?;
                nest.parents[parent].then(|| self.write(state, child, nest.with(parent, false)))?;
            }
            (Request::Nest(..), _) => return None,
        }
        state.progress[index] = Progress::Committed;
        Some(())
    }

    /// Whether all that the commit checks is as it was read.
    fn holds(&self, state: &State, parent: Group, walk: &Walk) -> Option<bool> {
        if self.check == Check::Version {
            return Some(state.version.unlocked()? == walk.version);
        }
        let mut holds = true;
        for group in Group::ALL {
            let checked = self.check == Check::Ancestors || self.check == Check::Parent && group == parent;
            if let Some(revision) = walk.read[group].filter(|_| checked) {
                holds &= state.nests[group].unlocked()?.revision == revision;
            }
        }
        Some(holds)
    }

    fn write(&self, state: &mut State, child: Group, nest: Nest) {
        state.nests[child].decided = Some(nest);
        if self.check == Check::Version {
            state.version.decided = Some(state.version.visible + 1);
        }
    }
}

impl Model for Nesting {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut nests: PerGroup<Item<Nest>> = PerGroup::default();
        for (parent, child) in &self.before {
            nests[*child].visible = nests[*child].visible.with(*parent, true);
        }
        vec![State { nests, version: Item::default(), progress: vec![Progress::Waiting; self.requests.len()] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, (request, progress)) in self.requests.iter().zip(&state.progress).enumerate() {
            match (request, progress) {
                (Request::Nest(..), Progress::Waiting) => actions.push(Action::Start(index)),
                (Request::Nest(..), Progress::Walking(walk)) if !walk.is_over() => {
                    let next = Group::ALL.into_iter().filter(|group| walk.to_read[*group]);
                    actions.extend(next.map(|group| Action::Read(index, group)));
                }
                (_, Progress::Waiting | Progress::Walking(_)) => actions.push(Action::Commit(index)),
                (_, Progress::Committed | Progress::Refused) => {}
            }
        }
        let held = Group::ALL.into_iter().filter(|group| state.nests[*group].decided.is_some());
        actions.extend(held.map(Action::SeeNest));
        actions.extend(state.version.decided.map(|_| Action::SeeVersion));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Start(index) => self.start(&mut next, index),
            Action::Read(index, group) => self.read(&mut next, index, group),
            Action::Commit(index) => self.commit(&mut next, index)?,
            Action::SeeNest(group) => next.nests[group].visible = next.nests[group].decided.take()?,
            Action::SeeVersion => next.version.visible = next.version.decided.take()?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACYCLIC, |_: &Self, state: &State| {
                Group::ALL.into_iter().all(|group| !state.is_above(group, group, Group::ALL.len()))
            }),
            Property::always(NEEDED, |model: &Self, state: &State| {
                let stays = !model.requests.iter().any(|request| matches!(request, Request::Unnest(..)));
                let mut refused =
                    model.requests.iter().zip(&state.progress).filter(|(_, it)| **it == Progress::Refused);
                !stays || refused.all(|(request, _)| state.is_closed_by(*request))
            }),
            Property::sometimes("a nesting is accepted", |_: &Self, state: &State| {
                state.progress[0] == Progress::Committed
            }),
            Property::sometimes("a nesting is refused", |_: &Self, state: &State| {
                state.progress.contains(&Progress::Refused)
            }),
        ]
    }
}

fn two() -> Vec<Request> {
    vec![Request::Nest(A, B), Request::Nest(B, A)]
}

fn three() -> Vec<Request> {
    vec![Request::Nest(A, B), Request::Nest(B, C), Request::Nest(C, A)]
}

/// Every nesting that there is.
fn six() -> Vec<Request> {
    let pairs = Group::ALL.into_iter().flat_map(|parent| Group::ALL.map(|child| (parent, child)));
    pairs.filter(|(parent, child)| parent != child).map(|(parent, child)| Request::Nest(parent, child)).collect()
}

fn holds(before: &[(Group, Group)], requests: Vec<Request>) {
    let model = Nesting { before: before.to_vec(), requests, check: Check::Ancestors };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
}

fn breaks(requests: Vec<Request>, check: Check) {
    let model = Nesting { before: Vec::new(), requests, check };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_any_discovery(ACYCLIC);
}

#[test]
fn of_nestings_that_close_a_circle_one_is_refused() {
    holds(&[], two());
    holds(&[], three());
    holds(&[], six());
    holds(&[(A, B)], vec![Request::Nest(B, C), Request::Nest(C, A)]);
}

#[test]
fn a_circle_stays_open_while_edges_are_taken_out() {
    let twice = [Request::Nest(A, B), Request::Unnest(A, B)];
    holds(&[], [two(), twice.to_vec()].concat());
    holds(&[], [three(), twice.to_vec()].concat());
    holds(&[(B, C)], [six(), vec![Request::Unnest(A, B), Request::Unnest(B, C)]].concat());
    holds(&[(A, B), (B, C)], vec![Request::Nest(C, A), Request::Unnest(B, C), Request::Unnest(A, B)]);
}

#[test]
fn something_has_to_be_checked() {
    breaks(two(), Check::Nothing);
}

#[test]
fn one_version_for_all_is_seen_before_what_it_counts() {
    breaks(two(), Check::Version);
    breaks(three(), Check::Version);
}

#[test]
fn the_parents_revision_is_not_enough() {
    breaks(three(), Check::Parent);
}
