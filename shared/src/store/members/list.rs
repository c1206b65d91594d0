//! Lists of members, and single ones.

use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, Group, GroupId, Limit, Member, MembershipType, Missing, Page};
use crate::store::Store;
use crate::store::keys::{COUNT_SHARDS, Key, Range};
use crate::store::pagination::{Scope, cut_page};
use crate::store::rows::{MemberItem, Snapshot, of_type, take_group};
use crate::store::table::{QuerySpec, Row, unreadable};

/// The most megabytes of rows that one list request reads; its response has at most 5 MiB.
const MAX_MEGABYTES: usize = 6;

/// The same for a list of one membership type: some 100,000 members.
const MAX_MEGABYTES_FILTERED: usize = 32;

impl Store {
    /// Lists the members of a group by account id, with their total number. `only` selects one type; a page of it may have
    /// fewer members than wanted, or none, and still a cursor. First page: one `Query` for each megabyte. Later pages: one
    /// more, side by side.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_members(
        &self,
        _: &Granted<Read>,
        id: &GroupId,
        only: Option<MembershipType>,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<(Page<Member>, u64), Error> {
        let scope = Scope::new("members of group", &[&id.to_string(), only.map_or("", MembershipType::as_str)]);
        let after: Option<AccountId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let filter = only.map(of_type);
        let pages = if filter.is_some() { MAX_MEGABYTES_FILTERED } else { MAX_MEGABYTES };
        let (group, (rows, last)) = match after {
            None => {
                let range = Range::GroupAndMembers(*id);
                let wanted = Some(limit.items() + 2 + COUNT_SHARDS);
                let spec = QuerySpec { wanted, pages, filter, ..QuerySpec::all(&range) };
                let (mut rows, last) = self.table.query_typed_part(spec).await?;
                (take_group(&mut rows, id)?, (rows.all()?, last))
            }
            Some(account) => {
                let range = Range::Members(*id);
                let after = Some(Key::member(id, &account));
                let spec =
                    QuerySpec { after, wanted: Some(limit.items() + 1), pages, filter, ..QuerySpec::all(&range) };
                let rows = async {
                    let (rows, last) = self.table.query_typed_part(spec).await?;
                    Ok((rows.all()?, last))
                };
                futures::future::try_join(self.exact_group(id), rows).await?
            }
        };
        let group = group.ok_or(Missing::Group)?;
        let members = rows.into_iter().map(member).collect::<Result<_, _>>()?;
        let mut page = cut_page(members, limit, &scope, |member| member.account.id.clone());
        // More members follow that were not read, even where none of those read is of this type.
        let last = last.and_then(|key| key.as_member()).filter(|_| page.next.is_none());
        page.next = page.next.or_else(|| last.map(|(_, account)| scope.cursor(&account)));
        Ok((page, count(&group, only)))
    }

    /// Returns an account as a member of a group. One `BatchGetItem`: the member's row alone would outlive a deleted group.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Member`].
    pub async fn require_member(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        account: &AccountId,
    ) -> Result<Member, Error> {
        let rows = Snapshot::read(&self.table, &[Key::group(group), Key::member(group, account)]).await?;
        rows.group(group)?.ok_or(Missing::Group)?;
        let item = rows.member(group, account)?.ok_or(Missing::Member)?;
        Ok(item.clone().member(account.clone()))
    }
}

fn member(Row { key, item }: Row<MemberItem>) -> Result<Member, Error> {
    let (_, account) = key.as_member().ok_or_else(|| unreadable("member row"))?;
    Ok(item.member(account))
}

fn count(group: &Group, only: Option<MembershipType>) -> u64 {
    match only {
        None => group.member_count,
        Some(MembershipType::Direct) => group.direct_member_count,
        Some(MembershipType::Indirect) => group.member_count.saturating_sub(group.direct_member_count),
    }
}
