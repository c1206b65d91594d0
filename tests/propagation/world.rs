//! A few groups and accounts, what is done to them, and what that must come to.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use shared::app::App;
use shared::authz::Granted;
use shared::domain::group::Description;
use shared::domain::{
    Account, AccountId, AccountVersion, Change, Error, Group, GroupChanges, GroupId, GroupName, GroupProfile,
    GroupType, JobKind, Limit, MembershipRequest, MembershipType, Missing, Moment, Outcome, RequestOutcome,
};
use shared::store::Store;
use tokio::time::Instant;

use crate::harness::exchange::Listener;
use crate::harness::faults::Faults;
use crate::harness::pump::{Pump, assert_sound, violations};
use crate::harness::{self, Api, account, administer, ingest, now, read, version};

/// Names with parts in common; the last takes more than one transaction.
pub const NAMES: [&str; 4] = ["World", "aab", "baa baa", "ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ ﷺ"];

/// Something that a history does. Groups and accounts are places in the world, whatever is there at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add(usize, usize),
    Remove(usize, usize),
    /// Another system asks for an account to be a member, or none.
    Ask(usize, usize, bool),
    /// One of the requests that were done, drawn by the seed, comes again.
    AskAgain(u64),
    Nest(usize, usize),
    Unnest(usize, usize),
    /// Another group takes the place.
    Replace(usize),
    /// The group is named anew: one of [`NAMES`].
    Retitle(usize, usize),
    Rename(usize),
    DeleteAccount(usize),
    /// Some of the records that wait, in an order drawn by the seed; of ten one is kept to come again.
    Deliver(u64),
}

/// What there is, as everyone should see it once all is at rest.
#[derive(Debug, Default)]
struct Expected {
    direct: BTreeSet<(usize, usize)>,
    nested: BTreeSet<(usize, usize)>,
    known: BTreeSet<usize>,
}

/// The table, the stream, and what should be there.
pub struct World {
    pub api: Api,
    pub pump: Pump,
    groups: Vec<GroupId>,
    accounts: Vec<AccountId>,
    version: i64,
    expected: Expected,
    /// Requests that have decided.
    asked: Vec<MembershipRequest>,
    /// Whether API functions bring up what follows from their writes themselves.
    inline: bool,
}

impl World {
    pub async fn new(groups: usize, accounts: usize, inline: bool, faults: &Faults) -> Self {
        let api = Api::start_streaming(|_| {}, faults).await;
        let pump = Pump::of(&api).await;
        let accounts = (0..accounts).map(|index| account(&format!("acc-{index}")).id).collect();
        let expected = Expected::default();
        let (groups_made, asked) = (Vec::new(), Vec::new());
        let mut world = Self { api, pump, groups: groups_made, accounts, version: 0, expected, asked, inline };
        for _ in 0..groups {
            let id = world.create().await;
            world.groups.push(id);
        }
        for index in 0..world.accounts.len() {
            world.rename(index).await;
        }
        world
    }

    fn store(&self) -> &Store {
        &self.api.app.store
    }

    async fn create(&self) -> GroupId {
        let profile = GroupProfile {
            name: GroupName::parse("World").unwrap(),
            description: Description::default(),
            group_type: GroupType::Security,
            is_privileged: false,
        };
        let group = Group::new(self.api.app.new_group_id(), profile, now());
        self.store().create_group(&administer(), group, None).await.unwrap().group.id
    }

    async fn rename(&mut self, index: usize) {
        self.version += 1;
        let (id, version) = (self.accounts[index].clone(), version(self.version));
        let account = Account { name: format!("name {}", self.version), version, ..account(id.as_str()) };
        self.store().put_account(&ingest(), &account).await.unwrap();
        self.expected.known.insert(index);
    }

