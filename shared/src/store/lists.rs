//! Groups by the page.

use std::collections::HashMap;

use super::Store;
use super::cursor::{Position, Scope};
use super::items::{AccountItem, GroupItem, MembershipItem, read_group};
use super::keys::{Key, ListKey, Range};
use super::row::Row;
use super::table::Rows;
use super::weigh::Weigh;
use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, Group, GroupId, Limit, MembershipType, Missing, Page, SortKey};

/// A place in an order by name, or by the text from a match on.
pub(super) type Place = (SortKey, GroupId);

/// Bytes of a page as Lambda carries it, at most: it takes 6 MB (AWS Lambda quotas, "invocation payload"), and a page
/// that does not fit is no answer at all.
const MAX_PAGE_BYTES: usize = 5 * 1024 * 1024;

/// Cuts what was read, one item past the page where there is one, to a page: to the limit or to what can be carried.
pub(super) fn page<T: Weigh, P: Position>(
    mut items: Vec<T>,
    limit: Limit,
    scope: &Scope,
    position: impl Fn(&T) -> P,
) -> Page<T> {
    let mut bytes = 0;
    let carried = items.iter().take(limit.items()).take_while(|item| {
        bytes += item.carried_bytes();
        bytes <= MAX_PAGE_BYTES
    });
    let size = carried.count();
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|last| scope.cursor(&position(last)));
    Page { items, next }
}

impl Store {
    /// All groups, by name without case, then id. One `Query` on the index, eventually consistent.
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
        let rows = self.table.read(Rows { after, wanted, ..Rows::all(&Range::Groups) }).await?.all()?.into_iter();
        let groups = rows.filter_map(|Row { key, item }| GroupItem::active(item, &key).transpose());
        Ok(page(groups.collect::<Result<_, _>>()?, limit, &scope, Group::list_position))
    }

    /// The groups that the account is in, by name without case, then id. One `Query`, then `BatchGetItem`s side by side;
    /// strongly consistent.
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
        let range = Range::AccountAndMemberships(account.clone());
        let rows = self.table.read::<MembershipItem>(Rows::all(&range)).await?;
        let (known, memberships) = rows.behind::<AccountItem>(&Key::account(account))?;
        let known = known.map(|Row { key, item }| item.account(&key)).transpose()?.flatten();
        known.ok_or_else(|| Missing::Account(account.to_string()))?;

        let mut groups = self.groups_of_memberships(memberships).await?;
        groups.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        groups.truncate(limit.items() + 1);
        let page = page(groups, limit, &scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, found)| found).collect(), next: page.next })
    }

    /// The groups behind membership rows, those that are being deleted left out.
    async fn groups_of_memberships(
        &self,
        memberships: Vec<Row<MembershipItem>>,
    ) -> Result<Vec<(Place, (Group, MembershipType))>, Error> {
        let group = |key: &Key| key.as_membership().map(|(_, group)| Key::group(&group));
        let types = memberships.iter().filter_map(|Row { key, item }| Some((group(key)?, item.membership_type())));
        let types: HashMap<Key, MembershipType> = types.collect();
        let keys: Vec<Key> = types.keys().cloned().collect();
        let mut groups = Vec::with_capacity(keys.len());
        for (key, row) in self.table.batch_get(&keys).await? {
            if let (Some(group), Some(membership_type)) = (read_group(row)?, types.get(&key)) {
                groups.push((group.list_position(), (group, *membership_type)));
            }
        }
        Ok(groups)
    }
}
