//! Applies changes of accounts to their memberships.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::audit::ChangeContext;
use super::plan::DirectChange;
use crate::domain::{AccountId, Actor, Error, GroupId, Timestamp};
use crate::store::Store;
use crate::store::keys::{Attribute, Key, Range};
use crate::store::rows::{MirrorItem, Snapshot, from_row, set_copies};
use crate::store::table::{
    Attempt, Condition, ConflictLimit, QuerySpec, SIDE_BY_SIDE, Update, UpdateResult, unreadable,
};

impl Store {
    /// Updates members after changes of their accounts: copies the account's fields where they are older, and ends direct
    /// memberships from before the account was deleted. A `TransactGetItems` for each hundred, two `BatchGetItem`s side by
    /// side, then a write for each member that is out of date, side by side.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn update_members(
        &self,
        members: &BTreeSet<(GroupId, AccountId)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Accounts are read only once the mirrors of all these rows are visible: a later change of an account finds them.
        let mirrors: Vec<Key> = members.iter().map(|(group, id)| Key::mirror(id, group)).collect();
        self.table.transact_get(&mirrors).await?;
        let keys = members.iter().map(|(group, id)| Key::member(group, id));
        let accounts: BTreeSet<Key> = members.iter().map(|(_, id)| Key::account(id)).collect();
        let keys: Vec<Key> = keys.chain(accounts).collect();
        let rows = &Snapshot::read(&self.table, &keys).await?;
        let updates: Vec<_> = members.iter().map(|(group, id)| self.update_member(group, id, rows, now)).collect();
        stream::iter(updates).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await.map(drop)
    }

    async fn update_member(
        &self,
        group: &GroupId,
        id: &AccountId,
        rows: &Snapshot,
        now: Timestamp,
    ) -> Result<(), Error> {
        let keys = [Key::member(group, id), Key::account(id)];
        let is_first = AtomicBool::new(true);
        let update = || async {
            if is_first.swap(false, Ordering::Relaxed) {
                return self.try_to_update_member(group, id, rows, now).await;
            }
            let rows = Snapshot::read(&self.table, &keys).await?;
            self.try_to_update_member(group, id, &rows, now).await
        };
        self.table.retry_on_conflict(ConflictLimit::MEMBERSHIP, update).await
    }

    async fn try_to_update_member(
        &self,
        group: &GroupId,
        id: &AccountId,
        rows: &Snapshot,
        now: Timestamp,
    ) -> Result<Attempt<()>, Error> {
        let (Some(member), Some(account)) = (rows.member(group, id)?, rows.account(id)?) else {
            return Ok(Attempt::Done(()));
        };
        if member.direct && account.was_deleted_since(member.account_version) {
            let actor = account.actor.clone().unwrap_or_else(Actor::system);
            let context = ChangeContext::derived(&actor, now);
            return Ok(Attempt::when(
                self.commit_direct(group, id, Some(member), DirectChange::END, &context).await?,
                (),
            ));
        }
        let Some(account) = account.active(id).filter(|account| account.version > member.account_version) else {
            return Ok(Attempt::Done(()));
        };
        let unchanged = Condition::equals(Attribute::AccountVersion, member.account_version);
        let update = set_copies(Update::of(Key::member(group, id)), &account).when(unchanged);
        let updated = self.table.update(update).await?;
        Ok(Attempt::when(matches!(updated, UpdateResult::Updated(_)), ()))
    }

    /// Returns up to `limit` groups of an account after this one, and where the next page starts. One `Query`.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn groups_of_account_after(
        &self,
        account: &AccountId,
        after: Option<&GroupId>,
        limit: usize,
    ) -> Result<(Vec<GroupId>, Option<GroupId>), Error> {
        let range = Range::Mirrors(account.clone());
        let after = after.map(|group| Key::mirror(account, group));
        let spec = QuerySpec { after, wanted: Some(limit), ..QuerySpec::all(&range) };
        let (rows, last) = self.table.query_page(spec).await?;
        let group = |key: Key| key.as_mirror().map(|(_, group)| group);
        let groups = rows.into_iter().map(|row| {
            let (key, _): (_, MirrorItem) = from_row(row)?;
            group(key).ok_or_else(|| unreadable("membership row"))
        });
        Ok((groups.collect::<Result<_, _>>()?, last.and_then(group)))
    }
}
