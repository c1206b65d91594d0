//! Rows, requests and steps of the protocol, with the conditions that can be left out.

use stateright::{Model, Property};

use crate::model::items::{Group, Item, PerGroup};

pub(super) const GUARDED: &str = "no caller without the role changes a privileged group";
pub(super) const PAIRED: &str = "a shard has a mark only while its group has one";

/// How often a request marks a group, at most.
const ATTEMPTS: u8 = 3;

/// A condition or an order that the protocol needs. Each can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A change of members requires that its count shard has no mark.
    ShardHasNoMark,
    /// A nesting in a group that is not guarded requires that it still is not.
    ParentIsUnguarded,
    /// A nesting in a guarded group requires that the child's mark is unchanged.
    ChildMarkUnchanged,
    /// A group becomes privileged only with its mark unchanged.
    OwnMarkUnchanged,
    /// A shard is marked only while its group's row has the mark.
    ShardWithItsRow,
    /// A group is marked before its children are read.
    MarkBeforeChildren,
    /// Children are read again in a transaction, whole: a plain read may see some changes of them and not others.
    ChildrenAreWhole,
    /// A group that is reached again is marked again.
    MarkAgain,
    /// A mark is removed only if it is the one that was read.
    SameMark,
    /// A mark is removed only if the group has the parents that were read.
    SameParents,
    /// A mark is removed only after those of all parents.
    ParentsFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Changes members, without the role.
    ChangeMembers(Group),
    /// Nests the second group in the first, without the role.
    Nest(Group, Group),
    /// Nests the second group in the first, with the role.
    NestWithRole(Group, Group),
    /// Removes the second group from the first, with the role.
    Unnest(Group, Group),
    Flag(Group),
    Unflag(Group),
    /// Removes a mark that is left over.
    RemoveMark(Group),
}

/// A group's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Row {
    privileged: bool,
    mark: Option<u8>,
    children: u8,
}

impl Row {
    fn is_guarded(self) -> bool {
        self.privileged || self.mark.is_some()
    }
}

/// The parents of a group, and the revision of their row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Nest {
    parents: PerGroup<bool>,
    revision: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    Waiting,
    /// A group's row was read, and nothing is marked.
    Read(Row),
    /// Groups to mark, those whose shards are to be marked, those whose children are to be read, and how often each was marked.
    Marking {
        to_mark: PerGroup<bool>,
        to_mark_shard: PerGroup<bool>,
        to_read: PerGroup<bool>,
        times_marked: PerGroup<u8>,
    },
    /// A mark to remove, then the parents, then those of the parents that are still to be read.
    Removing {
        mark: u8,
        nest: Option<Nest>,
        to_read: PerGroup<bool>,
    },
    Done,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    rows: PerGroup<Item<Row>>,
    /// Marks of shards. No plain read depends on them.
    shards: PerGroup<bool>,
    nests: PerGroup<Item<Nest>>,
    /// The row of each child in the parent's partition: by parent, then child.
    children: PerGroup<PerGroup<Item<bool>>>,
    progress: Vec<Progress>,
    has_changed_privileged: bool,
}

impl State {
    fn leads_to_privileged(&self, group: Group) -> bool {
        let parents = self.nests[group].latest().parents;
        self.rows[group].latest().privileged
            || Group::ALL.into_iter().any(|parent| parents[parent] && self.leads_to_privileged(parent))
    }

    fn without_role(&mut self, group: Group) {
        self.has_changed_privileged |= self.leads_to_privileged(group);
    }

    /// Writes both rows of an edge, and the parent's count.
    fn write_edge(&mut self, parent: Group, child: Group, nested: bool) -> Option<()> {
        let (mut row, mut nest) = (self.rows[parent].unlocked()?, self.nests[child].unlocked()?);
        self.children[parent][child].unlocked()?;
        row.children = if nested { row.children + 1 } else { row.children - 1 };
        nest.parents[parent] = nested;
        nest.revision += 1;
        self.rows[parent].decided = Some(row);
        self.nests[child].decided = Some(nest);
        self.children[parent][child].decided = Some(nested);
        Some(())
    }
}

