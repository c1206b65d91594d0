//! Records of the table's stream: what changed, as far as something follows from it.

use std::collections::BTreeSet;

use aws_lambda_events::event::dynamodb::EventRecord;
use serde::de::DeserializeOwned;
use serde_dynamo::Item;
use serde_json::Value;

use super::items::{AccountItem, GroupItem, MemberItem, State};
use super::keys::{Attribute, Key};
use crate::domain::{AccountId, AccountVersion, Edge, Error, GroupId, JobKind};

/// A record of the stream. One by one: a record that cannot be read is in nobody else's way.
#[derive(Debug, Clone)]
pub struct Record {
    /// Names it in the stream, and in what Lambda is told of failures.
    pub sequence_number: String,
    /// When the change was made, in milliseconds since 1970; the stream tells seconds.
    pub happened_at: Option<u64>,
    keys: Option<Item>,
    record: Option<EventRecord>,
}

/// A change that something follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A member's row changed.
    Member {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// It came or went: the groups above may have to follow.
        came_or_went: bool,
        /// It came, or became a direct member's: its group and its account may be gone meanwhile.
        came_or_was_added: bool,
        /// The nestings it is held by now and was not before.
        gained: BTreeSet<Edge>,
    },
    /// What follows is more than a record should ask for: a job is to come about, on behalf of whoever made the change.
    NewJob(JobKind, Option<String>),
    /// A group has a name that the search may not have yet.
    Name(GroupId),
    /// A job was made or moved, to this revision.
    Job(JobKind, u64),
}

/// Reads what Lambda hands to the function of a stream.
///
/// # Errors
/// It is no event of a table's stream.
pub fn read_records(mut event: Value) -> Result<Vec<Record>, Error> {
    let Some(Value::Array(records)) = event.get_mut("Records").map(Value::take) else {
        return Err(unreadable("stream event"));
    };
    Ok(records.into_iter().map(Record::read).collect())
}

impl Record {
    fn read(record: Value) -> Self {
        let sequence_number = record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
        let keys = serde_json::from_value(record["dynamodb"]["Keys"].clone()).ok();
        let seconds = record["dynamodb"]["ApproximateCreationDateTime"].as_f64();
        let happened_at = seconds.map(|seconds| (seconds * 1_000.0) as u64);
        Self { sequence_number, happened_at, keys, record: serde_json::from_value(record).ok() }
    }

    /// What follows from it. Where it cannot be read, what its key tells becomes a job, which looks at the row itself and,
    /// when nobody can read that either, is set aside in time.
    ///
    /// # Errors
    /// It cannot be read, nor does anything follow from its key.
    pub fn trigger(&self) -> Result<Option<Trigger>, Error> {
        let trigger = self.images().and_then(|(key, before, after)| trigger(&key, before, after));
        trigger.or_else(|error| {
            let job = self.keys.clone().and_then(key).and_then(|key| looks_again(&key)).ok_or(error)?;
            tracing::error!(
                sequence_number = self.sequence_number,
                "a record of the stream cannot be read and becomes a job"
            );
            Ok(Some(Trigger::NewJob(job, None)))
        })
    }

    /// The row's key, and the row before and after.
    pub(super) fn images(&self) -> Result<(Key, Option<Item>, Option<Item>), Error> {
        let change = self.record.clone().ok_or_else(|| unreadable("stream record"))?.change;
        let key = key(change.keys).ok_or_else(|| unreadable("stream record key"))?;
        Ok((key, Some(change.old_image).filter(is_row), Some(change.new_image).filter(is_row)))
    }
}

/// The job that does, for whatever happened to this row, what would follow from it.
fn looks_again(key: &Key) -> Option<JobKind> {
    if let Some((group, account)) = key.as_member() {
        return Some(JobKind::ReconcileMember(group, account));
    }
    if let Some(account) = key.as_account() {
        return Some(JobKind::UpdateAccount(account, AccountVersion::EARLIEST));
    }
    key.as_group().map(JobKind::DeleteGroup)
}

fn trigger(key: &Key, before: Option<Item>, after: Option<Item>) -> Result<Option<Trigger>, Error> {
    if let Some((group, account)) = key.as_member() {
        return member(group, account, before, after);
    }
    if let Some(account) = key.as_account() {
        // Nobody is a member anywhere before their account is there.
        let (Some(before), Some(after)) = (before, after) else { return Ok(None) };
        let (before, after): (AccountItem, AccountItem) = (read(before)?, read(after)?);
        // An account may be deleted at the moment of its last update.
        return Ok(match (before.state, after.state) {
            (State::Active, State::Deleted) => {
                Some(Trigger::NewJob(JobKind::DeleteAccount(account, after.version), after.actor))
            }
            _ if before.version == after.version => None,
            _ => Some(Trigger::NewJob(JobKind::UpdateAccount(account, after.version), after.actor)),
        });
    }
    if let Some(group) = key.as_group() {
        let Some(after) = after else { return Ok(None) };
        return Ok(match read(after)? {
            GroupItem { state: State::Deleting, actor, .. } => {
                Some(Trigger::NewJob(JobKind::DeleteGroup(group), actor))
            }
            GroupItem { name_pending: true, .. } => Some(Trigger::Name(group)),
            _ => None,
        });
    }
    match (key.as_job(), after) {
        (Some(kind), Some(after)) => Ok(Some(Trigger::Job(kind, revision(&after)?))),
        _ => Ok(None),
    }
}

fn member(
    group: GroupId,
    account: AccountId,
    before: Option<Item>,
    after: Option<Item>,
) -> Result<Option<Trigger>, Error> {
    let (was, is) = (before.is_some(), after.is_some());
    let item = |row: Option<Item>| -> Result<(bool, BTreeSet<Edge>), Error> {
        let Some(MemberItem { direct, via, .. }) = row.map(read).transpose()? else { return Ok(Default::default()) };
        Ok((direct, via.into_iter().map(|id| Edge { parent: group, id }).collect()))
    };
    let ((was_direct, before), (is_direct, after)) = (item(before)?, item(after)?);
    let gained: BTreeSet<Edge> = after.difference(&before).copied().collect();
    let came_or_went = was != is;
    let came_or_was_added = is && (!was || (is_direct && !was_direct));
    let something_follows = came_or_went || came_or_was_added || !gained.is_empty();
    Ok(something_follows.then_some(Trigger::Member { group, account, came_or_went, came_or_was_added, gained }))
}

fn revision(row: &Item) -> Result<u64, Error> {
    let value = row.inner().get(Attribute::Revision.as_str()).cloned().ok_or_else(|| unreadable("job row"))?;
    serde_dynamo::from_attribute_value(value).map_err(|_| unreadable("job row"))
}

/// The images of a record that has none are empty.
fn is_row(image: &Item) -> bool {
    !image.inner().is_empty()
}

fn key(keys: Item) -> Option<Key> {
    Key::of_row(&keys.into())
}

pub(super) fn read<T: DeserializeOwned>(row: Item) -> Result<T, Error> {
    serde_dynamo::from_item(row).map_err(|_| unreadable("stream record"))
}

fn unreadable(what: &'static str) -> Error {
    Error::Internal { operation: what, code: "unreadable".into() }
}
