//! Mends single rows that contradict others, each under the condition that it is still as it was found.

use super::Store;
use super::expression::Expression;
use super::inheritance::{as_read, count};
use super::items::{MemberItem, MembershipItem, from_row, read_account, read_item, to_row};
use super::keys::{Attribute, Key};
use super::member_changes::copies;
use super::trail::{By, check_member, leave};
use super::transact::Action;
use super::walk::Counts;
use crate::authz::{Granted, Settle};
use crate::domain::{AccountId, Edge, Error, GroupId, Timestamp};

impl Store {
    /// Counts what is there instead of what was counted, unless the group's counts have changed.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_counts(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        found: Counts,
        right: Counts,
    ) -> Result<(), Error> {
        let mut e = Expression::default();
        let mut fields = |counts: Counts| {
            let fields = [
                (Attribute::MemberCount, counts.members),
                (Attribute::DirectMemberCount, counts.direct_members),
                (Attribute::NestedGroupCount, counts.nested_groups),
            ];
            fields.map(|(attribute, value)| e.equal(attribute, value.cast_signed()))
        };
        let (condition, update) = (fields(found).join(" AND "), fields(right).join(", "));
        self.table.update(&Key::group(group), e, format!("SET {update}"), condition).await.map(drop)
    }

    /// Makes a member's mirror what the member's row says, or takes it away where there is no such row.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_mirror(&self, _: &Granted<Settle>, group: &GroupId, account: &AccountId) -> Result<(), Error> {
        let row = self.table.get(&Key::member(group, account)).await?;
        let check = check_member(group, account, row.clone())?;
        let mirror = Key::membership(account, group);
        let action = match read_item::<MemberItem>(row)? {
            None => Action::delete_any(mirror),
            Some(item) => Action::put_any(to_row(&mirror, &MembershipItem { direct: item.direct })?),
        };
        self.table.transact(vec![check, action]).await.map(drop)
    }

    /// Takes away a member that neither was added nor comes through a nested group.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_unheld(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = Key::member(group, account);
        let Some(row) = self.table.get(&key).await? else { return Ok(()) };
        let (_, item): (_, MemberItem) = from_row(row)?;
        if item.direct || !item.via.is_empty() {
            return Ok(());
        }
        let mut e = Expression::default();
        let condition = as_read(&mut e, &item);
        let delete = Action::Delete { key, e, condition };
        let mirror = Action::delete_any(Key::membership(account, group));
        let trail = leave(group, account, None, &By::nobody(now));
        self.table.transact(vec![delete, mirror, count(group, -1), trail]).await.map(drop)
    }

    /// Makes a membership's trail what the member's row says.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_trail(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let row = self.table.get(&Key::member(group, account)).await?;
        let check = check_member(group, account, row.clone())?;
        let item: Option<MemberItem> = read_item(row)?;
        let after = item.as_ref().map(|item| (item.direct, &item.via));
        let trail = leave(group, account, after, &By::nobody(now));
        self.table.transact(vec![check, trail]).await.map(drop)
    }

    /// Copies the account's fields into a member's row.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_copies(&self, _: &Granted<Settle>, group: &GroupId, account: &AccountId) -> Result<(), Error> {
        let Some(account) = read_account(self.table.get(&Key::account(account)).await?)? else { return Ok(()) };
        let mut e = Expression::default();
        let older = e.less(Attribute::AccountVersion, account.version);
        let condition = format!("{older} OR {}", e.equal(Attribute::AccountVersion, account.version));
        let update = format!("SET {}", copies(&mut e, &account));
        self.table.update(&Key::member(group, &account.id), e, update, condition).await.map(drop)
    }

    /// Takes away the half of a nesting that only one of the two groups knows of. Its members are `verify`'s to find, and
    /// so is the count.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_half_nesting(&self, _: &Granted<Settle>, edge: &Edge) -> Result<(), Error> {
        let [child_row, parent_entry] = super::nesting::cut(edge);
        let mut e = Expression::default();
        let no_entry = e.no_entry(Attribute::Parents, edge.parent.to_string(), edge.id);
        let no_entry = Action::Check { key: Key::nesting(&edge.child()), e, condition: no_entry };
        let mut e = Expression::default();
        let no_row = format!("{} OR {}", e.no_row(), e.differs(Attribute::EdgeId, edge.id));
        let no_row = Action::Check { key: Key::child(&edge.parent, &edge.child()), e, condition: no_row };
        for half in [[child_row, no_entry], [parent_entry, no_row]] {
            self.table.transact(half.into()).await?;
        }
        Ok(())
    }

    /// Takes away a member of a group that is not there, with the mirror.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn repair_orphan(
        &self,
        _: &Granted<Settle>,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let rows = [Key::member(group, account), Key::membership(account, group)].map(Action::delete_any);
        let no_group = Action::check_row(Key::group(group), false);
        let trail = leave(group, account, None, &By::nobody(now));
        self.table.transact(rows.into_iter().chain([no_group, trail]).collect()).await.map(drop)
    }
}