/// A step. The numbers are indices of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Read(usize),
    Mark(usize, Group),
    MarkShard(usize, Group),
    ReadChildren(usize, Group),
    ReadParents(usize),
    ReadParent(usize, Group),
    Commit(usize),
    ShowRow(Group),
    ShowNest(Group),
    ShowChild(Group, Group),
}

pub(super) struct Guard {
    /// The initial edges, each with the parent before the child.
    pub(super) before: Vec<(Group, Group)>,
    /// Groups with a mark at the start.
    pub(super) marked: Vec<Group>,
    pub(super) requests: Vec<Request>,
    /// The rule that is left out.
    pub(super) without: Option<Rule>,
}

impl Guard {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether a change without the role has this progress.
    fn some_without_role(&self, state: &State, progress: Progress) -> bool {
        let needs_role = |request: &Request| matches!(request, Request::ChangeMembers(_) | Request::Nest(..));
        self.requests.iter().zip(&state.progress).any(|(request, it)| needs_role(request) && *it == progress)
    }

    /// Each write of a mark has its own: the first of a request in a group, the second, and so on.
    fn mark_of(index: usize, earlier: u8) -> u8 {
        u8::try_from(index).unwrap() + 1 + 16 * earlier
    }

    fn marking(&self, group: Group) -> Progress {
        let (mut to_mark, mut to_read) = (PerGroup::default(), PerGroup::default());
        to_mark[group] = true;
        to_read[group] = !self.has(Rule::MarkBeforeChildren);
        Progress::Marking { to_mark, to_mark_shard: PerGroup::default(), to_read, times_marked: PerGroup::default() }
    }

    fn read(&self, state: &mut State, index: usize) {
        let next = match self.requests[index] {
            Request::ChangeMembers(group) | Request::Nest(group, _) if state.rows[group].visible.is_guarded() => {
                Progress::Refused
            }
            Request::NestWithRole(parent, child) if state.rows[parent].visible.is_guarded() => self.marking(child),
            Request::Flag(group) => self.marking(group),
            Request::RemoveMark(group) => match state.rows[group].visible {
                Row { privileged: false, mark: Some(mark), .. } => {
                    Progress::Removing { mark, nest: None, to_read: PerGroup::default() }
                }
                _ => Progress::Refused,
            },
            Request::ChangeMembers(group)
            | Request::Nest(group, _)
            | Request::NestWithRole(group, _)
            | Request::Unnest(group, _)
            | Request::Unflag(group) => Progress::Read(state.rows[group].visible),
        };
        state.progress[index] = next;
    }

    fn mark(&self, state: &mut State, index: usize, group: Group) -> Option<()> {
        let mut row = state.rows[group].unlocked()?;
        if let Progress::Marking { to_mark, to_mark_shard, times_marked, .. } = &mut state.progress[index] {
            if times_marked[group] == ATTEMPTS {
                state.progress[index] = Progress::Refused;
                return Some(());
            }
            row.mark = Some(Self::mark_of(index, times_marked[group]));
            to_mark[group] = false;
            to_mark_shard[group] = true;
            times_marked[group] += 1;
        }
        state.rows[group].decided = Some(row);
        Some(())
    }

    /// Marks the shard in a transaction that requires the mark of the row. If it has another one, both are marked again.
    fn mark_shard(&self, state: &mut State, index: usize, group: Group) -> Option<()> {
        let row = state.rows[group].unlocked()?;
        if let Progress::Marking { to_mark, to_mark_shard, to_read, times_marked } = &mut state.progress[index] {
            let is_own = row.mark == Some(Self::mark_of(index, times_marked[group] - 1));
            to_mark_shard[group] = false;
            if is_own || !self.has(Rule::ShardWithItsRow) {
                state.shards[group] = true;
                to_read[group] |= self.has(Rule::MarkBeforeChildren);
            } else {
                to_mark[group] = true;
            }
        }
        Some(())
    }

