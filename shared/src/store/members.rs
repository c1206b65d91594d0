//! Who is a member of a group.

use super::Store;
use super::cursor::Scope;
use super::expression::Expression;
use super::items::{GroupItem, MemberItem, read_group, read_member};
use super::keys::{Attribute, Key, Range};
use super::lists::page;
use super::row::Row;
use super::table::Rows;
use crate::authz::{Granted, Read};
use crate::domain::{AccountId, Cursor, Error, Group, GroupId, Limit, Member, MembershipType, Missing, Page};

impl Store {
    /// The members of a group, by account id, and how many there are in all; with a type, those of that type. First
    /// page: one `Query`; later: one `Query` and one `GetItem` side by side.
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
        let (group, members) = match after {
            None => self.group_and_members(id, limit, filter).await?,
            Some(account) => {
                let range = Range::Members(*id);
                let after = Some((Key::member(id, &account), None));
                let rows = Rows { after, wanted: Some(limit.items() + 1), filter, ..Rows::all(&range) };
                let members = async { self.table.read(rows).await?.all() };
                futures::future::try_join(self.find_group(id), members).await?
            }
        };
        let group = group.ok_or(Missing::Group)?;
        let members = members.into_iter().map(|Row { key, item }| item.member(&key)).collect::<Result<_, _>>()?;
        let page = page(members, limit, &scope, |member| member.account.id.clone());
        Ok((page, count(&group, only)))
    }

    async fn group_and_members(
        &self,
        id: &GroupId,
        limit: Limit,
        filter: Option<(Expression, String)>,
    ) -> Result<(Option<Group>, Vec<Row<MemberItem>>), Error> {
        let range = Range::GroupAndMembers(*id);
        let rows = Rows { wanted: Some(limit.items() + 2), filter, ..Rows::all(&range) };
        let (group, members) = self.table.read(rows).await?.behind::<GroupItem>(&Key::group(id))?;
        let group = group.map(|Row { key, item }| item.active(&key)).transpose()?.flatten();
        Ok((group, members))
    }

    /// The account as a member of the group. One `BatchGetItem`: the member's row alone would outlive a deleted group.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Missing::Member`].
    pub async fn require_member(
        &self,
        _: &Granted<Read>,
        group: &GroupId,
        account: &AccountId,
    ) -> Result<Member, Error> {
        let (group_key, member_key) = (Key::group(group), Key::member(group, account));
        let mut rows = self.table.batch_get(&[group_key.clone(), member_key.clone()]).await?;
        read_group(rows.remove(&group_key))?.ok_or(Missing::Group)?;
        let member = rows.remove(&member_key).ok_or(Missing::Member)?;
        read_member(member)
    }
}

fn count(group: &Group, only: Option<MembershipType>) -> u64 {
    match only {
        None => group.member_count,
        Some(MembershipType::Direct) => group.direct_member_count,
        Some(MembershipType::Indirect) => group.member_count.saturating_sub(group.direct_member_count),
    }
}

/// Lets through the members of one type, and the group's own row, which comes along with the first of them.
fn of_type(only: MembershipType) -> (Expression, String) {
    let mut e = Expression::default();
    let direct = e.equal(Attribute::Direct, only == MembershipType::Direct);
    let filter = format!("{direct} OR {}", e.absent(Attribute::Direct));
    (e, filter)
}
