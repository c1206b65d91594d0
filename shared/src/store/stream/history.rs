//! The change in a record that history keeps, and that other systems are notified of: of a group's own fields, of a membership or of
//! a nesting.

use super::record::{Images, Record};
use crate::domain::{
    AccountId, Actor, Error, ExpiryAnnouncement, GroupId, HistoryChange, HistoryEntry, Timestamp, Version,
};
use crate::store::keys::Key;
use crate::store::rows::{AnyRow, AuditItem, GroupItem, NestingItem, State};

impl Record {
    /// Decodes the change that history keeps; `None` for a change of something else.
    ///
    /// # Errors
    /// The record cannot be decoded.
    pub fn history(&self) -> Result<Option<HistoryEntry>, Error> {
        let images = self.images()?;
        let key = images.key.clone();
        // A row that is removed had its entry before, when its group, membership or nesting ended.
        if !images.has_after() {
            return Ok(None);
        }
        if let Some((group, account)) = key.as_audit_record() {
            return member(group, account, images);
        }
        if let Some(id) = key.as_group() {
            return group(&key, id, images);
        }
        key.as_nesting().map_or(Ok(None), |child| nesting(child, images))
    }

    /// Decodes the announcement that a membership ends soon; `None` for a change of something else.
    ///
    /// # Errors
    /// The record cannot be decoded.
    pub fn announcement(&self) -> Result<Option<ExpiryAnnouncement>, Error> {
        let mut images = self.images()?;
        let Some((group, account)) = images.key.as_audit_record() else { return Ok(None) };
        let (before, after) = (audit_record(images.take_before()?), audit_record(images.take_after()?));
        let announced = after.announced_end.filter(|end| before.announced_end != Some(*end));
        let at = Timestamp::from_unix_seconds(self.happened_at.map_or(0, |millis| (millis / 1_000).cast_signed()));
        let announcement = |expires_at| ExpiryAnnouncement { group, account, expires_at, at, revision: after.revision };
        Ok(announced.map(announcement))
    }
}

fn audit_record(row: Option<AnyRow>) -> AuditItem {
    match row {
        Some(AnyRow::Audit(_, _, item)) => item,
        _ => AuditItem::default(),
    }
}

fn group(key: &Key, group: GroupId, mut images: Images) -> Result<Option<HistoryEntry>, Error> {
    let item = |row: Option<AnyRow>| match row {
        Some(AnyRow::Group(_, item)) => Some(item),
        _ => None,
    };
    let (before, after) = (item(images.take_before()?), item(images.take_after()?));
    let Some(after) = after else { return Ok(None) };
    // Only the counts changed, or searches have the name now.
    let is_same = |before: &GroupItem| before.version == after.version || before.state != State::Active;
    if before.as_ref().is_some_and(is_same) {
        return Ok(None);
    }
    let (Version(revision), at) = (after.version, after.updated_at);
    let actor = after.actor.clone().unwrap_or_else(Actor::system);
    let before = before.map(|before| before.active(key)).transpose()?.flatten().map(Box::new);
    let change = HistoryChange::Group { group, before, after: after.active(key)?.map(Box::new) };
    Ok(Some(HistoryEntry { revision, at, actor, change }))
}

fn member(group: GroupId, account: AccountId, mut images: Images) -> Result<Option<HistoryEntry>, Error> {
    let (before_item, item) = (audit_record(images.take_before()?), audit_record(images.take_after()?));
    let (before, after) = (before_item.past_membership(), item.past_membership());
    // A decision that changed nothing.
    if before == after {
        return Ok(None);
    }
    let Some((actor, at)) = item.actor.zip(item.changed_at) else { return Ok(None) };
    let change = HistoryChange::Member { group, account, before, after, before_since: before_item.changed_at };
    Ok(Some(HistoryEntry { revision: item.revision, at, actor, change }))
}

/// The row names the parent that changed, so that the images need not be compared.
fn nesting(child: GroupId, mut images: Images) -> Result<Option<HistoryEntry>, Error> {
    let item = |row: Option<AnyRow>| match row {
        Some(AnyRow::Nesting(item)) => item,
        _ => NestingItem::default(),
    };
    let (before, after) = (item(images.take_before()?), item(images.take_after()?));
    // A change by an older version names no parent.
    let (Some(parent), Some(actor), Some(at)) = (after.changed_parent, after.actor, after.changed_at) else {
        return Ok(None);
    };
    let change = HistoryChange::Nesting { parent, child, is_nested: after.parents.contains_key(&parent) };
    let is_changed = before.rev != after.rev;
    Ok(is_changed.then_some(HistoryEntry { revision: after.rev, at, actor, change }))
}
