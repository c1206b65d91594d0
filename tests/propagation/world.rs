//! A few groups and accounts, operations on them, and a naive oracle of the result.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use shared::app::Effect;
use shared::domain::{
    Account, AccountId, AccountVersion, AddOutcome, Clock, Error, Group, GroupChanges, GroupId, GroupName,
    GroupProfile, Limit, MemberChange, MembershipRequest, MembershipType, Missing, Moment, Precondition, RemoveOutcome,
    RequestOutcome, Timestamp, Validity,
};
use shared::store::{MemberFilter, Store, Unsettled};
use tokio::time::Instant;

use super::client::Actor;
use crate::harness::clock::{TestClock, later};
use crate::harness::exchange::Listener;
use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{Api, account, administer, event_source, manage, read, version};

/// Names that share substrings. The search rows of the last need more than one transaction.
pub const NAMES: [&str; 4] = ["World", "aab", "baa baa", "ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ"];

/// A step of a history. Numbers are indices of groups and accounts in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add(usize, usize),
    Remove(usize, usize),
    /// Adds for so many seconds.
    AddUntil(usize, usize, u8),
    /// Adds from so many seconds on, for so many.
    Schedule(usize, usize, u8, u8),
    /// Lets so many seconds pass.
    Wait(u8),
    /// Starts and ends the memberships whose time has come.
    Sweep,
    /// Applies an event that requests a membership, or its end.
    Request(usize, usize, bool),
    /// Applies one of the earlier requests again, drawn by the seed.
    RepeatRequest(u64),
    Nest(usize, usize),
    Unnest(usize, usize),
    /// Deletes the group and creates another one at its index.
    ReplaceGroup(usize),
    /// Renames the group to one of [`NAMES`].
    RenameGroup(usize, usize),
    /// Describes the account, under a new name.
    RenameAccount(usize),
    DeleteAccount(usize),
    /// Delivers some of the waiting records in an order drawn by the seed. Keeps one in ten for a second delivery.
    Deliver(u64),
}

/// The oracle: the expected state of the table at rest.
#[derive(Debug, Default)]
struct Expected {
    /// Direct memberships, by group and account.
    direct: BTreeSet<(usize, usize)>,
    /// When direct memberships end.
    ends: BTreeMap<(usize, usize), Timestamp>,
    /// When scheduled memberships start and end.
    schedules: BTreeMap<(usize, usize), (Timestamp, Timestamp)>,
    /// Edges, by parent and child.
    nested: BTreeSet<(usize, usize)>,
    /// Accounts that exist.
    known: BTreeSet<usize>,
}

impl Expected {
    /// Ends the direct memberships whose time has come.
    fn expire(&mut self, now: Timestamp) {
        let (direct, ends) = (&mut self.direct, &mut self.ends);
        ends.retain(|place, end| *end > now || !direct.remove(place));
        ends.retain(|place, _| direct.contains(place));
    }

    /// Starts the scheduled memberships whose time has come.
    fn start(&mut self, now: Timestamp) {
        let started: Vec<_> = self.schedules.extract_if(.., |_, (start, _)| *start <= now).collect();
        for (place, (_, end)) in started {
            if end > now && self.direct.insert(place) {
                self.ends.insert(place, end);
            }
        }
    }

    /// Somebody decided that the account is a direct member, until its end, or none.
    fn decide(&mut self, place: (usize, usize), is_direct: bool, end: Option<Timestamp>) {
        self.schedules.remove(&place);
        self.ends.remove(&place);
        match is_direct {
            true => self.direct.insert(place),
            false => self.direct.remove(&place),
        };
        self.ends.extend(end.map(|end| (place, end)));
    }

    fn forget(&mut self, is_gone: impl Fn(&(usize, usize)) -> bool) {
        self.direct.retain(|place| !is_gone(place));
        self.ends.retain(|place, _| !is_gone(place));
        self.schedules.retain(|place, _| !is_gone(place));
    }
}

