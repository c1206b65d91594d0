//! Lists of members, and single ones.

use std::collections::BTreeSet;

use crate::authz::{Granted, Read};
use crate::domain::{
    AccountId, AccountTerm, Cursor, Error, Group, GroupId, Limit, Member, MembershipType, Missing, Page, Timestamp,
};
use crate::store::Store;
use crate::store::keys::{Attribute, COUNT_SHARDS, Key, Range};
use crate::store::pagination::{Scope, cut_page};
use crate::store::rows::{MemberItem, Snapshot, of_type, take_group};
use crate::store::table::{Condition, QuerySpec, Row, TypedRows, unreadable};

/// The most megabytes of rows that one list request reads; its response has at most 5 MiB.
const MAX_MEGABYTES: usize = 6;

/// The same for a list with a filter: some 100,000 members.
const MAX_MEGABYTES_FILTERED: usize = 32;

/// The members to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// Those of this membership type.
    pub membership_type: Option<MembershipType>,
    /// Those with this status.
    pub status: Option<String>,
    /// Those with words that begin with these.
    pub term: Option<AccountTerm>,
}

impl MemberFilter {
    /// The condition by which DynamoDB selects members. It also passes the count shards and the group's row before them.
    fn condition(&self) -> Option<Condition> {
        let with_status = |status: &String| {
            Condition::equals(Attribute::Status, status.as_str()).or(Condition::absent(Attribute::Status))
        };
        let (of_type, with_status) = (self.membership_type.map(of_type), self.status.as_ref().map(with_status));
        Condition::all(of_type.into_iter().chain(with_status))
    }

    fn scope(&self, group: &GroupId) -> Scope {
        let (group, of_type) = (group.to_string(), self.membership_type.map_or("", MembershipType::as_str));
        let mut parts = vec![group.as_str(), of_type];
        // A cursor of an earlier version has no more parts.
        if self.status.is_some() || self.term.is_some() {
            parts.extend([
                self.status.as_deref().unwrap_or_default(),
                self.term.as_ref().map_or("", AccountTerm::as_str),
            ]);
        }
        Scope::new("members of group", &parts)
    }
}

/// Members that were read, and the key after which more follow.
type Part = (Vec<Member>, Option<Key>);

impl Store {
    /// Lists the members of a group by account id, with the number of all members of the membership type. With a filter, a page
    /// may have fewer members than wanted, or none, and still a cursor. First page: one `Query` for each megabyte. Later pages, and
    /// those of a term: one more, side by side.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::ForeignCursor`].
    pub async fn list_members(
        &self,
        _: &Granted<Read>,
        id: &GroupId,
        filter: &MemberFilter,
        limit: Limit,
        after: Option<&Cursor>,
    ) -> Result<(Page<Member>, u64), Error> {
        let scope = filter.scope(id);
        let after: Option<AccountId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let (group, (members, last)) = match (after, &filter.term) {
            (None, None) => self.group_and_first_members(id, filter, limit).await?,
            (after, None) => {
                let members = self.later_members(id, filter, limit, after.as_ref());
                futures::future::try_join(self.exact_group(id), members).await?
            }
            (after, Some(term)) => {
                let members = self.members_matching(id, filter, term, limit, after.as_ref());
                futures::future::try_join(self.exact_group(id), members).await?
            }
        };
        let group = group.ok_or(Missing::Group)?;
        let mut page = cut_page(members, limit, &scope, |member| member.account.id.clone());
        // More members follow that were not read, even where none of those read is selected.
        let last = last.and_then(|key| key.as_member()).filter(|_| page.next.is_none());
        page.next = page.next.or_else(|| last.map(|(_, account)| scope.cursor(&account)));
        Ok((page, count(&group, filter.membership_type)))
    }

