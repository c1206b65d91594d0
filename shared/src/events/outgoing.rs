//! Builds the events that this system sends through EventBridge. Their schemas are in `docs/events`.

use serde::Serialize;

use crate::bus::Entry;
use crate::domain::validity::EXPIRY_ACTOR;
use crate::domain::{
    AccountId, Error, ExpiryAnnouncement, ExternalId, Group, GroupEmail, GroupId, GroupType, HistoryChange,
    HistoryEntry, PastMembership, Timestamp,
};

/// The detail of an event: fields common to all, the subject, and its state before and after.
#[derive(Debug, Serialize)]
struct Detail<'a, S, T> {
    /// Identical in every delivery of the same event.
    id: String,
    occurred_at: Timestamp,
    actor: &'a str,
    /// Grows with each change of the subject; consumers order the subject's events by it.
    revision: u64,
    #[serde(flatten)]
    subject: S,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<T>,
}

#[derive(Debug, Serialize)]
struct GroupSubject {
    group_id: GroupId,
}

/// The fields of a group, without members.
#[derive(Debug, Serialize)]
struct GroupState<'a> {
    name: &'a str,
    description: &'a str,
    group_type: GroupType,
    is_privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

impl<'a> From<&'a Group> for GroupState<'a> {
    fn from(group: &'a Group) -> Self {
        let profile = &group.profile;
        Self {
            name: profile.name.as_str(),
            description: profile.description.as_str(),
            group_type: profile.group_type,
            is_privileged: profile.is_privileged,
            external_id: profile.external_id.as_ref().map(ExternalId::as_str),
            email: profile.email.as_ref().map(GroupEmail::as_str),
        }
    }
}

/// The account and its membership: the new one of a member that was added, the last one of a member that was removed.
#[derive(Debug, Serialize)]
struct MemberSubject<'a> {
    group_id: GroupId,
    account_id: &'a AccountId,
    #[serde(flatten)]
    membership: Option<MembershipState>,
}

/// The type and origin of a membership.
#[derive(Debug, Clone, Serialize)]
struct MembershipState {
    membership_type: &'static str,
    via: Vec<GroupId>,
}

impl From<&PastMembership> for MembershipState {
    fn from(PastMembership { membership, .. }: &PastMembership) -> Self {
        Self { membership_type: membership.membership_type().as_str(), via: membership.via_groups() }
    }
}

/// Builds the event of a change; `None` for one of a nesting, which has no event of its own: those of its members have.
///
/// # Errors
/// [`Error::Internal`]: the detail cannot be serialized.
pub fn event_of(entry: &HistoryEntry) -> Result<Option<Entry>, Error> {
    let id = entry.id();
    let HistoryEntry { change, revision, actor, at } = entry;
    let (revision, actor, occurred_at) = (*revision, actor.as_str(), *at);
    let (detail_type, detail) = match change {
        HistoryChange::Group { group, before, after } => {
            let detail_type = match (before, after) {
                (None, _) => "Group Created",
                (_, None) => "Group Deleted",
                _ => "Group Updated",
            };
            let state =
                |group: &'_ Option<Box<Group>>| group.as_deref().map(GroupState::from).map(|it| serde_json::json!(it));
            let (subject, before, after) = (GroupSubject { group_id: *group }, state(before), state(after));
            (detail_type, to_json(&Detail { id, occurred_at, actor, revision, subject, before, after })?)
        }
        HistoryChange::Member { group, account, before, after, .. } => {
            let detail_type = if after.is_some() { "Group Member Added" } else { "Group Member Removed" };
            let [before, after] = [before, after].map(|it| it.as_ref().map(MembershipState::from));
            let membership = after.clone().or_else(|| before.clone());
            let subject = MemberSubject { group_id: *group, account_id: account, membership };
            (detail_type, to_json(&Detail { id, occurred_at, actor, revision, subject, before, after })?)
        }
        HistoryChange::Nesting { .. } => return Ok(None),
    };
    Ok(Some(Entry { detail_type, detail, time: occurred_at }))
}

/// The account and the group of a membership that ends.
#[derive(Debug, Serialize)]
struct ExpirySubject<'a> {
    group_id: GroupId,
    account_id: &'a AccountId,
    expires_at: Timestamp,
}

/// Builds the event of an announcement.
///
/// # Errors
/// [`Error::Internal`]: the detail cannot be serialized.
pub fn announcement_of(announcement: &ExpiryAnnouncement) -> Result<Entry, Error> {
    let ExpiryAnnouncement { group, account, expires_at, at, revision } = announcement;
    let detail = Detail {
        // An end may be announced again after another one.
        id: format!("{group}/{account}/expiring/{expires_at}/{at}"),
        occurred_at: *at,
        actor: EXPIRY_ACTOR,
        revision: *revision,
        subject: ExpirySubject { group_id: *group, account_id: account, expires_at: *expires_at },
        before: None::<()>,
        after: None,
    };
    Ok(Entry { detail_type: "Group Member Expiring", detail: to_json(&detail)?, time: *at })
}

fn to_json(detail: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(detail).map_err(|_| Error::Internal { operation: "event", code: "not written".into() })
}
