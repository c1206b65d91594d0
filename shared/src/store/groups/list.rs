//! Lists of groups, in pages.

use std::collections::HashMap;

use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, Group, GroupId, Limit, MembershipType, Missing, Page};
use crate::store::Store;
use crate::store::keys::{Key, ListKey, Range};
use crate::store::pagination::{Place, Scope, cut_page};
use crate::store::rows::{AccountItem, GroupItem, MirrorItem};
use crate::store::table::{QuerySpec, Row};

impl Store {
    /// Lists all groups, by name without case, then id. One `Query` on the index, eventually consistent.
    ///
    /// # Errors
    /// [`Error::ForeignCursor`].
    pub async fn list_groups(
        &self,
        _: &Granted<Read>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<Group>, Error> {
        let scope = Scope::new("groups", &[]);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let after = after.map(|(name, id)| (Key::group(&id), Some(ListKey::group(&name, &id))));
        let wanted = Some(limit.items() + 1);
        let rows =
            self.table.query_typed::<GroupItem>(QuerySpec { after, wanted, ..QuerySpec::all(&Range::Groups) }).await?;
        let rows = rows.all()?.into_iter();
        let groups = rows.filter_map(|Row { key, item }| item.active(&key).transpose());
        Ok(cut_page(groups.collect::<Result<_, _>>()?, limit, &scope, Group::list_position))
    }

    /// Lists the groups that an account is in, by name without case, then id. One `Query`, then `BatchGetItem`s side by
    /// side; strongly consistent.
    ///
    /// # Errors
    /// [`Missing::Account`], [`Error::ForeignCursor`].
    pub async fn list_groups_of_account(
        &self,
        _: &Granted<Read>,
        account: &AccountId,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<Page<(Group, MembershipType)>, Error> {
        let scope = Scope::new("groups of account", &[account.as_str()]);
        let after: Option<Place> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let range = Range::AccountAndMirrors(account.clone());
        let rows = self.table.query_typed::<MirrorItem>(QuerySpec::all(&range)).await?;
        let (known, mirrors) = rows.split_head::<AccountItem>(&Key::account(account))?;
        let known = known.and_then(|Row { item, .. }| item.active(account));
        known.ok_or_else(|| Missing::Account(account.to_string()))?;

        let mut groups = self.groups_of_mirrors(mirrors).await?;
        groups.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        groups.truncate(limit.items() + 1);
        let page = cut_page(groups, limit, &scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, found)| found).collect(), next: page.next })
    }

    /// The groups of mirror rows, without those that are being deleted.
    async fn groups_of_mirrors(
        &self,
        mirrors: Vec<Row<MirrorItem>>,
    ) -> Result<Vec<(Place, (Group, MembershipType))>, Error> {
        let group_and_type = |Row { key, item }: Row<MirrorItem>| Some((key.as_mirror()?.1, item.membership_type()));
        let types: HashMap<GroupId, MembershipType> = mirrors.into_iter().filter_map(group_and_type).collect();
        let groups = self.find_groups(types.keys().copied()).await?.into_values();
        let with_type = |group: Group| Some((group.list_position(), types.get(&group.id).map(|it| (group, *it))?));
        Ok(groups.filter_map(with_type).collect())
    }
}
