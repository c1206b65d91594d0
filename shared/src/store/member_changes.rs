//! Who becomes a member of a group, and who stops being one.

use std::collections::HashMap;

use super::Store;
use super::attempt::Backoff;
use super::expression::Expression;
use super::items::{MemberItem, MembershipItem, State, read_account, read_group, read_member, to_row};
use super::keys::{Attribute, Attributes, Key};
use super::transact::{self, Action, Commit, MAX_ACTIONS};
use crate::authz::{Administer, Granted};
use crate::domain::{AccountId, Change, Error, GroupId, Member, MembershipType, Missing, Outcome, Timestamp};

/// How often changes that others got in the way of are decided anew.
const ROUNDS: usize = 20;

impl Store {
    /// Adds or removes one direct member. One `BatchGetItem`, one transaction.
    ///
    /// # Errors
    /// As [`Store::change_members`]; [`Error::Unavailable`] when time is up.
    pub async fn change_member(
        &self,
        granted: &Granted<Administer>,
        group: &GroupId,
        change: Change,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let outcomes = self.change_members(granted, group, &[change], now).await?;
        let outcome = outcomes.into_iter().find(|outcome| *outcome != Outcome::Retry);
        outcome.ok_or(Error::Unavailable { operation: transact::OPERATION })
    }

    /// Adds and removes direct members; no account may be named twice. Reads side by side, then a transaction for as
    /// many changes as fit one. Each change happens or does not, with its counts, whatever becomes of the others.
    ///
    /// # Errors
    /// [`Missing::Group`]; [`Error::Internal`]. When time is up, what did not happen is [`Outcome::Retry`].
    pub async fn change_members(
        &self,
        _: &Granted<Administer>,
        group: &GroupId,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = vec![Outcome::Retry; changes.len()];
        let mut pending: Vec<usize> = (0..changes.len()).collect();
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for round in 0..ROUNDS {
            let decisions = match self.decide(group, changes, &pending, now).await {
                // What happened in an earlier round is to be told.
                Err(Error::Unavailable { .. }) if round > 0 => return Ok(outcomes),
                decisions => decisions?,
            };
            pending.clear();
            let mut writes = Vec::new();
            for (index, decision) in decisions {
                match decision {
                    Decision::Settled(outcome) => outcomes[index] = outcome,
                    Decision::Write(write) => writes.push((index, write)),
                }
            }
            for batch in batches(writes) {
                match self.commit(group, &batch).await {
                    Ok(Commit::Done) => {
                        for (index, write) in batch {
                            outcomes[index] = write.outcome();
                        }
                    }
                    // Something changed since it was read: read again.
                    Ok(Commit::Refused(_)) => pending.extend(batch.iter().map(|(index, _)| *index)),
                    Err(Error::Unavailable { .. }) => return Ok(outcomes),
                    Err(error) => return Err(error),
                }
            }
            if pending.is_empty() || backoff.pause().await.is_err() {
                return Ok(outcomes);
            }
        }
        // Nobody changes one group twenty times between two of our requests: the rows contradict each other.
        Err(Error::Internal { operation: transact::OPERATION, code: "conditions keep failing".into() })
    }

    /// Reads what the changes depend on and decides what each asks for.
    async fn decide(
        &self,
        group: &GroupId,
        changes: &[Change],
        pending: &[usize],
        now: Timestamp,
    ) -> Result<Vec<(usize, Decision)>, Error> {
        let mut keys = vec![Key::group(group)];
        for change in pending.iter().map(|index| &changes[*index]) {
            keys.push(Key::member(group, change.account()));
            if let Change::Add(account) = change {
                keys.push(Key::account(account));
            }
        }
        let mut rows = self.table.batch_get(&keys).await?;
        read_group(rows.remove(&Key::group(group)))?.ok_or(Missing::Group)?;
        let decision = |index: &usize| Ok((*index, decide(group, &changes[*index], &mut rows, now)?));
        pending.iter().map(decision).collect()
    }

