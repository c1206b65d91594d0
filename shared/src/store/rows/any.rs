//! Rows of any type, decoded by their keys.

use serde::de::DeserializeOwned;
use serde_dynamo::Item;

use super::codec::decode;
use super::{
    AccountItem, AuditItem, ChildItem, CountItem, CountShard, EndsItem, GroupItem, JobItem, ManagersItem, MemberItem,
    MirrorItem, NestingItem,
};
use crate::domain::{AccountId, Error, GroupId, Job};
use crate::store::keys::{Attributes, Key};
use crate::store::table::unreadable;

/// A decoded row of any type, with the ids in its key.
#[derive(Debug)]
pub(in crate::store) enum AnyRow {
    Group(GroupId, GroupItem),
    Member(GroupId, AccountId, MemberItem),
    Count(CountShard, CountItem),
    Child(GroupId, ChildItem),
    Nesting(NestingItem),
    Managers(ManagersItem),
    Account(AccountId, AccountItem),
    Mirror(AccountId, GroupId, MirrorItem),
    Ends(EndsItem),
    Audit(GroupId, AccountId, AuditItem),
    Job(Job),
    /// A row that only its own reader decodes.
    Other,
}

/// Decodes a row by the type that its key has.
pub(in crate::store) fn decode_row(key: &Key, row: Attributes) -> Result<AnyRow, Error> {
    decode_as(key, Image::Row(row))
}

/// Decodes an image of a row in a stream record by the type that its key has.
pub(in crate::store) fn decode_image(key: &Key, image: Item) -> Result<AnyRow, Error> {
    decode_as(key, Image::Stream(image))
}

/// A row in one of the two forms it arrives in.
enum Image {
    Row(Attributes),
    Stream(Item),
}

impl Image {
    fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        match self {
            Self::Row(row) => decode(row),
            Self::Stream(image) => serde_dynamo::from_item(image).map_err(|_| unreadable("stream record")),
        }
    }
}

fn decode_as(key: &Key, image: Image) -> Result<AnyRow, Error> {
    if let Some(group) = key.as_group() {
        return Ok(AnyRow::Group(group, image.decode()?));
    }
    if let Some((group, account)) = key.as_member() {
        return Ok(AnyRow::Member(group, account, image.decode()?));
    }
    if let Some((group, number)) = key.as_count() {
        return Ok(AnyRow::Count(CountShard { group, number }, image.decode()?));
    }
    if let Some((parent, _)) = key.as_child() {
        return Ok(AnyRow::Child(parent, image.decode()?));
    }
    if key.as_nesting().is_some() {
        return Ok(AnyRow::Nesting(image.decode()?));
    }
    if key.as_managers().is_some() {
        return Ok(AnyRow::Managers(image.decode()?));
    }
    if let Some(account) = key.as_account() {
        return Ok(AnyRow::Account(account, image.decode()?));
    }
    if let Some((account, group)) = key.as_mirror() {
        return Ok(AnyRow::Mirror(account, group, image.decode()?));
    }
    if key.as_ends().is_some() {
        return Ok(AnyRow::Ends(image.decode()?));
    }
    if let Some((group, account)) = key.as_audit_record() {
        return Ok(AnyRow::Audit(group, account, image.decode()?));
    }
    if let Some(kind) = key.as_job() {
        let item: JobItem = image.decode()?;
        return Ok(AnyRow::Job(item.job(kind)));
    }
    if key.is_known() { Ok(AnyRow::Other) } else { Err(unreadable("row of an unknown type")) }
}