    /// Does one operation and holds that it answers as it must.
    pub async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Add(group, account) => self.change(group, account, true).await,
            Operation::Remove(group, account) => self.change(group, account, false).await,
            Operation::Ask(group, account, adds) => self.ask(group, account, adds).await,
            Operation::AskAgain(seed) => self.ask_again(seed).await,
            Operation::Nest(parent, child) => self.nest(parent, child).await,
            Operation::Unnest(parent, child) => self.unnest(parent, child).await,
            Operation::Replace(group) => {
                self.store().delete_group(&administer(), &self.groups[group], None, now()).await.unwrap();
                self.groups[group] = self.create().await;
                self.expected.direct.retain(|(of, _)| *of != group);
                self.expected.nested.retain(|(parent, child)| *parent != group && *child != group);
            }
            Operation::Rename(account) => self.rename(account).await,
            Operation::Retitle(group, name) => self.retitle(group, NAMES[name]).await,
            Operation::DeleteAccount(account) => {
                // Perhaps that of the account itself: of one moment, the deletion stands.
                let id = self.accounts[account].clone();
                self.store()
                    .delete_account(&ingest(), &id, AccountVersion::deleted(Moment::from_unix_nanos(self.version)))
                    .await
                    .unwrap();
                self.expected.known.remove(&account);
                self.expected.direct.retain(|(_, of)| *of != account);
            }
            Operation::Deliver(seed) => self.deliver(seed).await,
        }
    }

    async fn change(&mut self, group: usize, index: usize, adds: bool) {
        let (id, account) = (self.groups[group], self.accounts[index].clone());
        let change = if adds { Change::Add(account.clone()) } else { Change::Remove(account.clone()) };
        let outcome = self.store().change_member(&administer(), &id, change, now()).await.unwrap();
        let was_direct = self.expected.direct.contains(&(group, index));
        let known = self.expected.known.contains(&index);
        match (adds, outcome) {
            (true, Outcome::UnknownAccount) => assert!(!known),
            // Of an account that was deleted and came back, old memberships may not all be gone yet.
            (true, Outcome::Added(_) | Outcome::AlreadyMember(_)) => {
                assert!(known);
                self.expected.direct.insert((group, index));
            }
            (false, Outcome::Removed | Outcome::OnlyIndirect(_)) => {
                self.expected.direct.remove(&(group, index));
            }
            (false, Outcome::NotDirectMember) => assert!(!was_direct),
            (_, outcome) => panic!("{outcome:?}"),
        }
        if self.inline {
            assert!(self.api.app.settle_members(&administer(), &id, &[account]).await);
        }
    }

    /// A request of now, which is later than whatever was decided before.
    fn request(&mut self, group: GroupId, account: AccountId, adds: bool) -> MembershipRequest {
        self.version += 1;
        let requested_at = Moment::from_unix_nanos(Moment::from(now()).unix_nanos() + 1_000_000_000 + self.version);
        let change = if adds { Change::Add(account) } else { Change::Remove(account) };
        MembershipRequest { id: self.version.to_string(), requested_at, group, change }
    }

    async fn ask(&mut self, group: usize, index: usize, adds: bool) {
        let request = self.request(self.groups[group], self.accounts[index].clone(), adds);
        let known = self.expected.known.contains(&index);
        match self.store().apply_request(&ingest(), &request, now()).await.unwrap() {
            RequestOutcome::UnknownAccount => return assert!(adds && !known),
            RequestOutcome::OnlyIndirect(_) => assert!(!adds),
            RequestOutcome::Changed | RequestOutcome::Unchanged => assert!(known || !adds),
        }
        self.asked.push(request);
        match adds {
            true => self.expected.direct.insert((group, index)),
            false => self.expected.direct.remove(&(group, index)),
        };
    }

    async fn ask_again(&self, seed: u64) {
        let Some(request) = fastrand::Rng::with_seed(seed).choice(&self.asked) else { return };
        match self.store().apply_request(&ingest(), request, now()).await {
            // One that could not be done is told so again.
            Ok(outcome) => assert!(matches!(outcome, RequestOutcome::Unchanged | RequestOutcome::OnlyIndirect(_))),
            Err(error) => assert_eq!(error, Error::Missing(Missing::Group)),
        }
    }

    async fn retitle(&self, group: usize, name: &str) {
        let (id, name) = (self.groups[group], Some(GroupName::parse(name).unwrap()));
        let changes = GroupChanges { name, ..GroupChanges::default() };
        let saved = self.store().update_group(&administer(), &id, &changes, None, now()).await.unwrap();
        if self.inline {
            self.api.app.settle_name(&administer(), &saved.pending.unwrap()).await;
        }
    }

    /// Whether the group is, by nestings there are, in the other.
    fn is_in(&self, group: usize, other: usize) -> bool {
        let above = self.expected.nested.iter().filter(|(_, child)| *child == group);
        group == other || above.into_iter().any(|(parent, _)| self.is_in(*parent, other))
    }

    async fn nest(&mut self, parent: usize, child: usize) {
        let makes_cycle = self.is_in(parent, child);
        // A group that is deleted and still nested may stand in the way for a while.
        let store = self.store().until(Instant::now() + Duration::from_secs(if makes_cycle { 60 } else { 2 }));
        match store.nest_group(&administer(), &self.groups[parent], &self.groups[child], now()).await {
            Ok(nested) => {
                assert!(!makes_cycle);
                self.expected.nested.insert((parent, child));
                if self.inline {
                    self.api.app.settle_job(&administer(), &JobKind::Backfill(nested.edge)).await;
                }
            }
            Err(Error::Cycle(_)) => assert!(makes_cycle),
            Err(Error::Unavailable { .. }) => assert!(!makes_cycle),
            Err(error) => panic!("{error}"),
        }
    }

    async fn unnest(&mut self, parent: usize, child: usize) {
        let was_nested = self.expected.nested.remove(&(parent, child));
        let (parent, child) = (self.groups[parent], self.groups[child]);
        match self.store().unnest_group(&administer(), &parent, &child, now()).await {
            Ok(edge) => {
                assert!(was_nested);
                if self.inline {
                    self.api.app.settle_job(&administer(), &JobKind::Sweep(edge)).await;
                }
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
        let some = waiting.split_off(random.usize(0..=waiting.len()));
        let again = some.iter().filter(|_| random.u8(0..10) == 0).cloned();
        waiting.extend(again);
        self.pump.waiting.extend(waiting);
        self.pump.deliver(&self.api.app, some).await;
    }

    /// Works through everything, and holds that the table is sound, and that whoever hears what is published knows all of
    /// it, in whatever order they hear it and however often, over a bus that loses some of it.
    pub async fn rest(&mut self) {
        self.pump.drain(&self.api.app).await;
        assert_sound(&violations(&self.api).await);
        let faults = Faults::default();
        let outlet = self.api.outlet(&faults.stand_before(&self.api.bus_endpoint()).await);
        faults.at_random(20, fastrand::u64(..));
        Pump::publishing(&self.api).await.drain(&outlet).await;
        let mut published = self.api.published();
        published.extend(fastrand::choose_multiple(published.clone(), published.len() / 4));
        fastrand::shuffle(&mut published);
        let mut listener = Listener::default();
        published.iter().for_each(|event| listener.hear(event));
        listener.assert_knows(&self.api).await;
        let jobs = self.api.store.list_jobs(&Granted::propagation()).await.unwrap();
        assert!(jobs.is_empty(), "{jobs:?}");
    }

    /// Holds that everyone is a member of just what they should be a member of.
    pub async fn assert_as_expected(&self) {
        for (index, id) in self.groups.iter().enumerate() {
            let (page, count) = self.api.store.list_members(&read(), id, None, Limit::MAX_MEMBERS, None).await.unwrap();
            let found: BTreeMap<AccountId, MembershipType> =
                page.items.into_iter().map(|member| (member.account.id, member.membership_type)).collect();
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
        let below = |other: &usize| self.expected.direct.contains(&(*other, account)) && self.is_in(*other, group);
        (0..self.groups.len()).any(|other| below(&other)).then_some(MembershipType::Indirect)
    }

    /// Somebody who acts in this world without expecting anything.
    pub fn actor(&self) -> Actor {
        let (groups, accounts) = (self.groups.clone(), self.accounts.clone());
        Actor { app: self.api.app.clone(), groups, accounts, version: Cell::new(self.version) }
    }
}

/// One of many who act at once: what each meets depends on the others, but nothing fails for good.
pub struct Actor {
    app: App,
    groups: Vec<GroupId>,
    accounts: Vec<AccountId>,
    version: Cell<i64>,
}

impl Actor {
    pub async fn act(&self, operation: Operation) {
        // A group that is deleted and still nested may stand in the way for a while.
        let store = self.app.store.until(Instant::now() + Duration::from_secs(5));
        let (granted, group, account) = (administer(), |at: usize| &self.groups[at], |at: usize| &self.accounts[at]);
        let outcome = match operation {
            Operation::Add(at, who) => {
                store.change_member(&granted, group(at), Change::Add(account(who).clone()), now()).await.map(drop)
            }
            Operation::Remove(at, who) => {
                store.change_member(&granted, group(at), Change::Remove(account(who).clone()), now()).await.map(drop)
            }
            Operation::Ask(at, who, adds) => {
                let change =
                    if adds { Change::Add(account(who).clone()) } else { Change::Remove(account(who).clone()) };
                let (id, requested_at) = (self.next_version().to_string(), Moment::from(now()));
                let request = MembershipRequest { id, requested_at, group: *group(at), change };
                store.apply_request(&ingest(), &request, now()).await.map(drop)
            }
            Operation::AskAgain(_) => Ok(()),
            Operation::Nest(at, below) => store.nest_group(&granted, group(at), group(below), now()).await.map(drop),
            Operation::Unnest(at, below) => {
                store.unnest_group(&granted, group(at), group(below), now()).await.map(drop)
            }
            Operation::Retitle(at, name) => {
                let name = Some(GroupName::parse(NAMES[name]).unwrap());
                let changes = GroupChanges { name, ..GroupChanges::default() };
                store.update_group(&granted, group(at), &changes, None, now()).await.map(drop)
            }
            Operation::Replace(at) => store.delete_group(&granted, group(at), None, now()).await,
            Operation::Rename(who) => {
                let renamed = Account { version: self.next_version(), ..harness::account(account(who).as_str()) };
                store.put_account(&ingest(), &renamed).await.map(drop)
            }
            Operation::DeleteAccount(who) => {
                store.delete_account(&ingest(), account(who), self.next_version()).await.map(drop)
            }
            Operation::Deliver(_) => {
                self.app.settle_members(&granted, group(0), &self.accounts).await;
                Ok(())
            }
        };
        assert!(!matches!(outcome, Err(Error::Internal { .. })), "{outcome:?}");
    }

    fn next_version(&self) -> AccountVersion {
        self.version.set(self.version.get() + 1);
        version(self.version.get())
    }
}
