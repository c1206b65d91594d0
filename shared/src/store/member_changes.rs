//! Who becomes a member of a group, and who stops being one.

use std::collections::{BTreeSet, HashMap};

use super::Store;
use super::expression::Expression;
use super::inheritance::as_read;
use super::items::{
    AccountItem, MemberItem, MembershipItem, State, from_row, read_group, read_item, read_member, to_row,
};
use super::keys::{Attribute, Attributes, Key};
use super::trail::{self, After, By, leave};
use super::transact::{self, Action, Commit, MAX_ACTIONS};
use crate::authz::{Administer, Granted};
use crate::aws::retry::Backoff;
use crate::domain::{Account, AccountId, Change, Error, GroupId, Member, MembershipType, Missing, Outcome, Timestamp};

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
        granted: &Granted<Administer>,
        group: &GroupId,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, Error> {
        let by = By { actor: granted.actor(), now, decision: trail::Decision::Made };
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
                match self.commit(group, &batch, &by).await {
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
    pub(super) async fn commit(
        &self,
        group: &GroupId,
        writes: &[(usize, Write)],
        by: &By<'_>,
    ) -> Result<Commit, Error> {
        let (mut members, mut direct_members) = (0, 0);
        let mut actions = Vec::new();
        for (_, write) in writes {
            members += write.members();
            direct_members += write.direct_members();
            actions.extend(write.actions(group)?);
            actions.push(leave(group, write.account(), write.after(), by));
        }
        let mut e = Expression::default();
        let counts = [e.add(Attribute::MemberCount, members), e.add(Attribute::DirectMemberCount, direct_members)];
        let update = format!("ADD {}", counts.join(", "));
        let condition = e.equal(Attribute::State, State::Active.as_str());
        actions.push(Action::Update { key: Key::group(group), e, update, condition });
        self.table.transact(actions).await
    }
}

/// What a change asks for, given what was read.
pub(super) enum Decision {
    Settled(Outcome),
    Write(Write),
}

/// A change that writes.
pub(super) enum Write {
    /// Who was no member becomes a direct one.
    Add(Member),
    /// An indirect member, as read, becomes a direct one as well; or a direct one of before its account was deleted one
    /// of now.
    Promote(Member, MemberItem),
    /// A direct member, as read, stays one through nested groups only.
    Demote(AccountId, MemberItem),
    /// A direct member, as read, is none any more.
    Remove(AccountId, MemberItem),
}

pub(super) fn decide(
    group: &GroupId,
    change: &Change,
    rows: &mut HashMap<Key, Attributes>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let row = rows.remove(&Key::member(group, change.account()));
    match change {
        Change::Add(id) => {
            let Some((key, item)) = rows.remove(&Key::account(id)).map(from_row::<AccountItem>).transpose()? else {
                return Ok(Decision::Settled(Outcome::UnknownAccount));
            };
            decide_add(&key, item, row, now)
        }
        Change::Remove(id) => decide_remove(id, row),
    }
}

fn decide_add(
    account_key: &Key,
    account: AccountItem,
    row: Option<Attributes>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let read: Option<MemberItem> = read_item(row.clone())?;
    // What an account was a member of before it was deleted is on its way out, even when the account has come back.
    let is_left_over = read.as_ref().is_some_and(|item| account.was_deleted_since(item.account_version));
    let Some(account) = account.account(account_key)? else {
        return Ok(Decision::Settled(Outcome::UnknownAccount));
    };
    let membership_type = MembershipType::Direct;
    let (Some(row), Some(read)) = (row, read) else {
        let member = Member { account, membership_type, via: BTreeSet::new(), added_at: now };
        return Ok(Decision::Write(Write::Add(member)));
    };
    let member = read_member(row)?;
    if read.direct && !is_left_over {
        return Ok(Decision::Settled(Outcome::AlreadyMember(member)));
    }
    let added_at = if is_left_over { now } else { member.added_at };
    Ok(Decision::Write(Write::Promote(Member { account, membership_type, added_at, ..member }, read)))
}

fn decide_remove(id: &AccountId, row: Option<Attributes>) -> Result<Decision, Error> {
    let Some(row) = row else {
        return Ok(Decision::Settled(Outcome::NotDirectMember));
    };
    let member = read_member(row.clone())?;
    let (_, item): (_, MemberItem) = from_row(row)?;
    if !item.direct {
        return Ok(Decision::Settled(Outcome::OnlyIndirect(member.via_groups())));
    }
    Ok(Decision::Write(Write::withdraw(id.clone(), item)))
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
    /// What makes a direct member, as read, no direct one.
    pub(super) fn withdraw(account: AccountId, read: MemberItem) -> Self {
        if read.via.is_empty() { Self::Remove(account, read) } else { Self::Demote(account, read) }
    }

    /// By how many the members change.
    const fn members(&self) -> i64 {
        match self {
            Self::Add(_) => 1,
            Self::Promote(..) | Self::Demote(..) => 0,
            Self::Remove(..) => -1,
        }
    }

    /// By how many the direct members change.
    const fn direct_members(&self) -> i64 {
        match self {
            Self::Add(_) => 1,
            Self::Promote(_, read) => (!read.direct) as i64,
            Self::Demote(..) | Self::Remove(..) => -1,
        }
    }

    /// How many actions it takes, the trail's among them.
    const fn size(&self) -> usize {
        match self {
            Self::Add(_) | Self::Promote(..) => 4,
            Self::Demote(..) | Self::Remove(..) => 3,
        }
    }

    const fn account(&self) -> &AccountId {
        match self {
            Self::Add(member) | Self::Promote(member, _) => &member.account.id,
            Self::Demote(account, _) | Self::Remove(account, _) => account,
        }
    }

    /// How the account is a member from now on.
    const fn after(&self) -> After<'_> {
        match self {
            Self::Add(member) | Self::Promote(member, _) => Some((true, &member.via)),
            Self::Demote(_, read) => Some((false, &read.via)),
            Self::Remove(..) => None,
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Add(member) | Self::Promote(member, _) => Outcome::Added(member),
            Self::Demote(..) | Self::Remove(..) => Outcome::Removed,
        }
    }

    /// The account as it was read, so that the copies in the member's row are right; the member's row and its mirror.
    fn actions(&self, group: &GroupId) -> Result<Vec<Action>, Error> {
        Ok(match self {
            Self::Add(member) => {
                let id = &member.account.id;
                let mirror = to_row(&Key::membership(id, group), &MembershipItem { direct: true })?;
                vec![
                    check_account(&member.account),
                    Action::put_new(to_row(&Key::member(group, id), &MemberItem::new(member))?),
                    Action::put_new(mirror),
                ]
            }
            Self::Promote(member, read) => {
                let account = &member.account;
                vec![check_account(account), promote(group, member, read), mirror(group, &account.id, true)]
            }
            Self::Demote(account, read) => {
                let mut e = Expression::default();
                let condition = as_read(&mut e, read);
                let update = format!("SET {}", e.set(Attribute::Direct, false));
                let key = Key::member(group, account);
                vec![Action::Update { key, e, update, condition }, mirror(group, account, false)]
            }
            Self::Remove(account, read) => {
                let mut e = Expression::default();
                let condition = as_read(&mut e, read);
                let key = Key::member(group, account);
                vec![Action::Delete { key, e, condition }, Action::delete_any(Key::membership(account, group))]
            }
        })
    }
}

