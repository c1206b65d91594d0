//! Repairs single rows that contradict others, each under the condition that it is still as it was read.

use crate::domain::{AccountId, Actor, Edge, Error, GroupId, Timestamp};
use crate::store::Store;
use crate::store::groups::nesting::delete_edge_rows;
use crate::store::keys::{Attribute, Key};
use crate::store::members::{
    ChangeContext, look_from, require_unchanged, subtract_indirect_member, write_audit_record,
};
use crate::store::rows::{
    AccountItem, CountShard, GroupCounts, MemberItem, MirrorItem, ShardCounts, from_row, set_copies, to_row,
};
use crate::store::table::{Condition, Update, Write};

impl Store {
    /// Corrects a count shard, unless it has changed since it had this revision; 0 for one that was not there.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_shard(
        &self,
        shard: &CountShard,
        revision: i64,
        right: ShardCounts,
    ) -> Result<(), Error> {
        let unchanged = match revision {
            0 => Condition::row_absent().or(Condition::equals(Attribute::Revision, 0)),
            _ => Condition::equals(Attribute::Revision, revision),
        };
        let update = Update::of(Key::count(&shard.group, shard.number))
            .set(Attribute::Members, right.members)
            .set(Attribute::DirectMembers, right.direct_members)
            .add(Attribute::Revision, 1)
            .when(unchanged);
        self.table.update(update).await.map(drop)
    }

    /// Deletes a count shard of a group that does not exist.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn delete_orphaned_shard(&self, shard: &CountShard) -> Result<(), Error> {
        let key = Key::count(&shard.group, shard.number);
        self.repair(vec![Write::delete(key), Write::require_no_row(Key::group(&shard.group))]).await
    }

    /// Corrects the counts in a group's row, unless they have changed since they were found.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_counts(
        &self,
        group: &GroupId,
        found: GroupCounts,
        right: GroupCounts,
    ) -> Result<(), Error> {
        let fields = |counts: GroupCounts| {
            [
                (Attribute::MemberCount, counts.members.cast_signed()),
                (Attribute::DirectMemberCount, counts.direct_members.cast_signed()),
                (Attribute::NestedGroupCount, counts.nested_groups.cast_signed()),
            ]
        };
        let mut update = Update::of(Key::group(group)).add(Attribute::NestingRevision, 1);
        for (attribute, value) in fields(found) {
            update = update.when(Condition::equals(attribute, value));
        }
        for (attribute, value) in fields(right) {
            update = update.set(attribute, value);
        }
        self.table.update(update).await.map(drop)
    }

    /// Makes a member's mirror match the member row, or removes it where there is no such row.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_mirror(&self, group: &GroupId, account: &AccountId) -> Result<(), Error> {
        let member = self.read_member(group, account).await?;
        let mirror = Key::mirror(account, group);
        let write = match &member {
            None => Write::delete(mirror),
            Some(item) => Write::put(to_row(&mirror, &MirrorItem { direct: item.direct })?),
        };
        self.repair(vec![require_unchanged(group, account, member.as_ref()), write]).await
    }

    /// Removes a member that is neither direct nor inherited.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_unfounded(
        &self,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(item) = self.read_member(group, account).await? else { return Ok(()) };
        if item.membership().is_member() {
            return Ok(());
        }
        self.repair(vec![
            Write::delete_when(Key::member(group, account), item.unchanged_since_read()),
            Write::delete(Key::mirror(account, group)),
            subtract_indirect_member(group, account),
            system_record(group, account, None, now),
        ])
        .await
    }

    /// Makes a membership's audit record match the member row.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_audit_record(
        &self,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let member = self.read_member(group, account).await?;
        let unchanged = require_unchanged(group, account, member.as_ref());
        self.repair(vec![unchanged, system_record(group, account, member.as_ref(), now)]).await
    }

    /// Copies the account's fields into a member row.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_copies(&self, group: &GroupId, account: &AccountId) -> Result<(), Error> {
        let Some(row) = self.table.get(&Key::account(account)).await? else { return Ok(()) };
        let (_, item): (_, AccountItem) = from_row(row)?;
        let Some(account) = item.active(account) else { return Ok(()) };
        let not_newer = Condition::at_most(Attribute::AccountVersion, account.version);
        let update = set_copies(Update::of(Key::member(group, &account.id)), &account);
        self.table.update(update.when(not_newer)).await.map(drop)
    }

    /// Notes the end of a direct membership for its account, and makes the sweep look at the membership.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_due(&self, group: &GroupId, account: &AccountId, now: Timestamp) -> Result<(), Error> {
        let member = self.read_member(group, account).await?;
        let end = member.as_ref().and_then(|item| item.ends_at);
        let note = end.map(|end| Update::of(Key::ends(account)).set(*group, end).into());
        let unchanged = require_unchanged(group, account, member.as_ref());
        self.repair([unchanged, look_from(now, group, account)].into_iter().chain(note).collect()).await
    }

    /// Removes an edge that only one of its two groups has. `verify` then finds the members inherited through it, and the
    /// count.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_half_edge(&self, edge: &Edge, now: Timestamp) -> Result<(), Error> {
        let [delete_child, remove_parent] = delete_edge_rows(edge, None, now);
        let (child, parents) = (Key::child(&edge.parent, &edge.child()), Key::nesting(&edge.child()));
        let entry = || (Attribute::Parents, edge.parent.to_string());
        let no_parent = Condition::absent(entry()).or(Condition::differs(entry(), edge.id));
        let no_child = Condition::row_absent().or(Condition::differs(Attribute::EdgeId, edge.id));
        self.repair(vec![delete_child, Write::Check(parents, no_parent)]).await?;
        self.repair(vec![remove_parent, Write::Check(child, no_child)]).await
    }

    /// Removes a member of a group that does not exist, with the mirror.
    ///
    /// # Errors
    /// The table did not respond.
    pub(crate) async fn repair_orphan(
        &self,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.repair(vec![
            Write::delete(Key::member(group, account)),
            Write::delete(Key::mirror(account, group)),
            Write::require_no_row(Key::group(group)),
            system_record(group, account, None, now),
        ])
        .await
    }

    async fn read_member(&self, group: &GroupId, account: &AccountId) -> Result<Option<MemberItem>, Error> {
        let row = self.table.get(&Key::member(group, account)).await?;
        row.map(|row| from_row(row).map(|(_, item)| item)).transpose()
    }

    /// Commits a repair. One whose rows have changed meanwhile is left to the next run.
    async fn repair(&self, writes: Vec<Write>) -> Result<(), Error> {
        self.table.transact(writes).await.map(drop)
    }
}

fn system_record(group: &GroupId, account: &AccountId, member: Option<&MemberItem>, now: Timestamp) -> Write {
    let membership = member.map(MemberItem::membership).unwrap_or_default();
    let added_at = member.map(|item| item.added_at);
    let actor = Actor::system();
    write_audit_record(group, account, &membership, added_at, false, &ChangeContext::derived(&actor, now))
}
