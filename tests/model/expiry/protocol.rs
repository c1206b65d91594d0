//! Rows, requests and steps of the protocol, with the conditions that can be left out.

use stateright::{Model, Property};

use crate::model::items::Item;

pub(super) const KEPT: &str = "no membership ends before its end";
pub(super) const NOT_STARTED: &str = "no membership starts that is not scheduled";
pub(super) const FORGOTTEN: &str = "each start and each end has a due row";
pub(super) const SHOWN: &str = "no reader of a group above sees a membership after its end";

/// The last second of the model.
const LAST: u8 = 3;

/// A condition that the protocol needs. Each can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The sweep ends a membership only with the end that it read.
    EndAsRead,
    /// The sweep starts a membership only with the schedule that it read.
    ScheduleAsRead,
    /// Each decision about the membership ends its schedule.
    DecisionEndsSchedule,
    /// A due row is written in the transaction of the end or the schedule.
    DueWithMembership,
    /// A due row is moved on only while the member row is as read.
    MemberAsRead,
    /// The same for the schedule.
    StartAsRead,
    /// An end is noted for the account in the transaction of the member row.
    NoteWithEnd,
    /// The note stays until the groups above have settled.
    NoteUntilSettled,
    /// A note is removed only as it was read: a plain read may show the member row of a change, and not yet its note.
    NoteAsRead,
}

/// A request, with a time. It is refused once that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Adds a member until this end, or changes the end of one.
    Add(Option<u8>),
    Remove,
    /// Adds a member from this time on.
    Schedule(u8),
}

/// A direct membership, with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Member {
    end: Option<u8>,
}

impl Member {
    fn has_expired(self, now: u8) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

/// Rows as a request or the sweep read them, at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Read {
    now: u8,
    member: Option<Member>,
    start: Option<u8>,
    note: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    Waiting,
    Read(Read),
    /// Committed without the due row, which is to be written for this time.
    WithoutDue(u8),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sweep {
    Idle,
    /// It has read a membership for the due row of this time.
    Read(u8, Read),
    /// The member row shows the end; the group above is next.
    EndedBelow(u8),
    /// All groups show the end; the rows are to be read again.
    Settled(u8),
    /// The due row is to be moved on.
    MoveOn(u8, Read),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    clock: u8,
    member: Item<Option<Member>>,
    /// Whether the group above has the member.
    above: Item<bool>,
    /// The end as noted for the account.
    note: Item<Option<u8>>,
    /// The start in the audit record.
    start: Item<Option<u8>>,
    /// The times of due rows.
    due: [bool; LAST as usize + 1],
    progress: Vec<Progress>,
    sweep: Sweep,
    /// Whether the last decision was that the membership ends, and its time came.
    is_over: bool,
    /// Whether the last decision was that the membership starts later.
    is_scheduled: bool,
    has_ended_wrongly: bool,
    has_started_wrongly: bool,
}

impl State {
    fn read(&self) -> Read {
        let (member, start, note) = (self.member.visible, self.start.visible, self.note.visible);
        Read { now: self.clock, member, start, note }
    }

    /// Whether the last transaction is visible, and its reply there.
    fn is_visible(&self) -> bool {
        self.member.decided.is_none()
            && self.above.decided.is_none()
            && self.note.decided.is_none()
            && self.start.decided.is_none()
    }

    /// How a reader of the group above sees the account.
    fn is_shown_above(&self) -> bool {
        let now = self.clock;
        match self.note.visible.is_some_and(|end| end <= now) {
            true => self.above.visible && self.member.visible.is_some_and(|member| !member.has_expired(now)),
            false => self.above.visible,
        }
    }

    fn is_due_by(&self, time: u8) -> bool {
        self.due[..=usize::from(time)].contains(&true)
    }
}

/// A step. The numbers are indices of requests, or times of due rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Tick,
    Read(usize),
    Commit(usize),
    WriteDue(usize),
    Look(u8),
    Sweep,
    Crash,
    Propagate,
    ShowMember,
    ShowAbove,
    ShowNote,
    ShowStart,
}

pub(super) struct Expiry {
    pub(super) requests: Vec<Request>,
    /// The rule that is left out.
    pub(super) without: Option<Rule>,
}

