//! What jobs and the table's stream look at and bring up to date, apart from members that are inherited.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Store;
use super::expression::Expression;
use super::items::{
    AccountItem, GroupItem, MemberItem, State, from_row, read_edge_id, read_group, read_item, read_membership,
    read_nesting, read_parents,
};
use super::keys::{Attribute, Attributes, Key, Range};
use super::member_changes::{Write, copies};
use super::table::{Rows, Written};
use super::trail::{By, Decision, NOBODY, leave};
use super::transact::{self, Action, Commit, MAX_ACTIONS};
use crate::authz::{Granted, Settle};
use crate::aws::retry::Backoff;
use crate::domain::{AccountId, Edge, EdgeId, Error, GroupId, Timestamp};

/// How often a member that others got in the way of is looked at anew.
const ROUNDS: usize = 20;

/// Writes to rows of different groups that are under way side by side.
const SIDE_BY_SIDE: usize = 16;

/// How a nesting stands, beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeStanding {
    /// It is there, and so are both groups.
    There,
    /// It is there, but a group is being deleted.
    OfDeleted,
    /// It is there, but the row of the group above is gone.
    Orphan,
    /// It is not there, and never will be again.
    Ended,
}

/// What is around member rows that changed.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Where each group is nested.
    pub parents: HashMap<GroupId, Vec<Edge>>,
    /// Groups that are deleted, or being deleted, each with who did it, where that is still known.
    pub gone: HashMap<GroupId, Option<String>>,
    /// Nestings that are no more.
    pub ended: HashSet<Edge>,
}

