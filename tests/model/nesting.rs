//! The protocol that prevents concurrent nestings from closing a cycle.
//!
//! A request to nest reads the ancestors of the parent with plain reads, one row at a time. It then commits on condition
//! that none of these rows has changed. A transaction is decided at once, but its rows become visible later, one by one.
//! Until then a plain read returns the old row, and other transactions on the row are refused and retried. Rows that a
//! transaction only checks are unlocked by its decision, which is the earliest possible moment. Meanwhile other edges are
//! removed, as by the deletion of a group.
//!
//! The decided edges must be free of cycles at every moment. Each test with a weaker check must find a cycle.

use stateright::{Checker, Model, Property};

use crate::model::items::Group::{A, B, C};
use crate::model::items::{Group, Item, PerGroup};

const ACYCLIC: &str = "no group is nested in itself";
const ONLY_CYCLES_REFUSED: &str = "only requests that would close a cycle are refused";

/// The condition of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// The revision of every row that the request read.
    Ancestors,
    /// The revision of the parent's row only.
    Parent,
    /// One version for all nestings, read before the ancestors.
    Version,
    /// No condition.
    Nothing,
}

/// A request, with the parent before the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Nest(Group, Group),
    Unnest(Group, Group),
}

/// A `NEST` row: the parents of a group, and its revision.
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

/// The progress of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    Waiting,
    Reading(Ancestors),
    Committed,
    /// It would have closed a cycle.
    Refused,
}

/// The ancestors that a request has read and has yet to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ancestors {
    /// The version of all nestings at the start.
    version: u8,
    to_read: PerGroup<bool>,
    /// The revision of each row that was read.
    read: PerGroup<Option<u8>>,
}

impl Ancestors {
    fn are_all_read(&self) -> bool {
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
    /// Whether a group is an ancestor of another one over at most `steps` decided edges.
    fn is_ancestor(&self, ancestor: Group, group: Group, steps: usize) -> bool {
        let parents = self.nests[group].latest().parents;
        let leads_to_ancestor =
            |parent: Group| parents[parent] && (parent == ancestor || self.is_ancestor(ancestor, parent, steps - 1));
        steps > 0 && Group::ALL.into_iter().any(leads_to_ancestor)
    }

    fn would_close_cycle(&self, request: Request) -> bool {
        matches!(request, Request::Nest(parent, child) if self.is_ancestor(child, parent, Group::ALL.len()))
    }
}

/// A step. The numbers are indices of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Start(usize),
    Read(usize, Group),
    Commit(usize),
    ShowNest(Group),
    ShowVersion,
}

struct Nesting {
    /// The initial edges, each with the parent before the child.
    before: Vec<(Group, Group)>,
    requests: Vec<Request>,
    check: Check,
}

impl Nesting {
    fn start(&self, state: &mut State, index: usize) {
        if let Request::Nest(parent, _) = self.requests[index] {
            let mut to_read = PerGroup::default();
            to_read[parent] = true;
            let ancestors = Ancestors { version: state.version.visible, to_read, read: PerGroup::default() };
            state.progress[index] = Progress::Reading(ancestors);
        }
    }

    /// A strongly consistent read, which returns the visible row and not the decided one.
    fn read(&self, state: &mut State, index: usize, group: Group) {
        let (Request::Nest(_, child), Progress::Reading(mut ancestors)) = (self.requests[index], state.progress[index])
        else {
            return;
        };
        let nest = state.nests[group].visible;
        ancestors.to_read[group] = false;
        ancestors.read[group] = Some(nest.revision);
        for parent in Group::ALL {
            ancestors.to_read[parent] |= nest.parents[parent] && ancestors.read[parent].is_none();
        }
        state.progress[index] = if group == child { Progress::Refused } else { Progress::Reading(ancestors) };
    }

