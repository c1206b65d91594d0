//! Lists of members, and single ones.

use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, Group, GroupId, Limit, Member, MembershipType, Missing, Page};
use crate::store::Store;
use crate::store::keys::{Attribute, COUNT_SHARDS, Key, Range};
use crate::store::pagination::{Scope, cut_page};
use crate::store::rows::{MemberItem, Snapshot, take_group};
use crate::store::table::{Condition, QuerySpec, Row, unreadable};

impl Store {
    /// Lists the members of a group by account id, with their total number. `only` selects one type. First page: one
    /// `Query`. Later pages: one `Query` and one `GetItem` side by side.
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
        let scope = Scope::new("members", &[&id.to_string(), only.map_or("", MembershipType::as_str)]);
        let after: Option<AccountId> = after.map(|cursor| scope.position(cursor)).transpose()?;
        let filter = only.map(of_type);
        let (group, rows) = match after {
            None => self.group_and_members(id, limit, filter).await?,
            Some(account) => {
                let range = Range::Members(*id);
                let after = Some(Key::member(id, &account));
                let spec = QuerySpec { after, wanted: Some(limit.items() + 1), filter, ..QuerySpec::all(&range) };
                let rows = async { self.table.query_typed(spec).await?.all() };
                futures::future::try_join(self.exact_group(id), rows).await?
            }
        };
        let group = group.ok_or(Missing::Group)?;
        let members = rows.into_iter().map(member).collect::<Result<_, _>>()?;
        let page = cut_page(members, limit, &scope, |member| member.account.id.clone());
        Ok((page, count(&group, only)))
    }

    async fn group_and_members(
        &self,
        id: &GroupId,
        limit: Limit,
        filter: Option<Condition>,
    ) -> Result<(Option<Group>, Vec<Row<MemberItem>>), Error> {
        let range = Range::GroupAndMembers(*id);
        let spec = QuerySpec { wanted: Some(limit.items() + 2 + COUNT_SHARDS), filter, ..QuerySpec::all(&range) };
        let mut rows = self.table.query_typed(spec).await?;
        let group = take_group(&mut rows, id)?;
        Ok((group, rows.all()?))
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

/// Selects the members of one type, and the group's own row before them, which has no such attribute.
fn of_type(only: MembershipType) -> Condition {
    Condition::equals(Attribute::Direct, only == MembershipType::Direct).or(Condition::absent(Attribute::Direct))
}