impl Expiry {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Returns `None` while another transaction locks a row of this one.
    fn commit(&self, state: &mut State, index: usize) -> Option<()> {
        let Progress::Read(read) = state.progress[index] else { return None };
        let (member, start) = (state.member.unlocked()?, state.start.unlocked()?);
        let is_member = read.member.is_some_and(|it| !it.has_expired(read.now));
        let as_read = member == read.member;
        state.progress[index] = Progress::Done;
        match self.requests[index] {
            Request::Add(end) if end.is_none_or(|end| end > read.now) => {
                if !as_read {
                    state.progress[index] = Progress::Waiting;
                    return Some(());
                }
                state.above.unlocked()?;
                state.member.decided = Some(Some(Member { end }));
                state.above.decided = Some(true);
                if end.is_some() && self.has(Rule::NoteWithEnd) {
                    state.note.unlocked()?;
                    state.note.decided = Some(end);
                }
                self.decide(state, is_member);
                self.write_due(state, index, end.map(|_| read.now));
            }
            Request::Remove if read.member.is_some() || read.start.is_some() => {
                if !as_read || (read.member.is_none() && start != read.start) {
                    state.progress[index] = Progress::Waiting;
                    return Some(());
                }
                state.above.unlocked()?;
                state.member.decided = Some(None);
                state.above.decided = Some(false);
                state.start.decided = Some(None).filter(|_| read.member.is_none());
                self.decide(state, false);
            }
            Request::Schedule(time) if time > read.now && !is_member => {
                // The account may be a member by now: the schedule starts nothing beside a membership.
                state.start.decided = Some(Some(time));
                state.is_scheduled = true;
                self.write_due(state, index, Some(time));
            }
            _ => {}
        }
        Some(())
    }

    /// Somebody has decided whether the account is a member.
    fn decide(&self, state: &mut State, was_member: bool) {
        (state.is_over, state.is_scheduled) = (false, false);
        if !was_member && state.start.decided.is_none() && self.has(Rule::DecisionEndsSchedule) {
            state.start.decided = Some(None);
        }
    }

    fn write_due(&self, state: &mut State, index: usize, time: Option<u8>) {
        let Some(time) = time else { return };
        match self.has(Rule::DueWithMembership) {
            true => state.due[usize::from(time)] = true,
            false => state.progress[index] = Progress::WithoutDue(time),
        }
    }

    fn sweep(&self, state: &mut State) -> Option<()> {
        // The reply to the step before is there.
        match state.sweep {
            Sweep::Idle => return None,
            Sweep::Read(at, read) => {
                if read.start.is_some_and(|start| start <= read.now) {
                    self.start(state, read)?;
                    state.sweep = Sweep::Idle;
                } else if read.note.or(read.member.and_then(|it| it.end)).is_some_and(|end| end <= read.now) {
                    self.end(state, at, read)?;
                } else {
                    state.sweep = Sweep::MoveOn(at, read);
                }
            }
            Sweep::EndedBelow(at) => {
                let is_member = state.member.unlocked()?.is_some();
                state.above.unlocked()?;
                state.above.decided = Some(is_member);
                state.sweep = Sweep::Settled(at);
            }
            Sweep::Settled(at) => {
                state.above.unlocked()?;
                state.sweep = Sweep::MoveOn(at, state.read());
            }
            Sweep::MoveOn(at, read) => {
                self.move_on(state, at, read)?;
                state.sweep = Sweep::Idle;
            }
        }
        Some(())
    }

    fn start(&self, state: &mut State, read: Read) -> Option<()> {
        let (member, start) = (state.member.unlocked()?, state.start.unlocked()?);
        state.above.unlocked()?;
        if start != read.start && self.has(Rule::ScheduleAsRead) {
            return Some(());
        }
        state.start.decided = Some(None);
        // Beside a membership, only the schedule is dropped.
        if member.is_none() && read.member.is_none() {
            state.has_started_wrongly |= !state.is_scheduled;
            state.member.decided = Some(Some(Member { end: None }));
            state.above.decided = Some(true);
            (state.is_over, state.is_scheduled) = (false, false);
        }
        Some(())
    }

    fn end(&self, state: &mut State, at: u8, read: Read) -> Option<()> {
        let member = state.member.unlocked()?;
        if read.member.is_some_and(|it| it.has_expired(read.now))
            && (member == read.member || !self.has(Rule::EndAsRead))
        {
            state.has_ended_wrongly |= member.is_some_and(|it| !it.has_expired(state.clock));
            state.member.decided = Some(None);
            if !self.has(Rule::NoteUntilSettled) {
                state.note.unlocked()?;
                state.note.decided = Some(None);
            }
        }
        state.sweep = Sweep::EndedBelow(at);
        Some(())
    }