    fn read_children(&self, state: &mut State, index: usize, group: Group) -> Option<()> {
        // The reply to the transaction that marked the group is there.
        let row = state.rows[group].unlocked()?;
        let seen = |child: Group| state.children[group][child].visible;
        let found = Group::ALL.into_iter().filter(|child| seen(*child)).count();
        if found != usize::from(row.children) {
            return None;
        }
        if self.has(Rule::ChildrenAreWhole) {
            for child in Group::ALL.into_iter().filter(|child| seen(*child)) {
                state.children[group][child].unlocked()?;
            }
        }
        let children = Group::ALL.map(|child| (child, seen(child)));
        if let Progress::Marking { to_mark, to_read, times_marked, .. } = &mut state.progress[index] {
            to_read[group] = false;
            for (child, _) in children.into_iter().filter(|(_, seen)| *seen) {
                let is_known = times_marked[child] > 0 && !self.has(Rule::MarkAgain);
                to_mark[child] |= !is_known;
                to_read[child] |= !self.has(Rule::MarkBeforeChildren);
            }
        }
        Some(())
    }

    fn read_parents(&self, state: &mut State, index: usize) {
        let Request::RemoveMark(group) = self.requests[index] else { return };
        let found = state.nests[group].visible;
        if let Progress::Removing { nest, to_read, .. } = &mut state.progress[index] {
            *nest = Some(found);
            *to_read = found.parents;
        }
    }

    fn read_parent(&self, state: &mut State, index: usize, parent: Group) {
        let row = state.rows[parent].visible;
        let is_guarded = if self.has(Rule::ParentsFirst) { row.is_guarded() } else { row.privileged };
        if let Progress::Removing { to_read, .. } = &mut state.progress[index] {
            to_read[parent] = false;
        }
        if is_guarded {
            state.progress[index] = Progress::Refused;
        }
    }

    /// Returns `None` while another transaction locks a row of this one.
    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        // That of the first group marked, which is never reached again.
        let mark = |group: Group| match state.progress[index] {
            Progress::Marking { times_marked, .. } => Some(Self::mark_of(index, times_marked[group] - 1)),
            _ => None,
        };
        let is_committed = match (self.requests[index], state.progress[index]) {
            (Request::ChangeMembers(group), _) => {
                let is_allowed = !state.shards[group] || !self.has(Rule::ShardHasNoMark);
                if is_allowed {
                    state.without_role(group);
                }
                is_allowed
            }
            (Request::Nest(parent, child), _) => {
                let is_guarded = state.rows[parent].unlocked()?.is_guarded();
                let is_allowed = !is_guarded || !self.has(Rule::ParentIsUnguarded);
                if is_allowed {
                    state.without_role(parent);
                    state.write_edge(parent, child, true)?;
                }
                is_allowed
            }
            (Request::NestWithRole(parent, child), Progress::Marking { .. }) => {
                let is_marked =
                    state.rows[child].unlocked()?.mark == mark(child) || !self.has(Rule::ChildMarkUnchanged);
                if is_marked {
                    state.write_edge(parent, child, true)?;
                }
                is_marked
            }
            (Request::NestWithRole(parent, child), _) => {
                let is_unguarded = !state.rows[parent].unlocked()?.is_guarded() || !self.has(Rule::ParentIsUnguarded);
                if is_unguarded {
                    state.write_edge(parent, child, true)?;
                }
                is_unguarded
            }
            (Request::Unnest(parent, child), _) => {
                let is_there = state.nests[child].unlocked()?.parents[parent];
                if is_there {
                    state.write_edge(parent, child, false)?;
                }
                is_there
            }
            (Request::Flag(group), _) => {
                let mut row = state.rows[group].unlocked()?;
                let is_marked = row.mark == mark(group) || !self.has(Rule::OwnMarkUnchanged);
                row.privileged = true;
                if is_marked {
                    state.rows[group].decided = Some(row);
                }
                is_marked
            }
            (Request::Unflag(group), _) => {
                let row = state.rows[group].unlocked()?;
                state.rows[group].decided = Some(Row { privileged: false, ..row });
                true
            }
            (Request::RemoveMark(group), Progress::Removing { mark, nest: Some(nest), .. }) => {
                let row = state.rows[group].unlocked()?;
                let is_same = row.mark == Some(mark) || !self.has(Rule::SameMark);
                let has_same_parents = state.nests[group].unlocked()? == nest || !self.has(Rule::SameParents);
                let is_left_over = !row.privileged && is_same && has_same_parents;
                if is_left_over {
                    state.rows[group].decided = Some(Row { mark: None, ..row });
                    state.shards[group] = false;
                }
                is_left_over
            }
            (Request::RemoveMark(_), _) => return None,
        };
        state.progress[index] = if is_committed { Progress::Done } else { Progress::Refused };
        Some(())
    }
}