impl Store {
    /// Where a group is nested. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn parents(&self, _: &Granted<Settle>, group: &GroupId) -> Result<Vec<Edge>, Error> {
        read_parents(self.table.get(&Key::nesting(group)).await?)
    }

    /// The groups nested directly in a group, whatever state they are in. One `Query`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn children(&self, _: &Granted<Settle>, group: &GroupId) -> Result<Vec<Edge>, Error> {
        let rows = self.table.query(Rows::all(&Range::ChildrenAndGroup(*group))).await?;
        let rows = rows.into_iter().filter(|row| Key::of_row(row).is_some_and(|key| key.as_child().is_some()));
        let ids: Vec<Option<EdgeId>> = rows.map(|row| read_edge_id(Some(row))).collect::<Result<_, _>>()?;
        Ok(ids.into_iter().flatten().map(|id| Edge { parent: *group, id }).collect())
    }

    /// How a nesting stands: after this, whatever ended it or brought it about is visible to every read. One
    /// `TransactGetItems`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn standing(&self, _: &Granted<Settle>, edge: &Edge) -> Result<EdgeStanding, Error> {
        let keys = [Key::child(&edge.parent, &edge.child()), Key::nesting(&edge.child())];
        let groups = [Key::group(&edge.parent), Key::group(&edge.child())];
        let mut rows = self.table.transact_get(&[keys.clone(), groups.clone()].concat()).await?;
        if read_edge_id(rows.remove(&keys[0]))? != Some(edge.id) {
            return Ok(EdgeStanding::Ended);
        }
        if !rows.contains_key(&groups[0]) {
            return Ok(EdgeStanding::Orphan);
        }
        for group in &groups {
            if read_group(rows.remove(group))?.is_none() {
                return Ok(EdgeStanding::OfDeleted);
            }
        }
        Ok(EdgeStanding::There)
    }

    /// What is around member rows: of these groups, and with these nestings. One `BatchGetItem` for a hundred of both.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn surroundings(
        &self,
        _: &Granted<Settle>,
        groups: &BTreeSet<GroupId>,
        edges: &BTreeSet<Edge>,
    ) -> Result<Surroundings, Error> {
        let child = |edge: &Edge| Key::child(&edge.parent, &edge.child());
        let keys: BTreeSet<Key> = groups
            .iter()
            .flat_map(|group| [Key::group(group), Key::nesting(group)])
            .chain(edges.iter().map(child))
            .collect();
        let mut rows = self.table.batch_get(&keys.into_iter().collect::<Vec<_>>()).await?;
        let mut found = Surroundings::default();
        for group in groups {
            found.parents.insert(*group, read_parents(rows.remove(&Key::nesting(group)))?);
            let row = rows.remove(&Key::group(group));
            if read_group(row.clone())?.is_none() {
                let item: Option<GroupItem> = read_item(row)?;
                found.gone.insert(*group, item.and_then(|item| item.actor));
            }
        }
        for edge in edges {
            if read_edge_id(rows.get(&child(edge)).cloned())? != Some(edge.id) {
                found.ended.insert(*edge);
            }
        }
        Ok(found)
    }

    /// The nestings that hold a member; none where there is no such member. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn nestings_of_member(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        account: &AccountId,
    ) -> Result<Vec<EdgeId>, Error> {
        let Some(row) = self.table.get(&Key::member(group, account)).await? else { return Ok(Vec::new()) };
        let (_, member): (_, MemberItem) = from_row(row)?;
        Ok(member.via.into_iter().collect())
    }

    /// Up to so many members of a group after an account, those through one nesting only when it is named, and where to
    /// go on. One `Query`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn members_after(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        via: Option<EdgeId>,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<(Vec<AccountId>, Option<AccountId>), Error> {
        let range = Range::Members(*group);
        let filter = via.map(|id| {
            let mut e = Expression::default();
            let filter = e.contains(Attribute::Via, id);
            (e, filter)
        });
        // A limit counts rows before the filter: with one, a megabyte is the better stretch.
        let wanted = filter.is_none().then_some(limit);
        let after = after.map(|account| (Key::member(group, account), None));
        let (rows, last) = self.table.query_page(Rows { range: &range, after, wanted, filter }).await?;
        let account = |key: Key| key.as_member().map(|(_, account)| account);
        let accounts = rows.iter().filter_map(|row| Key::of_row(row).and_then(account));
        Ok((accounts.collect(), last.and_then(account)))
    }

    /// Up to so many groups of an account after one, and where to go on. One `Query`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn memberships_after(
        &self,
        _: &Granted<Settle>,
        account: &AccountId,
        after: Option<&GroupId>,
        limit: usize,
    ) -> Result<(Vec<GroupId>, Option<GroupId>), Error> {
        let range = Range::Memberships(account.clone());
        let after = after.map(|group| (Key::membership(account, group), None));
        let rows = Rows { after, wanted: Some(limit), ..Rows::all(&range) };
        let (rows, last) = self.table.query_page(rows).await?;
        let groups = rows.into_iter().map(|row| read_membership(row).map(|(_, group, _)| group));
        Ok((groups.collect::<Result<_, _>>()?, last.and_then(|key| key.as_membership()).map(|(_, group)| group)))
    }

    /// Which of these accounts have a row in the group, whatever state it is in. One `BatchGetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn still_members(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        accounts: BTreeSet<AccountId>,
    ) -> Result<Vec<AccountId>, Error> {
        let keys: Vec<Key> = accounts.iter().map(|account| Key::member(group, account)).collect();
        let rows = self.table.batch_get(&keys).await?;
        let there = accounts.into_iter().zip(keys).filter(|(_, key)| rows.contains_key(key));
        Ok(there.map(|(account, _)| account).collect())
    }

    /// Removes members of a deleted group with their mirrors, whatever they are. One transaction for 33.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn purge_members(
        &self,
        granted: &Granted<Settle>,
        group: &GroupId,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<(), Error> {
        let by = By { actor: granted.behalf().unwrap_or(NOBODY), now, decision: Decision::Ends };
        for some in accounts.chunks(MAX_ACTIONS / 3) {
            let actions = some.iter().flat_map(|id| {
                let rows = [Key::member(group, id), Key::membership(id, group)].map(Action::delete_any);
                rows.into_iter().chain([leave(group, id, None, &by)])
            });
            self.table.transact(actions.collect()).await?;
        }
        Ok(())
    }

    /// Whether the group is there and not being deleted. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn is_active(&self, _: &Granted<Settle>, group: &GroupId) -> Result<bool, Error> {
        Ok(self.find_group(group).await?.is_some())
    }

    /// Removes what is left of a deleted group once its members are gone. Gives whether it is gone; it is not while it is
    /// nested somewhere. One `TransactGetItems`, one transaction.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn finish_deletion(&self, _: &Granted<Settle>, group: &GroupId) -> Result<bool, Error> {
        let (group_key, nesting_key) = (Key::group(group), Key::nesting(group));
        let mut rows = self.table.transact_get(&[group_key.clone(), nesting_key.clone()]).await?;
        let mut actions = Vec::new();
        if let Some(nesting) = read_nesting(rows.remove(&nesting_key))? {
            if !nesting.parents.is_empty() {
                return Ok(false);
            }
            let mut e = Expression::default();
            let condition = e.equal(Attribute::Rev, nesting.rev.cast_signed());
            actions.push(Action::Delete { key: nesting_key, e, condition });
        }
        if rows.contains_key(&group_key) {
            let mut e = Expression::default();
            let condition = e.equal(Attribute::State, State::Deleting.as_str());
            actions.push(Action::Delete { key: group_key, e, condition });
        }
        if actions.is_empty() {
            return Ok(true);
        }
        Ok(matches!(self.table.transact(actions).await?, Commit::Done))
    }

    /// Brings members up to their accounts: copies of its fields where they are older; no direct membership where the
    /// account was deleted since. One `TransactGetItems` for a hundred, two `BatchGetItem`s side by side, then a write
    /// for each that is behind, side by side.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn update_members(
        &self,
        _: &Granted<Settle>,
        members: &BTreeSet<(GroupId, AccountId)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Accounts are looked at only once the mirrors of all these rows can be seen: an account that changes after this
        // finds them.
        let mirrors: Vec<Key> = members.iter().map(|(group, id)| Key::membership(id, group)).collect();
        for some in mirrors.chunks(MAX_ACTIONS) {
            self.table.transact_get(some).await?;
        }
        let keys = members.iter().map(|(group, id)| Key::member(group, id));
        let accounts: BTreeSet<Key> = members.iter().map(|(_, id)| Key::account(id)).collect();
        let keys: Vec<Key> = keys.chain(accounts).collect();
        let rows = &self.table.batch_get(&keys).await?;
        let updates = members.iter().map(|(group, id)| self.update_member(group, id, rows, now));
        let updates: Vec<_> = updates.collect();
        stream::iter(updates).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await.map(drop)
    }

    async fn update_member(
        &self,
        group: &GroupId,
        id: &AccountId,
        rows: &HashMap<Key, Attributes>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (member_key, account_key) = (Key::member(group, id), Key::account(id));
        let mut rows: HashMap<Key, Attributes> = [&member_key, &account_key]
            .into_iter()
            .filter_map(|key| Some((key.clone(), rows.get(key)?.clone())))
            .collect();
        let mut backoff = Backoff::new(transact::OPERATION, self.table.deadline());
        for _ in 0..ROUNDS {
            let (Some(member), Some(account)) = (rows.remove(&member_key), rows.remove(&account_key)) else {
                return Ok(());
            };
            let (_, member): (_, MemberItem) = from_row(member)?;
            let (key, account): (_, AccountItem) = from_row(account)?;
            let done = if member.direct && account.was_deleted_since(member.account_version) {
                let write = Write::withdraw(id.clone(), member);
                let actor = account.actor.as_deref().unwrap_or(NOBODY);
                let by = By { actor, now, decision: Decision::Follows };
                matches!(self.commit(group, &[(0, write)], &by).await?, Commit::Done)
                    || self.find_group(group).await?.is_none()
            } else if let Some(account) = account.account(&key)?.filter(|it| it.version > member.account_version) {
                let mut e = Expression::default();
                let condition = e.equal(Attribute::AccountVersion, member.account_version);
                let update = format!("SET {}", copies(&mut e, &account));
                let written = self.table.update(&member_key, e, update, condition).await?;
                matches!(written, Written::Done(_))
            } else {
                true
            };
            if done {
                return Ok(());
            }
            backoff.pause().await?;
            rows = self.table.batch_get(&[member_key.clone(), account_key.clone()]).await?;
        }
        Err(Error::Internal { operation: transact::OPERATION, code: "conditions keep failing".into() })
    }
}
