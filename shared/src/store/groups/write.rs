//! Creating, changing and deleting groups.

use sha2::{Digest, Sha256};

use crate::authz::{Administer, Granted};
use crate::domain::{Actor, Error, Group, GroupChanges, GroupId, Missing, Timestamp, Version};
use crate::store::Store;
use crate::store::keys::{Attribute, Attributes, Key, ListKey};
use crate::store::pending::{Pending, Unsettled};
use crate::store::rows::{GroupItem, IdempotencyItem, PendingName, State, from_row, read_group, suffix_rows, to_row};
use crate::store::table::{Commit, Condition, MAX_ACTIONS, Update, UpdateResult, Write, random_text};

/// How long an idempotency key is kept.
const IDEMPOTENCY_SECONDS: i64 = 24 * 60 * 60;

/// A caller's promise that all requests with this key are the same request.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey<'a> {
    /// The key, as the caller chose it.
    pub key: &'a str,
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
}

impl Store {
    /// Creates a group, with the rows by which a search finds it, unless its name has too many parts for one transaction.
    ///
    /// Returns the group as created; for an idempotency key used before by the same request, as created then.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] for a key used before by another request.
    pub async fn create_group(
        &self,
        granted: &Granted<Administer>,
        group: Group,
        idempotency: Option<IdempotencyKey<'_>>,
    ) -> Result<Unsettled<Group, PendingName>, Error> {
        let mut suffixes = suffix_rows(&group.id, &group.profile.name)?;
        let name_pending = suffixes.len() > MAX_ACTIONS - 2;
        if name_pending {
            suffixes.clear();
        }
        let mut item = GroupItem::new(&group, random_text(), granted.actor());
        (item.name_pending, item.name_rows) = (name_pending, suffixes.len());
        let mut row = to_row(&Key::group(&group.id), &item)?;
        row.extend(ListKey::group(&group.profile.name.sort_key(), &group.id).to_attributes());
        let mut writes = vec![Write::insert(row)];
        writes.extend(suffixes.into_iter().map(Write::put));
        if let Some(idempotency) = idempotency {
            writes.push(idempotency.insert(granted.actor(), &group)?);
        }
        let group = match (self.table.transact(writes).await?, idempotency) {
            (Commit::ConditionFailed(mut found), Some(idempotency)) => {
                let row = found.pop().flatten().ok_or_else(row_not_returned)?;
                first_response(row, &hex(&idempotency.request_digest), group)?
            }
            // A row with this id is from an earlier attempt whose response was lost.
            (Commit::Done | Commit::ConditionFailed(_), _) => group,
        };
        let pending = if name_pending { Pending::Effects(PendingName::first(group.clone())) } else { Pending::Nothing };
        Ok(Unsettled::new(group, pending))
    }

