//! The protocol that keeps two identity providers from giving the same name at the same time.
//!
//! A request reads the row of the name, then looks the name up, and then writes in one transaction, which requires that row unchanged and
//! changes it. Removing a name does not touch the row. At every moment, at most one group has the name. Each test without a rule must find
//! an order of steps in which two have it.

use stateright::{Checker, Model, Property};

/// A group.
type Group = usize;

/// A rule of the protocol, to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The transaction requires the row as it was read.
    UnchangedRow,
    /// The row is read before the name is looked up.
    ReadBeforeLookup,
    /// The row differs each time, also for the same group.
    FreshRow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    Give(Group),
    Remove(Group),
}

/// How far the first open request of a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Progress {
    Begun,
    /// The row was read.
    Row(u8),
    /// The name was found to be free, and no row was read yet.
    Free,
    /// Both.
    Ready(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The content of the name's row; 0 where there is none.
    row: u8,
    /// How often the name was given.
    given: u8,
    /// Whether each group has the name.
    has_name: [bool; 2],
    /// For each client, its open requests and the progress of the first.
    clients: Vec<(Vec<Request>, Progress)>,
}

struct Names {
    clients: Vec<Vec<Request>>,
    without: Option<Rule>,
}

impl Names {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

impl Model for Names {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        let clients = self.clients.iter().map(|requests| (requests.clone(), Progress::Begun)).collect();
        vec![State { row: 0, given: 0, has_name: [false; 2], clients }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        actions.extend((0..state.clients.len()).filter(|client| !state.clients[*client].0.is_empty()));
    }

    fn next_state(&self, state: &State, client: usize) -> Option<State> {
        let mut next = state.clone();
        let (requests, progress) = &mut next.clients[client];
        let request = requests[0];
        let Request::Give(group) = request else {
            requests.remove(0);
            if let Request::Remove(group) = request {
                next.has_name[group] = false;
            }
            return Some(next);
        };
        let is_free = !state.has_name[1 - group];
        let end = |requests: &mut Vec<Request>| {
            requests.remove(0);
            Progress::Begun
        };
        *progress = match *progress {
            Progress::Begun if self.has(Rule::ReadBeforeLookup) => Progress::Row(state.row),
            Progress::Begun | Progress::Row(_) if !is_free => end(requests),
            Progress::Begun => Progress::Free,
            Progress::Row(row) => Progress::Ready(row),
            Progress::Free => Progress::Ready(state.row),
            // It is refused, or tried again from the beginning.
            Progress::Ready(row) if row != state.row && self.has(Rule::UnchangedRow) => Progress::Begun,
            Progress::Ready(_) => {
                next.has_name[group] = true;
                next.given += 1;
                next.row = match self.has(Rule::FreshRow) {
                    true => next.given,
                    false => 1 + u8::try_from(group).unwrap(),
                };
                end(requests)
            }
        };
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(UNIQUE, |_, state: &State| state.has_name != [true; 2]),
            Property::sometimes("a name is given twice", |_, state: &State| state.given >= 2),
        ]
    }
}

const UNIQUE: &str = "at most one group has the name";

/// Two clients. One gives the name, takes it away and gives it again, to the same group.
fn model(without: Option<Rule>) -> Names {
    let (first, second) = (0, 1);
    let again = vec![Request::Give(first), Request::Remove(first), Request::Give(first)];
    Names { clients: vec![again, vec![Request::Give(second), Request::Remove(second)]], without }
}

#[track_caller]
fn assert_needed(rule: Rule) {
    model(Some(rule)).checker().spawn_bfs().join().assert_any_discovery(UNIQUE);
}

#[test]
fn at_most_one_group_has_a_unique_name() {
    model(None).checker().spawn_bfs().join().assert_properties();
}

#[test]
fn creation_without_condition_on_the_names_row_gives_a_name_twice() {
    assert_needed(Rule::UnchangedRow);
}

#[test]
fn name_looked_up_before_its_row_is_read_is_given_twice() {
    assert_needed(Rule::ReadBeforeLookup);
}

#[test]
fn row_with_the_same_content_for_the_same_group_gives_a_name_twice() {
    assert_needed(Rule::FreshRow);
}
