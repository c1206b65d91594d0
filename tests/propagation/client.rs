//! A client that does not consult the oracle.

use std::cell::Cell;
use std::time::Duration;

use groups_local::functions::EXPIRE_MEMBERS;
use lambda_http::Context;
use shared::app::{App, ExpireMembersDeps};
use shared::domain::{
    Account, AccountId, AccountVersion, Clock, Error, GroupChanges, GroupId, GroupName, MemberChange,
    MembershipRequest, Moment, Precondition, Timestamp, Validity,
};
use shared::propagation::Propagation;
use tokio::time::Instant;

use super::world::{NAMES, Operation};
use crate::harness::clock::{TestClock, later};
use crate::harness::{self, administer, event_source, manage, version};

/// One of several concurrent clients. The result of an operation depends on the others, but none is an internal error.
pub struct Actor {
    pub(super) app: App,
    pub(super) expire: ExpireMembersDeps,
    pub(super) clock: TestClock,
    pub(super) groups: Vec<GroupId>,
    pub(super) accounts: Vec<AccountId>,
    pub(super) version: Cell<i64>,
}

impl Actor {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn act(&self, operation: Operation) {
        // The edges of a deleted group may block others until its job has removed them.
        let store = self.app.store.until(Instant::now() + Duration::from_secs(5));
        let granted = administer();
        let (group, account) = (|index: usize| &self.groups[index], |index: usize| &self.accounts[index]);
        let outcome = match operation {
            Operation::Add(index, member) => {
                let add = MemberChange::add(account(member).clone());
                store.change_members(&manage(), group(index), &[add], &Precondition::NONE, self.now()).await.map(drop)
            }
            Operation::AddUntil(index, member, seconds) => {
                let expires_at = Some(Some(later(self.now(), i64::from(seconds) + 1)));
                let add = MemberChange::Add(account(member).clone(), Validity { starts_at: None, expires_at });
                store.change_members(&manage(), group(index), &[add], &Precondition::NONE, self.now()).await.map(drop)
            }
            Operation::Schedule(index, member, after, seconds) => {
                let start = later(self.now(), i64::from(after) + 1);
                let expires_at = Some(Some(later(start, i64::from(seconds) + 1)));
                let add = MemberChange::Add(account(member).clone(), Validity { starts_at: Some(start), expires_at });
                store.change_members(&manage(), group(index), &[add], &Precondition::NONE, self.now()).await.map(drop)
            }
            Operation::Wait(seconds) => {
                self.clock.advance(seconds.into());
                Ok(())
            }
            Operation::Sweep => {
                // A membership that fails is still due.
                let _ = EXPIRE_MEMBERS.answer(&self.expire, &Context::default()).await;
                Ok(())
            }
            Operation::Remove(index, member) => store
                .remove_member(
                    &granted.to_manage_members(),
                    group(index),
                    account(member).clone(),
                    &Precondition::NONE,
                    self.now(),
                )
                .await
                .map(drop),
            Operation::Request(index, member, adds) => {
                let account = account(member).clone();
                let change = if adds { MemberChange::add(account) } else { MemberChange::Remove(account) };
                let (id, requested_at) = (self.next_version().to_string(), Moment::from(self.now()));
                let request = MembershipRequest { id, requested_at, group: *group(index), change };
                store.apply_request(&event_source(), &request, true, self.now()).await.map(drop)
            }
            Operation::RepeatRequest(_) => Ok(()),
            Operation::Nest(parent, child) => {
                store.nest_group(&granted, group(parent), group(child), &Precondition::NONE, self.now()).await.map(drop)
            }
            Operation::Unnest(parent, child) => store
                .unnest_group(&granted, group(parent), group(child), &Precondition::NONE, self.now())
                .await
                .map(drop),
            Operation::RenameGroup(index, name) => {
                let name = Some(GroupName::parse(NAMES[name]).unwrap());
                let changes = GroupChanges { name, ..GroupChanges::default() };
                store
                    .update_group(&granted, group(index), &changes, &Precondition::NONE, None, self.now())
                    .await
                    .map(drop)
            }
            Operation::ReplaceGroup(index) => {
                store.delete_group(&granted, group(index), &Precondition::NONE, self.now()).await.map(drop)
            }
            Operation::RenameAccount(index) => {
                let renamed = Account { version: self.next_version(), ..harness::account(account(index).as_str()) };
                store.put_account(&event_source(), &renamed).await.map(drop)
            }
            Operation::DeleteAccount(index) => {
                store.delete_account(&event_source(), account(index), self.next_version()).await.map(drop)
            }
            Operation::Deliver(_) => {
                let propagation = Propagation { store: &store, actor: Some(granted.actor()), now: self.now() };
                let _ = propagation.propagate_members(group(0), &self.accounts).await;
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