/// The account is there, as it was read.
fn check_account(account: &Account) -> Action {
    let mut e = Expression::default();
    let active = e.equal(Attribute::State, State::Active.as_str());
    let condition = format!("{active} AND {}", e.equal(Attribute::Version, account.version));
    Action::Check { key: Key::account(&account.id), e, condition }
}

/// A member's row becomes a direct one's, with the account's fields as they are now: what a direct member's copies are of
/// tells whether it was made before its account was last deleted.
fn promote(group: &GroupId, member: &Member, read: &MemberItem) -> Action {
    let mut e = Expression::default();
    let condition = as_read(&mut e, read);
    let set = [
        e.set(Attribute::Direct, true),
        e.set(Attribute::AddedAt, member.added_at.to_string()),
        copies(&mut e, &member.account),
    ];
    let update = format!("SET {}", set.join(", "));
    Action::Update { key: Key::member(group, &member.account.id), e, update, condition }
}

/// The account's fields in a member's row.
pub(super) fn copies(e: &mut Expression, account: &Account) -> String {
    [
        e.set(Attribute::Name, &*account.name),
        e.set(Attribute::Email, &*account.email),
        e.set(Attribute::Status, &*account.status),
        e.set(Attribute::AccountVersion, account.version),
    ]
    .join(", ")
}

/// The mirror says the same as the member's row.
fn mirror(group: &GroupId, account: &AccountId, direct: bool) -> Action {
    let mut e = Expression::default();
    let condition = e.row();
    let update = format!("SET {}", e.set(Attribute::Direct, direct));
    Action::Update { key: Key::membership(account, group), e, update, condition }
}