/// The API with its stream, and the oracle.
pub struct World {
    pub api: Api,
    pub pump: Pump,
    clock: TestClock,
    groups: Vec<GroupId>,
    accounts: Vec<AccountId>,
    version: i64,
    expected: Expected,
    /// Requests that were applied.
    applied: Vec<MembershipRequest>,
    /// Whether writes settle themselves as API functions do, instead of leaving propagation to the stream.
    inline: bool,
}

impl World {
    pub async fn new(groups: usize, accounts: usize, inline: bool, faults: &Faults) -> Self {
        let clock = TestClock::new();
        let api = Api::start_clocked(|_| {}, &clock, Some(faults)).await;
        let pump = Pump::of(&api).await;
        let accounts = (0..accounts).map(|index| account(&format!("acc-{index}")).id).collect();
        let expected = Expected::default();
        let (groups_made, applied) = (Vec::new(), Vec::new());
        let groups = (groups, groups_made);
        let mut world = Self { api, pump, clock, groups: groups.1, accounts, version: 0, expected, applied, inline };
        let groups = groups.0;
        for _ in 0..groups {
            let id = world.create().await;
            world.groups.push(id);
        }
        for index in 0..world.accounts.len() {
            world.rename_account(index).await;
        }
        world
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn store(&self) -> &Store {
        &self.api.app.store
    }

    async fn create(&self) -> GroupId {
        let profile = GroupProfile::named(GroupName::parse("World").unwrap());
        let group = Group::new(self.api.app.new_group_id(), profile, self.now());
        self.store().create_group(&administer(), group, None, None).await.unwrap().leave_to_stream().id
    }

    async fn rename_account(&mut self, index: usize) {
        self.version += 1;
        let (id, version) = (self.accounts[index].clone(), version(self.version));
        let account = Account { name: format!("name {}", self.version), version, ..account(id.as_str()) };
        self.store().put_account(&event_source(), &account).await.unwrap();
        self.expected.known.insert(index);
    }

    /// Performs one operation. Asserts its result.
    pub async fn apply(&mut self, operation: Operation) {
        self.expected.expire(self.now());
        match operation {
            Operation::AddUntil(group, account, seconds) => self.add_until(group, account, seconds).await,
            Operation::Schedule(group, account, after, seconds) => {
                self.schedule(group, account, after, seconds).await;
            }
            Operation::Wait(seconds) => self.clock.advance(seconds.into()),
            Operation::Sweep => self.sweep().await,
            Operation::Add(group, account) => self.change(group, account, true).await,
            Operation::Remove(group, account) => self.change(group, account, false).await,
            Operation::Request(group, account, adds) => self.apply_request(group, account, adds).await,
            Operation::RepeatRequest(seed) => self.repeat_request(seed).await,
            Operation::Nest(parent, child) => self.nest(parent, child).await,
            Operation::Unnest(parent, child) => self.unnest(parent, child).await,
            Operation::ReplaceGroup(group) => {
                let deleted = self
                    .store()
                    .delete_group(&administer(), &self.groups[group], &Precondition::NONE, self.now())
                    .await
                    .unwrap();
                self.settle(deleted).await;
                self.groups[group] = self.create().await;
                self.expected.forget(|(of, _)| *of == group);
                self.expected.nested.retain(|(parent, child)| *parent != group && *child != group);
            }
            Operation::RenameAccount(account) => self.rename_account(account).await,
            Operation::RenameGroup(group, name) => self.rename_group(group, NAMES[name]).await,
            Operation::DeleteAccount(account) => {
                // The version may be the account's current one: among events of one moment, the deletion wins.
                let id = self.accounts[account].clone();
                self.store()
                    .delete_account(
                        &event_source(),
                        &id,
                        AccountVersion::deleted(Moment::from_unix_nanos(self.version)),
                    )
                    .await
                    .unwrap();
                self.expected.known.remove(&account);
                self.expected.forget(|(_, of)| *of == account);
            }
            Operation::Deliver(seed) => self.deliver(seed).await,
        }
    }

    async fn change(&mut self, group: usize, index: usize, adds: bool) {
        let (id, account) = (self.groups[group], self.accounts[index].clone());
        let was_direct = self.expected.direct.contains(&(group, index));
        let known = self.expected.known.contains(&index);
        if adds {
            let added = self
                .store()
                .add_member(&manage(), &id, account, Validity::default(), &Precondition::NONE, self.now())
                .await
                .unwrap();
            let (outcome, settled) = self.settle(added).await;
            assert!(settled);
            match outcome {
                AddOutcome::UnknownAccount => assert!(!known),
                AddOutcome::AlreadyMember(_) => assert!(known && was_direct),
                AddOutcome::Added(_) => {
                    assert!(known && !was_direct);
                    self.expected.decide((group, index), true, None);
                }
                AddOutcome::Scheduled(..) => panic!("it starts at once"),
            }
        } else {
            let removed =
                self.store().remove_member(&manage(), &id, account, &Precondition::NONE, self.now()).await.unwrap();
            let (outcome, settled) = self.settle(removed).await;
            assert!(settled);
            match outcome {
                RemoveOutcome::Removed | RemoveOutcome::OnlyIndirect(_) => {
                    self.expected.decide((group, index), false, None);
                }
                RemoveOutcome::NotMember => {
                    assert!(!was_direct && !self.expected.schedules.contains_key(&(group, index)));
                }
            }
        }
    }

    async fn add_until(&mut self, group: usize, index: usize, seconds: u8) {
        let end = later(self.now(), i64::from(seconds) + 1);
        let validity = Validity { starts_at: None, expires_at: Some(Some(end)) };
        let (id, account) = (self.groups[group], self.accounts[index].clone());
        let now = self.now();
        let added = self.store().add_member(&manage(), &id, account, validity, &Precondition::NONE, now).await;
        match self.settle(added.unwrap()).await.0 {
            AddOutcome::UnknownAccount => assert!(!self.expected.known.contains(&index)),
            AddOutcome::Added(member) | AddOutcome::AlreadyMember(member) => {
                assert_eq!(member.expires_at, Some(end));
                self.expected.decide((group, index), true, Some(end));
            }
            AddOutcome::Scheduled(..) => panic!("it starts at once"),
        }
    }

    async fn schedule(&mut self, group: usize, index: usize, after: u8, seconds: u8) {
        let start = later(self.now(), i64::from(after) + 1);
        let end = later(start, i64::from(seconds) + 1);
        let validity = Validity { starts_at: Some(start), expires_at: Some(Some(end)) };
        let (id, account) = (self.groups[group], self.accounts[index].clone());
        let was_direct = self.expected.direct.contains(&(group, index));
        match self.store().add_member(&manage(), &id, account, validity, &Precondition::NONE, self.now()).await {
            Err(error) => assert!(error == Error::HasStarted && was_direct, "{error}"),
            Ok(added) => match added.leave_to_stream() {
                AddOutcome::UnknownAccount => assert!(!self.expected.known.contains(&index)),
                AddOutcome::Scheduled(member, starts_at) => {
                    assert!(!was_direct && (starts_at, member.expires_at) == (start, Some(end)));
                    self.expected.schedules.insert((group, index), (start, end));
                }
                outcome => panic!("{outcome:?}"),
            },
        }
    }

    async fn sweep(&mut self) {
        assert_eq!(self.api.expire_members().await["left"], json!(0));
        self.expected.start(self.now());
    }

    /// Finishes the effects of a write as a function does, where the history is inline; otherwise leaves them to the stream.
    async fn settle<T, E: Effect>(&self, written: Unsettled<T, E>) -> (T, bool) {
        if !self.inline {
            return (written.leave_to_stream(), true);
        }
        self.api.app.settle(&administer(), written).await
    }

    /// Builds a request that is later than every earlier change.
    fn new_request(&mut self, group: GroupId, account: AccountId, adds: bool) -> MembershipRequest {
        self.version += 1;
        let requested_at =
            Moment::from_unix_nanos(Moment::from(self.now()).unix_nanos() + 1_000_000_000 + self.version);
        let change = if adds { MemberChange::add(account) } else { MemberChange::Remove(account) };
        MembershipRequest { id: self.version.to_string(), requested_at, group, change }
    }

    async fn apply_request(&mut self, group: usize, index: usize, adds: bool) {
        let request = self.new_request(self.groups[group], self.accounts[index].clone(), adds);
        let known = self.expected.known.contains(&index);
        match self.store().apply_request(&event_source(), &request, true, self.now()).await.unwrap() {
            RequestOutcome::UnknownAccount => return assert!(adds && !known),
            RequestOutcome::OnlyIndirect(_) => assert!(!adds),
            RequestOutcome::TooMany => panic!("no two are of one moment"),
            RequestOutcome::Changed | RequestOutcome::Unchanged => assert!(known || !adds),
        }
        self.applied.push(request);
        let end = self.expected.ends.get(&(group, index)).copied().filter(|_| adds);
        self.expected.decide((group, index), adds, end);
    }

    async fn repeat_request(&self, seed: u64) {
        let Some(request) = fastrand::Rng::with_seed(seed).choice(&self.applied) else { return };
        match self.store().apply_request(&event_source(), request, true, self.now()).await {
            Ok(outcome) => assert!(matches!(outcome, RequestOutcome::Unchanged | RequestOutcome::OnlyIndirect(_))),
            Err(error) => assert_eq!(error, Error::Missing(Missing::Group)),
        }
    }

    async fn rename_group(&self, group: usize, name: &str) {
        let (id, name) = (self.groups[group], Some(GroupName::parse(name).unwrap()));
        let changes = GroupChanges { name, ..GroupChanges::default() };
        let renamed = self
            .store()
            .update_group(&administer(), &id, &changes, &Precondition::NONE, None, self.now())
            .await
            .unwrap();
        self.settle(renamed).await;
    }

    /// Whether the group is the other one or a descendant of it.
    fn is_in(&self, group: usize, other: usize) -> bool {
        let edges_to_parents = self.expected.nested.iter().filter(|(_, child)| *child == group);
        group == other || edges_to_parents.into_iter().any(|(parent, _)| self.is_in(*parent, other))
    }

    async fn nest(&mut self, parent: usize, child: usize) {
        let makes_cycle = self.is_in(parent, child);
        // The edges of a deleted group may block others until its job has removed them.
        let store = self.store().until(Instant::now() + Duration::from_secs(if makes_cycle { 60 } else { 2 }));
        match store
            .nest_group(&administer(), &self.groups[parent], &self.groups[child], &Precondition::NONE, self.now())
            .await
        {
            Ok(nested) => {
                assert!(!makes_cycle);
                self.expected.nested.insert((parent, child));
                self.settle(nested).await;
            }
            Err(Error::Cycle(_)) => assert!(makes_cycle),
            Err(Error::Unavailable { .. }) => assert!(!makes_cycle),
            Err(error) => panic!("{error}"),
        }
    }

    async fn unnest(&mut self, parent: usize, child: usize) {
        let was_nested = self.expected.nested.remove(&(parent, child));
        let (parent, child) = (self.groups[parent], self.groups[child]);
        match self.store().unnest_group(&administer(), &parent, &child, &Precondition::NONE, self.now()).await {
            Ok(unnested) => {
                assert!(was_nested);
                self.settle(unnested).await;
            }
            Err(Error::Missing(Missing::Nesting)) => assert!(!was_nested),
            Err(error) => panic!("{error}"),
        }
    }

    async fn deliver(&mut self, seed: u64) {
        self.pump.fetch().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut waiting: Vec<Value> = self.pump.waiting.drain(..).collect();
        random.shuffle(&mut waiting);
        let batch = waiting.split_off(random.usize(0..=waiting.len()));
        let duplicates = batch.iter().filter(|_| random.u8(0..10) == 0).cloned();
        waiting.extend(duplicates);
        self.pump.waiting.extend(waiting);
        self.pump.deliver(&self.api.app, batch).await;
    }

    /// Asserts that single members are those of the oracle, by the clock: at rest, but before the sweep.
    pub async fn assert_reads_go_by_the_clock(&mut self) {
        self.pump.drain(&self.api.app).await;
        self.expected.expire(self.now());
        for (group, id) in self.groups.iter().enumerate() {
            for (index, account) in self.accounts.iter().enumerate() {
                let expected = self.expected_type(group, index);
                let member = self.store().require_member(&read(), id, account, self.now()).await;
                assert_eq!(member.ok().map(|it| it.membership.membership_type()), expected);
                let paths =
                    self.store().find_membership_paths(&read(), id, account, Limit::MAX_PATHS, self.now()).await;
                assert_eq!(paths.is_ok(), expected.is_some());
                if self.expected.known.contains(&index) {
                    let groups = BTreeSet::from([*id]);
                    let checks = self.store().check_memberships(&read(), account, &groups, self.now()).await.unwrap();
                    assert_eq!(checks.get(id).copied(), expected);
                }
            }
        }
    }

    /// Starts and ends memberships, delivers all records and publishes over a faulty bus. Asserts that the table is sound, that a listener to
    /// duplicated and reordered events knows it, and that no job is left.
    pub async fn rest(&mut self) {
        self.expected.expire(self.now());
        self.sweep().await;
        self.pump.drain(&self.api.app).await;
        assert_sound(&violations(&self.api).await);
        let faults = Faults::default();
        let publish_deps = self.api.publish_events_deps(&faults.start_proxy(&self.api.bus_endpoint()).await);
        faults.at_random(20, fastrand::u64(..));
        Pump::publishing(&self.api).await.drain(&publish_deps).await;
        let mut published = self.api.published();
        published.extend(fastrand::choose_multiple(published.clone(), published.len() / 4));
        fastrand::shuffle(&mut published);
        let mut listener = Listener::default();
        published.iter().for_each(|event| listener.hear(event));
        listener.assert_knows(&self.api).await;
        let jobs = self.api.store.list_jobs().await.unwrap();
        assert!(jobs.is_empty(), "{jobs:?}");
    }

    /// Asserts that the members of all groups are those of the oracle.
    pub async fn assert_as_expected(&self) {
        for (index, id) in self.groups.iter().enumerate() {
            let (page, count) = self
                .api
                .store
                .list_members(&read(), id, &MemberFilter::default(), Limit::MAX_MEMBERS, None)
                .await
                .unwrap();
            let found: BTreeMap<AccountId, MembershipType> =
                page.items.into_iter().map(|member| (member.account.id, member.membership.membership_type())).collect();
            let expected: BTreeMap<AccountId, MembershipType> = (0..self.accounts.len())
                .filter_map(|account| Some((self.accounts[account].clone(), self.expected_type(index, account)?)))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(count, expected.len() as u64);
        }
    }

    fn expected_type(&self, group: usize, account: usize) -> Option<MembershipType> {
        if self.expected.direct.contains(&(group, account)) {
            return Some(MembershipType::Direct);
        }
        let inherits = |other: usize| self.expected.direct.contains(&(other, account)) && self.is_in(other, group);
        (0..self.groups.len()).any(inherits).then_some(MembershipType::Indirect)
    }

    /// Returns a client of this world that does not consult the oracle.
    pub fn actor(&self) -> Actor {
        let (groups, accounts) = (self.groups.clone(), self.accounts.clone());
        let (app, clock) = (self.api.app.clone(), self.clock.clone());
        let expire = self.api.expire_members_deps();
        Actor { app, expire, clock, groups, accounts, version: Cell::new(self.version) }
    }
}