impl Model for Guard {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            rows: PerGroup::default(),
            shards: PerGroup::default(),
            nests: PerGroup::default(),
            children: PerGroup::default(),
            progress: vec![Progress::Waiting; self.requests.len()],
            has_changed_privileged: false,
        };
        for (parent, child) in &self.before {
            state.rows[*parent].visible.children += 1;
            state.nests[*child].visible.parents[*parent] = true;
            state.children[*parent][*child].visible = true;
        }
        for group in &self.marked {
            state.rows[*group].visible.mark = Some(u8::MAX);
            state.shards[*group] = true;
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, progress) in state.progress.iter().enumerate() {
            let among = |groups: &PerGroup<bool>| {
                let groups = *groups;
                Group::ALL.into_iter().filter(move |group| groups[*group])
            };
            match progress {
                Progress::Waiting => actions.push(Action::Read(index)),
                Progress::Marking { to_mark, to_mark_shard, to_read, .. } => {
                    let open = actions.len();
                    actions.extend(among(to_mark).map(|group| Action::Mark(index, group)));
                    actions.extend(among(to_mark_shard).map(|group| Action::MarkShard(index, group)));
                    actions.extend(among(to_read).map(|group| Action::ReadChildren(index, group)));
                    if actions.len() == open {
                        actions.push(Action::Commit(index));
                    }
                }
                Progress::Removing { nest: None, .. } => actions.push(Action::ReadParents(index)),
                Progress::Removing { to_read, .. } if among(to_read).next().is_some() => {
                    actions.extend(among(to_read).map(|group| Action::ReadParent(index, group)));
                }
                Progress::Removing { .. } | Progress::Read(_) => actions.push(Action::Commit(index)),
                Progress::Done | Progress::Refused => {}
            }
        }
        for group in Group::ALL {
            actions.extend(state.rows[group].decided.map(|_| Action::ShowRow(group)));
            actions.extend(state.nests[group].decided.map(|_| Action::ShowNest(group)));
            let children = Group::ALL.into_iter().filter(|child| state.children[group][*child].decided.is_some());
            actions.extend(children.map(|child| Action::ShowChild(group, child)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Read(index) => self.read(&mut next, index),
            Action::Mark(index, group) => self.mark(&mut next, index, group)?,
            Action::MarkShard(index, group) => self.mark_shard(&mut next, index, group)?,
            Action::ReadChildren(index, group) => self.read_children(&mut next, index, group)?,
            Action::ReadParents(index) => self.read_parents(&mut next, index),
            Action::ReadParent(index, group) => self.read_parent(&mut next, index, group),
            Action::Commit(index) => self.commit(&mut next, index)?,
            Action::ShowRow(group) => next.rows[group].visible = next.rows[group].decided.take()?,
            Action::ShowNest(group) => next.nests[group].visible = next.nests[group].decided.take()?,
            Action::ShowChild(parent, child) => {
                next.children[parent][child].visible = next.children[parent][child].decided.take()?;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(GUARDED, |_: &Self, state: &State| !state.has_changed_privileged),
            Property::always(PAIRED, |_: &Self, state: &State| {
                let is_marked = |group: Group| state.rows[group].latest().mark.is_some();
                Group::ALL.into_iter().all(|group| is_marked(group) || !state.shards[group])
            }),
            Property::sometimes("a change without the role is made", |model: &Self, state: &State| {
                model.some_without_role(state, Progress::Done)
            }),
            Property::sometimes("a change without the role is refused", |model: &Self, state: &State| {
                model.some_without_role(state, Progress::Refused)
            }),
        ]
    }
}