    /// Returns `None` while another transaction locks a row of this one.
    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        match (self.requests[index], state.progress[index]) {
            (Request::Nest(parent, child), Progress::Reading(ancestors)) => {
                let nest = state.nests[child].unlocked()?;
                if !self.is_unchanged(state, parent, &ancestors)? {
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

    /// Whether the rows that the commit checks have not changed since they were read.
    fn is_unchanged(&self, state: &State, parent: Group, ancestors: &Ancestors) -> Option<bool> {
        if self.check == Check::Version {
            return Some(state.version.unlocked()? == ancestors.version);
        }
        let mut is_unchanged = true;
        for group in Group::ALL {
            let is_checked = self.check == Check::Ancestors || self.check == Check::Parent && group == parent;
            if let Some(revision) = ancestors.read[group].filter(|_| is_checked) {
                is_unchanged &= state.nests[group].unlocked()?.revision == revision;
            }
        }
        Some(is_unchanged)
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
                (Request::Nest(..), Progress::Reading(ancestors)) if !ancestors.are_all_read() => {
                    let next = Group::ALL.into_iter().filter(|group| ancestors.to_read[*group]);
                    actions.extend(next.map(|group| Action::Read(index, group)));
                }
                (_, Progress::Waiting | Progress::Reading(_)) => actions.push(Action::Commit(index)),
                (_, Progress::Committed | Progress::Refused) => {}
            }
        }
        let locked = Group::ALL.into_iter().filter(|group| state.nests[*group].decided.is_some());
        actions.extend(locked.map(Action::ShowNest));
        actions.extend(state.version.decided.map(|_| Action::ShowVersion));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Start(index) => self.start(&mut next, index),
            Action::Read(index, group) => self.read(&mut next, index, group),
            Action::Commit(index) => self.commit(&mut next, index)?,
            Action::ShowNest(group) => next.nests[group].visible = next.nests[group].decided.take()?,
            Action::ShowVersion => next.version.visible = next.version.decided.take()?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACYCLIC, |_: &Self, state: &State| {
                Group::ALL.into_iter().all(|group| !state.is_ancestor(group, group, Group::ALL.len()))
            }),
            Property::always(ONLY_CYCLES_REFUSED, |model: &Self, state: &State| {
                // An edge that would have closed the cycle may have been removed since.
                let edges_remain = !model.requests.iter().any(|request| matches!(request, Request::Unnest(..)));
                let requests = model.requests.iter().zip(&state.progress);
                let mut refused = requests.filter(|(_, progress)| **progress == Progress::Refused);
                !edges_remain || refused.all(|(request, _)| state.would_close_cycle(*request))
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

fn cycle_of_two() -> Vec<Request> {
    vec![Request::Nest(A, B), Request::Nest(B, A)]
}

fn cycle_of_three() -> Vec<Request> {
    vec![Request::Nest(A, B), Request::Nest(B, C), Request::Nest(C, A)]
}

fn all_nestings() -> Vec<Request> {
    let pairs = Group::ALL.into_iter().flat_map(|parent| Group::ALL.map(|child| (parent, child)));
    pairs.filter(|(parent, child)| parent != child).map(|(parent, child)| Request::Nest(parent, child)).collect()
}

/// Asserts that the protocol keeps its properties in all orders.
fn assert_safe(before: &[(Group, Group)], requests: Vec<Request>) {
    let model = Nesting { before: before.to_vec(), requests, check: Check::Ancestors };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
}

/// Asserts that with this check some order closes a cycle.
fn assert_allows_cycle(requests: Vec<Request>, check: Check) {
    let model = Nesting { before: Vec::new(), requests, check };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_any_discovery(ACYCLIC);
}

#[test]
fn nesting_with_check_of_ancestors_closes_no_cycle() {
    assert_safe(&[], cycle_of_two());
    assert_safe(&[], cycle_of_three());
    assert_safe(&[], all_nestings());
    assert_safe(&[(A, B)], vec![Request::Nest(B, C), Request::Nest(C, A)]);
}

#[test]
fn nesting_while_edges_are_removed_closes_no_cycle() {
    let nest_and_unnest = [Request::Nest(A, B), Request::Unnest(A, B)];
    assert_safe(&[], [cycle_of_two(), nest_and_unnest.to_vec()].concat());
    assert_safe(&[], [cycle_of_three(), nest_and_unnest.to_vec()].concat());
    assert_safe(&[(B, C)], [all_nestings(), vec![Request::Unnest(A, B), Request::Unnest(B, C)]].concat());
    assert_safe(&[(A, B), (B, C)], vec![Request::Nest(C, A), Request::Unnest(B, C), Request::Unnest(A, B)]);
}

#[test]
fn nesting_without_version_check_allows_cycle() {
    assert_allows_cycle(cycle_of_two(), Check::Nothing);
}

/// The version may become visible before the edges that it counts.
#[test]
fn nesting_with_check_of_one_version_for_all_allows_cycle() {
    assert_allows_cycle(cycle_of_two(), Check::Version);
    assert_allows_cycle(cycle_of_three(), Check::Version);
}

#[test]
fn nesting_with_check_of_the_parent_alone_allows_cycle() {
    assert_allows_cycle(cycle_of_three(), Check::Parent);
}
