//! Changes of rows that may have effects on other rows.

use super::record::{Images, Record};
use crate::domain::{AccountId, AccountVersion, Actor, Error, GroupId, JobKind, Membership};
use crate::store::rows::{AnyRow, State};

/// A change of a row that may have effects on other rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowChange {
    /// A member row changed.
    Member(MemberRowChange),
    /// An account was updated.
    AccountUpdated(AccountId, AccountVersion, Option<Actor>),
    /// An account was deleted.
    AccountDeleted(AccountId, AccountVersion, Option<Actor>),
    /// A count shard of a group changed.
    Counts(GroupId),
    /// A group was deleted.
    GroupDeleted(GroupId, Option<Actor>),
    /// A group has a name that searches may not have yet.
    NamePending(GroupId),
    /// A job was created or advanced, to this revision.
    Job(JobKind, u64),
}

/// A change of a member row: the membership before and after. The default is no membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberRowChange {
    /// The group.
    pub group: GroupId,
    /// The account.
    pub account: AccountId,
    /// The membership before; `None` without a row.
    pub before: Option<Membership>,
    /// The membership after; `None` without a row.
    pub after: Option<Membership>,
}

/// The row of a record that cannot be decoded, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowId {
    /// A member row.
    Member(GroupId, AccountId),
    /// An account.
    Account(AccountId),
    /// A group.
    Group(GroupId),
    /// A job.
    Job(JobKind),
    /// A row of a type that only a later version knows.
    Unknown,
}

impl Record {
    /// Decodes the change; `None` for one without effects.
    ///
    /// # Errors
    /// The record cannot be decoded.
    pub(crate) fn change(&self) -> Result<Option<RowChange>, Error> {
        let mut images = self.images()?;
        if let Some((group, account)) = images.key.as_member() {
            return member(group, account, images).map(Some);
        }
        if images.key.as_account().is_some() {
            return account(images);
        }
        if let Some((group, _)) = images.key.as_count() {
            return Ok(images.has_after().then_some(RowChange::Counts(group)));
        }
        if !images.key.is_known() {
            return Err(Error::Internal { operation: "row of an unknown type", code: images.key.row_type() });
        }
        if images.key.as_group().is_none() && images.key.as_job().is_none() {
            return Ok(None);
        }
        Ok(match images.take_after()? {
            Some(AnyRow::Group(id, group)) if group.state == State::Deleting => {
                Some(RowChange::GroupDeleted(id, group.actor))
            }
            Some(AnyRow::Group(id, group)) if group.name_pending => Some(RowChange::NamePending(id)),
            Some(AnyRow::Job(job)) => Some(RowChange::Job(job.kind, job.revision)),
            _ => None,
        })
    }

    /// The row of the record, as far as its key shows it.
    #[must_use]
    pub(crate) fn row_id(&self) -> Option<RowId> {
        let key = self.key()?;
        if !key.is_known() {
            return Some(RowId::Unknown);
        }
        let member = key.as_member().map(|(group, account)| RowId::Member(group, account));
        let account = || key.as_account().map(RowId::Account);
        let group = || key.as_group().map(RowId::Group);
        member.or_else(account).or_else(group).or_else(|| key.as_job().map(RowId::Job))
    }
}

fn member(group: GroupId, account: AccountId, mut images: Images) -> Result<RowChange, Error> {
    let membership = |row: Option<AnyRow>| match row {
        Some(AnyRow::Member(_, _, item)) => Some(item.membership()),
        _ => None,
    };
    let (before, after) = (membership(images.take_before()?), membership(images.take_after()?));
    Ok(RowChange::Member(MemberRowChange { group, account, before, after }))
}

fn account(mut images: Images) -> Result<Option<RowChange>, Error> {
    // An account that is new has no memberships.
    if !images.has_before() || !images.has_after() {
        return Ok(None);
    }
    let (before, after) = (images.take_before()?, images.take_after()?);
    let (Some(AnyRow::Account(_, before)), Some(AnyRow::Account(id, after))) = (before, after) else {
        return Ok(None);
    };
    Ok(match (before.state, after.state) {
        // The version of a deletion may be that of the last update.
        (State::Active, State::Deleted) => Some(RowChange::AccountDeleted(id, after.version, after.actor)),
        _ if before.version == after.version => None,
        _ => Some(RowChange::AccountUpdated(id, after.version, after.actor)),
    })
}
