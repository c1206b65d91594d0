//! Deletes the members and the rows of a deleted group.

use std::collections::BTreeSet;

use super::audit::{ChangeContext, ChangeOrigin, write_audit_record};
use super::commit::shard_of;
use crate::domain::{AccountId, Actor, EdgeId, Error, GroupId, Membership, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, COUNT_SHARDS, Key, Range};
use crate::store::rows::{NestingItem, Snapshot, State};
use crate::store::table::{Condition, MAX_ACTIONS, QuerySpec, Write};

/// Members that one transaction removes: the row, its mirror and the audit record of each, and all count shards.
const MEMBERS_REMOVED: usize = (MAX_ACTIONS - COUNT_SHARDS) / 3;

impl Store {
    /// Returns up to `limit` members of a group after an account, and where the next page starts. `via` selects those
    /// inherited through an edge. One `Query`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn members_after(
        &self,
        group: &GroupId,
        via: Option<EdgeId>,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<(Vec<AccountId>, Option<AccountId>), Error> {
        let range = Range::Members(*group);
        let filter = via.map(|id| Condition::contains(Attribute::Via, id));
        // A limit counts rows before the filter: with a filter, a whole page is the better size.
        let wanted = filter.is_none().then_some(limit);
        let after = after.map(|account| Key::member(group, account));
        let (rows, last) = self.table.query_page(QuerySpec { after, wanted, filter, ..QuerySpec::all(&range) }).await?;
        let account = |key: Key| key.as_member().map(|(_, account)| account);
        let accounts = rows.iter().filter_map(|row| Key::from_row(row).and_then(account));
        Ok((accounts.collect(), last.and_then(account)))
    }

    /// Returns those of the accounts that have a member row in a group, in any state of the group. One `BatchGetItem`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn remaining_members(
        &self,
        group: &GroupId,
        accounts: BTreeSet<AccountId>,
    ) -> Result<Vec<AccountId>, Error> {
        let keys: Vec<Key> = accounts.iter().map(|account| Key::member(group, account)).collect();
        let rows = self.table.batch_get(&keys).await?;
        let remaining = accounts.into_iter().zip(keys).filter(|(_, key)| rows.contains_key(key));
        Ok(remaining.map(|(account, _)| account).collect())
    }

    /// Removes members of a deleted group with their mirrors and count shards, unconditionally. One transaction for each 28.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn purge_members(
        &self,
        group: &GroupId,
        accounts: &[AccountId],
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.cloned().unwrap_or_else(Actor::system);
        let context =
            ChangeContext { actor: &actor, now, origin: ChangeOrigin::GroupDeleted, may_change_guarded: true };
        for chunk in accounts.chunks(MEMBERS_REMOVED) {
            let writes = chunk.iter().flat_map(|id| {
                let rows = [Key::member(group, id), Key::mirror(id, group)].map(Write::delete);
                rows.into_iter().chain([write_audit_record(group, id, &Membership::default(), None, false, &context)])
            });
            let shards: BTreeSet<usize> = chunk.iter().map(shard_of).collect();
            let shards = shards.into_iter().map(|shard| Write::delete(Key::count(group, shard)));
            // Without conditions nothing can fail but the request.
            let _ = self.table.transact(writes.chain(shards).collect()).await?;
        }
        Ok(())
    }

    /// Returns whether a group exists and is not being deleted. One `TransactGetItems`: the job of a deletion may run before the
    /// group's row shows it.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn is_active(&self, group: &GroupId) -> Result<bool, Error> {
        let rows = Snapshot::read_serialized(&self.table, &[Key::group(group)]).await?;
        Ok(rows.group(group)?.is_some())
    }

    /// Removes the last rows of a deleted group, once its members are gone. Returns whether they are removed; they are not
    /// while the group is nested somewhere. One `TransactGetItems`, one transaction.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn finish_deletion(&self, group: &GroupId) -> Result<bool, Error> {
        let (group_key, nesting_key) = (Key::group(group), Key::nesting(group));
        let rows = Snapshot::read_serialized(&self.table, &[group_key.clone(), nesting_key.clone()]).await?;
        let mut writes = Vec::new();
        if let Some(nesting) = rows.nesting(group)? {
            if !nesting.parents.is_empty() {
                return Ok(false);
            }
            let unchanged = NestingItem::unchanged_since_read(Some(nesting));
            writes.push(Write::delete_when(nesting_key, unchanged));
        }
        writes.push(Write::delete(Key::managers(group)));
        // A shard still exists if all its members left before the deletion.
        writes.extend((0..COUNT_SHARDS).map(|shard| Write::delete(Key::count(group, shard))));
        if rows.exists(&group_key) {
            let is_deleting = Condition::equals(Attribute::State, State::Deleting.as_str());
            writes.push(Write::delete_when(group_key, is_deleting));
        }
        Ok(self.table.transact(writes).await?.is_done())
    }
}