    fn move_on(&self, state: &mut State, at: u8, read: Read) -> Option<()> {
        let (member, start) = (state.member.unlocked()?, state.start.unlocked()?);
        let note = state.note.unlocked()?;
        let is_same_member = member == read.member || !self.has(Rule::MemberAsRead);
        let is_same_start = start == read.start || !self.has(Rule::StartAsRead);
        let end = read.member.and_then(|member| member.end);
        let forgets_note = read.note.is_some() && read.note != end;
        let is_same_note = !forgets_note || note == read.note || !self.has(Rule::NoteAsRead);
        if !is_same_member || !is_same_start || !is_same_note {
            return Some(());
        }
        if forgets_note {
            state.note.decided = Some(None);
        }
        state.due[usize::from(at)] = false;
        if let Some(next) = [end, read.start].into_iter().flatten().min() {
            state.due[usize::from(next)] = true;
        }
        Some(())
    }
}

impl Model for Expiry {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            clock: 0,
            member: Item::default(),
            above: Item::default(),
            note: Item::default(),
            start: Item::default(),
            due: [false; LAST as usize + 1],
            progress: vec![Progress::Waiting; self.requests.len()],
            sweep: Sweep::Idle,
            is_over: false,
            is_scheduled: false,
            has_ended_wrongly: false,
            has_started_wrongly: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // A transaction is visible long before a second has passed.
        if state.clock < LAST && state.is_visible() {
            actions.push(Action::Tick);
        }
        for (index, progress) in state.progress.iter().enumerate() {
            actions.extend(match progress {
                Progress::Waiting => Some(Action::Read(index)),
                Progress::Read(_) => Some(Action::Commit(index)),
                Progress::WithoutDue(_) => Some(Action::WriteDue(index)),
                Progress::Done => None,
            });
        }
        if state.sweep == Sweep::Idle {
            let due = (0..=state.clock).filter(|time| state.due[usize::from(*time)]);
            actions.extend(due.map(Action::Look));
        } else {
            actions.extend([Action::Sweep, Action::Crash]);
        }
        if state.is_visible() && state.above.visible != state.member.visible.is_some() {
            actions.push(Action::Propagate);
        }
        actions.extend(state.member.decided.map(|_| Action::ShowMember));
        actions.extend(state.above.decided.map(|_| Action::ShowAbove));
        actions.extend(state.note.decided.map(|_| Action::ShowNote));
        actions.extend(state.start.decided.map(|_| Action::ShowStart));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Tick => {
                next.clock += 1;
                next.is_over |= state.member.visible.is_some_and(|member| member.end == Some(next.clock));
            }
            Action::Read(index) => next.progress[index] = Progress::Read(state.read()),
            Action::Commit(index) => self.commit(&mut next, index)?,
            Action::WriteDue(index) => {
                let Progress::WithoutDue(time) = state.progress[index] else { return None };
                next.due[usize::from(time)] = true;
                next.progress[index] = Progress::Done;
            }
            Action::Look(at) => next.sweep = Sweep::Read(at, state.read()),
            Action::Sweep => self.sweep(&mut next)?,
            Action::Crash => next.sweep = Sweep::Idle,
            Action::Propagate => next.above.decided = Some(state.member.visible.is_some()),
            Action::ShowMember => next.member.visible = next.member.decided.take()?,
            Action::ShowAbove => next.above.visible = next.above.decided.take()?,
            Action::ShowNote => next.note.visible = next.note.decided.take()?,
            Action::ShowStart => next.start.visible = next.start.decided.take()?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(KEPT, |_: &Self, state: &State| !state.has_ended_wrongly),
            Property::always(NOT_STARTED, |_: &Self, state: &State| !state.has_started_wrongly),
            Property::always(FORGOTTEN, |_: &Self, state: &State| {
                let end = state.member.latest().and_then(|member| member.end);
                let times = [end, state.start.latest()].into_iter().flatten();
                times.into_iter().all(|time| state.is_due_by(time))
            }),
            Property::always(SHOWN, |_: &Self, state: &State| !state.is_over || !state.is_shown_above()),
            Property::sometimes("the clock reaches the last second", |_: &Self, state: &State| state.clock == LAST),
        ]
    }
}