    /// Changes fields of a group. One `UpdateItem`; when there is nothing to change, one `GetItem`.
    ///
    /// # Errors
    /// [`Missing::Group`], or [`Error::VersionMismatch`] when the group has none of the versions in `only_at`.
    pub async fn update_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        changes: &GroupChanges,
        only_at: Option<&[Version]>,
        now: Timestamp,
    ) -> Result<Unsettled<Group, PendingName>, Error> {
        if changes.is_empty() {
            return self.group_at(id, only_at).await.map(|group| Unsettled::new(group, Pending::Nothing));
        }
        let mut update = changed_by(granted.actor(), id, now)
            .set_some(Attribute::Description, changes.description.as_ref().map(|it| it.as_str()))
            .set_some(Attribute::GroupType, changes.group_type.map(|it| it.as_str()))
            .set_some(Attribute::IsPrivileged, changes.is_privileged);
        if let Some(name) = &changes.name {
            update = update
                .set(Attribute::Name, name.as_str())
                .set(Attribute::ListSk, ListKey::group(&name.sort_key(), id).sort())
                .set(Attribute::NamePending, true);
        }
        let row = self.write_group(id, update, only_at).await?;
        let group = read_group(row.clone())?.ok_or(Missing::Group)?;
        Ok(Unsettled::new(group, PendingName::read(row)?.map_or(Pending::Nothing, Pending::Effects)))
    }

    /// Deletes a group: no caller finds it from the moment this returns. One `UpdateItem`; a job removes its rows.
    ///
    /// # Errors
    /// As [`Store::update_group`].
    pub async fn delete_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        only_at: Option<&[Version]>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update = changed_by(granted.actor(), id, now)
            .set(Attribute::State, State::Deleting.as_str())
            .remove(Attribute::ListPk)
            .remove(Attribute::ListSk);
        self.write_group(id, update, only_at).await.map(drop)
    }

    /// Updates the row of an active group at one of the versions in `only_at`, and raises its version.
    async fn write_group(
        &self,
        id: &GroupId,
        update: Update,
        only_at: Option<&[Version]>,
    ) -> Result<Attributes, Error> {
        if only_at.is_some_and(<[_]>::is_empty) {
            // `If-Match` has only tags that no group has.
            self.find_group(id).await?.ok_or(Missing::Group)?;
            return Err(Error::VersionMismatch);
        }
        let change_id = random_text();
        let mut update = update
            .set(Attribute::ChangeId, &*change_id)
            .add(Attribute::Version, 1)
            .when(Condition::equals(Attribute::State, State::Active.as_str()))
            .when(Condition::differs(Attribute::ChangeId, &*change_id));
        if let Some(versions) = only_at {
            let is_at = |version: &Version| Condition::equals(Attribute::Version, version.0.cast_signed());
            update = update.when(Condition::Any(versions.iter().map(is_at).collect()));
        }
        let found = match self.table.update(update).await? {
            UpdateResult::Updated(row) => return Ok(row),
            UpdateResult::ConditionFailed(found) => found.ok_or(Missing::Group)?,
        };
        let (_, item): (_, GroupItem) = from_row(found.clone())?;
        match item {
            // Written by an earlier attempt whose response was lost.
            GroupItem { change_id: last, .. } if last == change_id => Ok(found),
            GroupItem { state: State::Active, .. } => Err(Error::VersionMismatch),
            _ => Err(Missing::Group.into()),
        }
    }

    async fn group_at(&self, id: &GroupId, only_at: Option<&[Version]>) -> Result<Group, Error> {
        let group = self.find_group(id).await?.ok_or(Missing::Group)?;
        match only_at {
            Some(versions) if !versions.contains(&group.version) => Err(Error::VersionMismatch),
            _ => Ok(group),
        }
    }
}

fn changed_by(actor: &Actor, id: &GroupId, now: Timestamp) -> Update {
    Update::of(Key::group(id)).set(Attribute::UpdatedAt, now).set(Attribute::Actor, actor)
}

/// Rebuilds the response to the first request with a key.
fn first_response(row: Attributes, request_hash: &str, group: Group) -> Result<Group, Error> {
    let (_, first): (_, IdempotencyItem) = from_row(row)?;
    if first.request_hash != request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    Ok(Group::new(first.response_id, group.profile, first.created_at))
}

fn row_not_returned() -> Error {
    Error::Internal { operation: "group row", code: "not returned".into() }
}

impl IdempotencyKey<'_> {
    /// Reserves the key for this request, unless it is taken.
    fn insert(&self, caller: &Actor, group: &Group) -> Result<Write, Error> {
        let now = group.created_at.unix_seconds();
        let item = IdempotencyItem {
            request_hash: hex(&self.request_digest),
            response_id: group.id,
            created_at: group.created_at,
            expires_at: now + IDEMPOTENCY_SECONDS,
        };
        let row = to_row(&Key::idempotency(&self.digest(caller)), &item)?;
        // DynamoDB deletes expired rows late.
        let is_free = Condition::row_absent().or(Condition::less_than(Attribute::ExpiresAt, now));
        Ok(Write::Put(row, Some(is_free)))
    }

    /// Returns a digest of caller and key: different callers may use the same key.
    fn digest(&self, caller: &Actor) -> String {
        let caller = caller.as_str();
        let digest = Sha256::new_with_prefix((caller.len() as u64).to_be_bytes());
        hex(&digest.chain_update(caller).chain_update(self.key).finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
