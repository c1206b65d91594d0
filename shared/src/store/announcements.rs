//! Records of the table's stream that other systems are told of: what became of a group's own fields, and of who is a
//! member.

use serde_dynamo::Item;

use super::items::{GroupItem, State, TrailItem};
use super::records::{Record, read};
use super::trail::NOBODY;
use crate::domain::{AccountId, Error, Group, GroupId, Membership, Timestamp, Version};

/// A change that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What changed.
    pub subject: Subject,
    /// Counts the changes of the subject: of two announcements, the one with the higher number tells what came later.
    pub revision: u64,
    /// Who changed it.
    pub actor: String,
    /// When.
    pub occurred_at: Timestamp,
}

/// What changed, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A group's own fields.
    Group {
        /// The group.
        group: GroupId,
        /// As it was; `None` before it was created.
        before: Option<Group>,
        /// As it is; `None` once it is deleted.
        after: Option<Group>,
    },
    /// How an account is a member of a group.
    Member {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// As it was, if it was.
        before: Option<Membership>,
        /// As it is, if it is.
        after: Option<Membership>,
    },
}

impl Record {
    /// What is to be told of it; `None` for a change of something else.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn announcement(&self) -> Result<Option<Announcement>, Error> {
        let (key, before, after) = self.images()?;
        // Rows of both kinds that go have ended before.
        let Some(after) = after else { return Ok(None) };
        if let Some((group, account)) = key.as_trail() {
            return member(group, account, before, after);
        }
        let Some(id) = key.as_group() else { return Ok(None) };
        let item: GroupItem = read(after)?;
        let before: Option<GroupItem> = before.map(read).transpose()?;
        // Counts that moved, or a name that the search has now.
        if before.as_ref().is_some_and(|before| before.version == item.version || before.state != State::Active) {
            return Ok(None);
        }
        let (Version(revision), occurred_at) = (item.version, item.updated_at);
        let actor = item.actor.clone().unwrap_or_else(|| NOBODY.into());
        let before = before.map(|before| before.active(&key)).transpose()?.flatten();
        let subject = Subject::Group { group: id, before, after: item.active(&key)? };
        Ok(Some(Announcement { subject, revision, actor, occurred_at }))
    }
}

fn member(
    group: GroupId,
    account: AccountId,
    before: Option<Item>,
    after: Item,
) -> Result<Option<Announcement>, Error> {
    let before: TrailItem = before.map(read).transpose()?.unwrap_or_default();
    let item: TrailItem = read(after)?;
    let (before, after) = (before.membership(), item.membership());
    let (Some(actor), Some(occurred_at)) = (item.actor, item.changed_at) else { return Ok(None) };
    // A decision that changed nothing.
    if before == after {
        return Ok(None);
    }
    let subject = Subject::Member { group, account, before, after };
    Ok(Some(Announcement { subject, revision: item.revision, actor, occurred_at }))
}