    async fn group_and_first_members(
        &self,
        id: &GroupId,
        filter: &MemberFilter,
        limit: Limit,
    ) -> Result<(Option<Group>, Part), Error> {
        let range = Range::GroupAndMembers(*id);
        let wanted = Some(limit.items() + 2 + COUNT_SHARDS);
        let (filter, pages) = filter_and_pages(filter);
        let spec = QuerySpec { wanted, pages, filter, ..QuerySpec::all(&range) };
        let (mut rows, last) = self.table.query_typed_part(spec).await?;
        Ok((take_group(&mut rows, id)?, (members(rows)?, last)))
    }

    async fn later_members(
        &self,
        id: &GroupId,
        filter: &MemberFilter,
        limit: Limit,
        after: Option<&AccountId>,
    ) -> Result<Part, Error> {
        let range = Range::Members(*id);
        let after = after.map(|account| Key::member(id, account));
        let (filter, pages) = filter_and_pages(filter);
        let spec = QuerySpec { after, wanted: Some(limit.items() + 1), pages, filter, ..QuerySpec::all(&range) };
        let (rows, last) = self.table.query_typed_part(spec).await?;
        Ok((members(rows)?, last))
    }

    /// The members that a term matches, read megabyte by megabyte: DynamoDB cannot compare without case.
    async fn members_matching(
        &self,
        id: &GroupId,
        filter: &MemberFilter,
        term: &AccountTerm,
        limit: Limit,
        after: Option<&AccountId>,
    ) -> Result<Part, Error> {
        let range = Range::Members(*id);
        let mut after = after.map(|account| Key::member(id, account));
        let mut found = Vec::new();
        for _ in 0..MAX_MEGABYTES_FILTERED {
            let spec = QuerySpec { after, pages: 1, filter: filter.condition(), ..QuerySpec::all(&range) };
            let (rows, last) = self.table.query_typed_part(spec).await?;
            found.extend(members(rows)?.into_iter().filter(|member| term.matches(&member.account)));
            after = last;
            if after.is_none() || found.len() > limit.items() {
                break;
            }
        }
        Ok((found, after))
    }

    /// Returns an account as a member of a group at this time. One `BatchGetItem`: the member's row alone would outlive a deleted group. In
    /// the minute after a direct membership of the account has ended, also those of `memberships_in_force`.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Member`].
    pub async fn require_member(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Member, Error> {
        let keys = [Key::group(group), Key::member(group, account), Key::ends(account)];
        let rows = Snapshot::read(&self.table, &keys).await?;
        rows.group(group)?.ok_or(Missing::Group)?;
        let item = rows.member(group, account)?.ok_or(Missing::Member)?;
        let mut member = item.clone().member(account.clone());
        if item.has_expired(now) || !rows.ends(account)?.ended(now).is_empty() {
            let mut in_force = self.memberships_in_force(account, BTreeSet::from([*group]), now).await?;
            member.membership = in_force.remove(group).ok_or(Missing::Member)?;
            member.expires_at = member.expires_at.filter(|_| member.membership.direct);
        }
        Ok(member)
    }
}

/// The condition for DynamoDB, and the most megabytes to read.
fn filter_and_pages(filter: &MemberFilter) -> (Option<Condition>, usize) {
    let condition = filter.condition();
    let pages = if condition.is_some() { MAX_MEGABYTES_FILTERED } else { MAX_MEGABYTES };
    (condition, pages)
}

fn members(rows: TypedRows<MemberItem>) -> Result<Vec<Member>, Error> {
    let member = |Row { key, item }: Row<MemberItem>| {
        let (_, account) = key.as_member().ok_or_else(|| unreadable("member row"))?;
        Ok(item.member(account))
    };
    rows.all()?.into_iter().map(member).collect()
}

fn count(group: &Group, only: Option<MembershipType>) -> u64 {
    match only {
        None => group.member_count,
        Some(MembershipType::Direct) => group.direct_member_count,
        Some(MembershipType::Indirect) => group.member_count.saturating_sub(group.direct_member_count),
    }
}