    /// Commits writes and the counts that go with them.
    async fn commit(&self, group: &GroupId, writes: &[(usize, Write)]) -> Result<Commit, Error> {
        let mut delta = 0;
        let mut actions = Vec::new();
        for (_, write) in writes {
            delta += write.delta();
            actions.extend(write.actions(group)?);
        }
        let mut e = Expression::default();
        let counts = [e.add(Attribute::MemberCount, delta), e.add(Attribute::DirectMemberCount, delta)];
        let update = format!("ADD {}", counts.join(", "));
        let condition = e.equal(Attribute::State, State::Active.as_str());
        actions.push(Action::Update { key: Key::group(group), e, update, condition });
        self.table.transact(actions).await
    }
}

/// What a change asks for, given what was read.
enum Decision {
    Settled(Outcome),
    Write(Write),
}

/// A change that writes.
enum Write {
    Add(Member),
    Remove(AccountId),
}

fn decide(
    group: &GroupId,
    change: &Change,
    rows: &mut HashMap<Key, Attributes>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let member = rows.remove(&Key::member(group, change.account()));
    let account = match change {
        Change::Add(account) => account,
        Change::Remove(account) => {
            return Ok(match member {
                Some(_) => Decision::Write(Write::Remove(account.clone())),
                None => Decision::Settled(Outcome::NotDirectMember),
            });
        }
    };
    let Some(account) = read_account(rows.remove(&Key::account(account)))? else {
        return Ok(Decision::Settled(Outcome::UnknownAccount));
    };
    Ok(match member {
        Some(row) => Decision::Settled(Outcome::AlreadyMember(read_member(row)?)),
        None => {
            let membership_type = MembershipType::Direct;
            Decision::Write(Write::Add(Member { account, membership_type, added_at: now }))
        }
    })
}

/// Writes in the order given, as many together as one transaction takes beside the group's counts.
fn batches(writes: Vec<(usize, Write)>) -> Vec<Vec<(usize, Write)>> {
    let mut batches = Vec::new();
    let mut room = 0;
    for write in writes {
        let size = write.1.size();
        if room < size {
            batches.push(Vec::new());
            room = MAX_ACTIONS - 1;
        }
        room -= size;
        if let Some(batch) = batches.last_mut() {
            batch.push(write);
        }
    }
    batches
}

impl Write {
    /// By how many the counts change.
    const fn delta(&self) -> i64 {
        match self {
            Self::Add(_) => 1,
            Self::Remove(_) => -1,
        }
    }

    /// How many actions it takes.
    const fn size(&self) -> usize {
        match self {
            Self::Add(_) => 3,
            Self::Remove(_) => 2,
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Add(member) => Outcome::Added(member),
            Self::Remove(_) => Outcome::Removed,
        }
    }

    /// The account as it was read, so that the copies in the member's row are right; the member's row and its mirror.
    fn actions(&self, group: &GroupId) -> Result<Vec<Action>, Error> {
        match self {
            Self::Add(member) => {
                let account = &member.account;
                let (key, mirror) = (Key::member(group, &account.id), Key::membership(&account.id, group));
                let mut e = Expression::default();
                let condition = format!(
                    "{} AND {}",
                    e.equal(Attribute::State, State::Active.as_str()),
                    e.equal(Attribute::Version, account.version.0)
                );
                Ok(vec![
                    Action::Check { key: Key::account(&account.id), e, condition },
                    put_new(to_row(&key, &MemberItem::new(member))?),
                    put_new(to_row(&mirror, &MembershipItem { direct: true })?),
                ])
            }
            Self::Remove(account) => {
                Ok(vec![delete_existing(Key::member(group, account)), delete_existing(Key::membership(account, group))])
            }
        }
    }
}

fn put_new(row: Attributes) -> Action {
    let mut e = Expression::default();
    let condition = e.no_row();
    Action::Put { row, e, condition }
}

fn delete_existing(key: Key) -> Action {
    let mut e = Expression::default();
    let condition = e.equal(Attribute::Direct, true);
    Action::Delete { key, e, condition }
}
