//! Groups by the page.

use super::Store;
use super::cursor::{Position, Scope};
use super::items::{read_account, read_group, read_membership};
use super::keys::{Attributes, Key, ListKey, Range};
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
        let rows = self.table.query(Rows { after, wanted, ..Rows::all(&Range::Groups) }).await?;
        Ok(page(read_groups(rows)?, limit, &scope, Group::list_position))
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
        let mut rows = self.table.query(Rows::all(&range)).await?.into_iter();
        let known = rows.next().filter(|row| Key::of_row(row) == Some(Key::account(account)));
        read_account(known)?.ok_or_else(|| Missing::Account(account.to_string()))?;

        let mut groups = self.groups_of_memberships(rows).await?;
        groups.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        groups.truncate(limit.items() + 1);
        let page = page(groups, limit, &scope, |(place, _)| place.clone());
        Ok(Page { items: page.items.into_iter().map(|(_, found)| found).collect(), next: page.next })
    }

    /// The groups behind membership rows, those that are being deleted left out.
    async fn groups_of_memberships(
        &self,
        rows: impl Iterator<Item = Attributes>,
    ) -> Result<Vec<(Place, (Group, MembershipType))>, Error> {
        let mut types = std::collections::HashMap::new();
        for row in rows {
            let (_, id, membership_type) = read_membership(row)?;
            types.insert(Key::group(&id), membership_type);
        }
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

fn read_groups(rows: Vec<Attributes>) -> Result<Vec<Group>, Error> {
    rows.into_iter().filter_map(|row| read_group(row).transpose()).collect()
}
