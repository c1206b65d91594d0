//! Changes that other systems are notified of: of a group's own fields, and of memberships.

use super::record::Record;
use crate::domain::{AccountId, Actor, Error, Group, GroupId, Membership, Timestamp, Version};
use crate::store::keys::Key;
use crate::store::rows::{AnyRow, AuditItem, GroupItem, State};

/// A committed change to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The change.
    pub subject: Subject,
    /// Counts the changes of the subject: of two announcements, the one with the higher number is the later.
    pub revision: u64,
    /// Who made the change.
    pub actor: Actor,
    /// When it was made.
    pub occurred_at: Timestamp,
}

/// The changed entity, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A group's own fields.
    Group {
        /// The group.
        group: GroupId,
        /// The group before; `None` for a new one.
        before: Option<Box<Group>>,
        /// The group after; `None` for a deleted one.
        after: Option<Box<Group>>,
    },
    /// A membership.
    Member {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// The membership before, if there was one.
        before: Option<Membership>,
        /// The membership after, if there is one.
        after: Option<Membership>,
    },
}

impl Record {
    /// Decodes the announcement; `None` for a change of something else.
    ///
    /// # Errors
    /// The record cannot be decoded.
    pub fn announcement(&self) -> Result<Option<Announcement>, Error> {
        let mut images = self.images()?;
        let key = images.key.clone();
        // A row that is removed was announced before, when its group or membership ended.
        if !images.has_after() || (key.as_group().is_none() && key.as_audit_record().is_none()) {
            return Ok(None);
        }
        match (images.take_before()?, images.take_after()?) {
            (before, Some(AnyRow::Audit(group, account, after))) => {
                let before = match before {
                    Some(AnyRow::Audit(_, _, item)) => item,
                    _ => AuditItem::default(),
                };
                Ok(member(group, account, &before, after))
            }
            (before, Some(AnyRow::Group(id, after))) => {
                let before = match before {
                    Some(AnyRow::Group(_, item)) => Some(item),
                    _ => None,
                };
                group(&key, id, before.as_ref(), &after)
            }
            _ => Ok(None),
        }
    }
}

fn group(key: &Key, id: GroupId, before: Option<&GroupItem>, after: &GroupItem) -> Result<Option<Announcement>, Error> {
    // Only the counts changed, or searches have the name now.
    if before.is_some_and(|before| before.version == after.version || before.state != State::Active) {
        return Ok(None);
    }
    let (Version(revision), occurred_at) = (after.version, after.updated_at);
    let actor = after.actor.clone().unwrap_or_else(Actor::system);
    let before = before.map(|before| before.active(key)).transpose()?.flatten().map(Box::new);
    let subject = Subject::Group { group: id, before, after: after.active(key)?.map(Box::new) };
    Ok(Some(Announcement { subject, revision, actor, occurred_at }))
}

fn member(group: GroupId, account: AccountId, before: &AuditItem, item: AuditItem) -> Option<Announcement> {
    let (before, after) = (before.membership(), item.membership());
    let (actor, occurred_at) = (item.actor?, item.changed_at?);
    // A decision that changed nothing.
    if before == after {
        return None;
    }
    let subject = Subject::Member { group, account, before, after };
    Some(Announcement { subject, revision: item.revision, actor, occurred_at })
}
