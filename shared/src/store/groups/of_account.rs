//! The groups of an account, read from the mirrors in the account's partition.

use std::collections::{BTreeSet, HashMap};

use crate::authz::{Granted, Read};
use crate::domain::{
    Account, AccountId, Cursor, Error, Group, GroupId, GroupSelection, Limit, Membership, MembershipType, Missing,
    Page, Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Key, Range};
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::{AccountItem, MemberItem, MirrorItem, Snapshot, from_row, of_type};
use crate::store::table::{QuerySpec, Row, TypedRows};

/// The list of an account's groups by name.
const LIST: &str = "groups of account";

impl Store {
    /// Returns an account, and how many groups it is in. One `Query`, then `BatchGetItem`s of a hundred groups, side by side;
    /// strongly consistent.
    ///
    /// # Errors
    /// [`Missing::Account`].
    pub async fn require_account(&self, _: &Granted<Read>, id: &AccountId) -> Result<(Account, u64), Error> {
        let (account, groups) = self.groups_of_account(id, None).await?;
        Ok((account, groups.len() as u64))
    }

    /// Lists the groups that an account is in and the filter selects, by name without case, then id. The requests of
    /// [`Store::require_account`].
    ///
    /// # Errors
    /// [`Missing::Account`], [`Error::ForeignCursor`].
    pub async fn list_groups_of_account(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        selection: GroupSelection,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<(Group, MembershipType)>, Error> {
        let scope = super::list::scope(LIST, &[account.as_str()], selection);
        let groups = self.groups_after(account, None, selection, limit, &scope, after).await?;
        Ok(cut_page(groups, limit, &scope, |(group, _)| group.list_position()))
    }

    /// As [`Store::list_groups_of_account`], each group with the nested groups that an indirect membership comes through. `only`
    /// selects one type. One round of `BatchGetItem`s more, for the indirect ones of the page.
    ///
    /// # Errors
    /// As there.
    pub async fn list_memberships(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<(Group, Membership)>, Error> {
        let scope = scope(account, only);
        let groups = self.groups_after(account, only, GroupSelection::default(), limit, &scope, after).await?;
        let indirect = groups.iter().filter(|(_, it)| *it == MembershipType::Indirect);
        let keys: Vec<Key> = indirect.map(|(group, _)| Key::member(&group.id, account)).collect();
        let rows = Snapshot::read(&self.table, &keys).await?;
        let with_membership = |(group, membership_type): (Group, MembershipType)| {
            // The row of an indirect one may have gone since the mirror was read.
            let read = rows.member(&group.id, account)?.map(MemberItem::membership);
            let direct = membership_type == MembershipType::Direct;
            let membership = read.unwrap_or_else(|| Membership { direct, ..Membership::default() });
            Ok((group, membership))
        };
        let memberships = groups.into_iter().map(with_membership).collect::<Result<_, Error>>()?;
        Ok(cut_page(memberships, limit, &scope, |(group, _)| group.list_position()))
    }

    /// Lists the ids of the groups that an account is in, by id. `only` selects one membership type. The requests of
    /// [`Store::require_account`].
    ///
    /// # Errors
    /// [`Missing::Account`], [`Error::ForeignCursor`].
    pub async fn list_group_ids_of_account(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<GroupId>, Error> {
        let scope = Scope::new("group ids of account", &[account.as_str(), only.map_or("", MembershipType::as_str)]);
        let after: Option<GroupId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let (_, groups) = self.groups_of_account(account, only).await?;
        let mut ids: Vec<GroupId> = groups.into_iter().map(|(group, _)| group.id).collect();
        ids.retain(|id| after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        Ok(cut_page(ids, limit, &scope, |id| *id))
    }

    /// Checks for each of these groups whether an account is a member of it at this time. Returns those that it is a member of. One
    /// `BatchGetItem` for each hundred groups and one for the account, side by side; then `BatchGetItem`s of the groups that it is in;
    /// strongly consistent. In the minute after a direct membership of the account has ended, also those of
    /// `memberships_in_force`.
    ///
    /// # Errors
    /// [`Missing::Account`].
    pub async fn check_memberships(
        &self,
        _: &Granted<Read>,
        id: &AccountId,
        groups: &BTreeSet<GroupId>,
        now: Timestamp,
    ) -> Result<HashMap<GroupId, MembershipType>, Error> {
        let keys: Vec<Key> = groups.iter().map(|group| Key::mirror(id, group)).collect();
        let of_account = [Key::account(id), Key::ends(id)];
        let of_account = Snapshot::read(&self.table, &of_account);
        let (of_account, rows) = futures::future::try_join(of_account, self.table.batch_get(&keys)).await?;
        of_account.account(id)?.and_then(|item| item.active(id)).ok_or_else(|| Missing::Account(id.to_string()))?;
        let mirror = |row| from_row(row).map(|(key, item)| Row { key, item });
        let mirrors = rows.into_values().map(mirror).collect::<Result<_, _>>()?;
        let groups = self.groups_of_mirrors(mirrors).await?;
        let types = groups.into_iter().map(|(group, membership_type)| (group.id, membership_type));
        let types: HashMap<GroupId, MembershipType> = types.collect();
        if of_account.ends(id)?.ended(now).is_empty() {
            return Ok(types);
        }
        let in_force = self.memberships_in_force(id, types.into_keys().collect(), now).await?;
        Ok(in_force.into_iter().map(|(group, membership)| (group, membership.membership_type())).collect())
    }

    /// The groups of an account after a position, by name, one past the page.
    async fn groups_after(
        &self,
        account: &AccountId,
        only: Option<MembershipType>,
        selection: GroupSelection,
        limit: Limit,
        scope: &Scope,
        after: Option<&Cursor>,
    ) -> Result<Vec<(Group, MembershipType)>, Error> {
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let (_, mut groups) = self.groups_of_account(account, only).await?;
        groups.retain(|(group, _)| selection.filter.matches(&group.profile));
        let mut placed: Vec<_> = groups.into_iter().map(|found| (found.0.list_position(), found)).collect();
        let compare = |a: &Place, b: &Place| if selection.order.is_descending() { b.cmp(a) } else { a.cmp(b) };
        placed.retain(|(place, _)| after.as_ref().is_none_or(|after| compare(place, after).is_gt()));
        placed.sort_unstable_by(|(a, _), (b, _)| compare(a, b));
        placed.truncate(limit.items() + 1);
        Ok(placed.into_iter().map(|(_, found)| found).collect())
    }

    /// An account, and all groups that it is in by a membership of a type, in no order.
    async fn groups_of_account(
        &self,
        id: &AccountId,
        only: Option<MembershipType>,
    ) -> Result<(Account, Vec<(Group, MembershipType)>), Error> {
        let range = Range::AccountAndMirrors(id.clone());
        let spec = QuerySpec { filter: only.map(of_type), ..QuerySpec::all(&range) };
        let mut rows: TypedRows<MirrorItem> = self.table.query_typed(spec).await?;
        let account = rows.take_head::<AccountItem>(&Key::account(id))?.and_then(|Row { item, .. }| item.active(id));
        let account = account.ok_or_else(|| Missing::Account(id.to_string()))?;
        Ok((account, self.groups_of_mirrors(rows.all()?).await?))
    }

    /// The groups of mirrors, without those that are being deleted: their mirrors go later.
    async fn groups_of_mirrors(&self, mirrors: Vec<Row<MirrorItem>>) -> Result<Vec<(Group, MembershipType)>, Error> {
        let group_and_type = |Row { key, item }: Row<MirrorItem>| Some((key.as_mirror()?.1, item.membership_type()));
        let types: HashMap<GroupId, MembershipType> = mirrors.into_iter().filter_map(group_and_type).collect();
        let groups = self.find_groups(types.keys().copied()).await?.into_values();
        Ok(groups.filter_map(|group| types.get(&group.id).map(|it| (group, *it))).collect())
    }
}

/// A cursor of this list is one of `?member=` where nothing is selected.
fn scope(account: &AccountId, only: Option<MembershipType>) -> Scope {
    let filters = [Some(account.as_str()), only.map(MembershipType::as_str)];
    Scope::new(LIST, &filters.into_iter().flatten().collect::<Vec<_>>())
}
