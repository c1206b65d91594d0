//! Creating, changing and deleting groups.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::guard::{refuse, unless_guarded};
use super::names::{is_at_version, replace_list_entries, replace_search_rows};
use crate::authz::{Administer, Granted};
use crate::domain::group::Description;
use crate::domain::{
    Actor, Error, ExternalId, Group, GroupChanges, GroupEmail, GroupId, GroupName, GroupType, Guarded, Job, JobKind,
    Missing, Precondition, Timestamp, Version,
};
use crate::store::Store;
use crate::store::group_snapshot::GroupSnapshot;
use crate::store::jobs::put_job;
use crate::store::keys::{Attribute, Attributes, Key};
use crate::store::pending::{DeletedGroup, Pending, Unsettled};
use crate::store::rows::{
    ExternalIdItem, GroupItem, IdempotencyItem, NameReservation, PendingName, State, external_id_row, from_row,
    list_entries, read_group, search_rows, to_row,
};
use crate::store::table::{
    Attempt, Commit, Condition, ConflictLimit, MAX_ACTIONS, Update, UpdateResult, Write, random_text,
};

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
    /// Creates a group with its list entries and its search rows, unless its name has too many parts for one transaction.
    /// Searches then find it later. One transaction.
    ///
    /// Returns the group as created; for an idempotency key used before by the same request, as created then.
    ///
    /// # Errors
    /// [`Error::Guarded`] for a privileged group, without the role; [`Error::IdempotencyKeyReused`] for a key used before by
    /// another request; [`Error::ExternalIdTaken`]; [`Error::NameTaken`] when the name was given since it was reserved.
    pub async fn create_group(
        &self,
        granted: &Granted<Administer>,
        mut group: Group,
        idempotency: Option<IdempotencyKey<'_>>,
        unique_name: Option<&NameReservation>,
    ) -> Result<Unsettled<Group, PendingName>, Error> {
        if group.profile.is_privileged && !granted.may_change_guarded() {
            return Err(refuse(Guarded::WouldBePrivileged));
        }
        group.created_by = Some(granted.actor().clone());
        group.updated_by.clone_from(&group.created_by);
        let mut rows = search_rows(&group.id, &group.profile)?;
        let entries = list_entries(&group.id, &group.profile);
        let external_id = &group.profile.external_id;
        let optional = [idempotency.is_some(), external_id.is_some(), unique_name.is_some()];
        let others = 1 + entries.len() + optional.into_iter().filter(|is_written| *is_written).count();
        let name_pending = rows.len() + others > MAX_ACTIONS;
        if name_pending {
            rows.clear();
        }
        let mut item = GroupItem::new(&group, random_text(), granted.actor());
        item.name_pending = name_pending;
        let mut writes = vec![Write::insert(to_row(&Key::group(&group.id), &item)?)];
        rows.extend(entries);
        writes.extend(rows.into_iter().map(Write::put));
        if let Some(id) = &group.profile.external_id {
            writes.push(Write::insert(external_id_row(id, &group.id)?));
        }
        if let Some(name) = unique_name {
            writes.push(name.write()?);
        }
        if let Some(idempotency) = idempotency {
            writes.push(idempotency.insert(granted.actor(), &group)?);
        }
        let group = created(self.table.transact(writes).await?, group, idempotency)?;
        let pending = || Pending::Effects(PendingName { group: group.clone(), former_name: None });
        let pending = if name_pending { pending() } else { Pending::Nothing };
        Ok(Unsettled::new(group, pending))
    }

    /// Changes fields of a group. Fields that have the value already are not written. One `UpdateItem`; with a name, an external id, a
    /// type or a flag, one `GetItem` before it; with another one than the group has, one `GetItem` and one transaction. Side by side with these, one `Query` for the exact
    /// counts. When there is nothing to change, one `Query`. For a group that becomes privileged, the requests of
    /// `mark_with_descendants` before the transaction.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::Guarded`], [`Error::Exists`], [`Error::ExternalIdTaken`], [`Error::NameTaken`] when the new name was
    /// given since it was reserved, or [`Error::VersionMismatch`] when the group's own fields are of none of the versions in the
    /// precondition.
    pub async fn update_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        changes: &GroupChanges,
        precondition: &Precondition,
        unique_name: Option<&NameReservation>,
        now: Timestamp,
    ) -> Result<Unsettled<Group, PendingName>, Error> {
        self.require_new_only(id, precondition).await?;
        let versions = precondition.versions();
        if changes.is_empty() {
            let group = self.exact_group(id).await?.ok_or(Missing::Group)?;
            self.may_change(granted.may_change_guarded(), &group, now).await?;
            return require_version(group, versions.as_deref()).map(|group| Unsettled::new(group, Pending::Nothing));
        }
        let updated = self.write_fields(granted, id, changes, versions.as_deref(), unique_name, now);
        let (updated, counts) = futures::future::try_join(updated, self.count_members(id)).await?;
        Ok(updated.map(|group| counts.exact(group)))
    }

    async fn write_fields(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        changes: &GroupChanges,
        only_at: Option<&[Version]>,
        unique_name: Option<&NameReservation>,
        now: Timestamp,
    ) -> Result<Unsettled<Group, PendingName>, Error> {
        let (actor, may_change_guarded) = (granted.actor(), granted.may_change_guarded());
        let update = || {
            let update = unless_guarded(set_fields(changed_by(actor, id, now), changes), may_change_guarded);
            // A group that was created as privileged has no mark, and may not have been read.
            if may_change_guarded { update } else { update.when(Condition::equals(Attribute::IsPrivileged, false)) }
        };
        let attempt = || async {
            if !changes.move_in_lists() && changes.external_id.is_none() {
                return self.write_group(granted, id, update().when(some_differ(changes)), only_at, now).await;
            }
            let (group, pending) = self.group_and_pending_name(id, only_at).await?;
            if !self.may_change(may_change_guarded, &group, now).await? {
                return Ok(Attempt::Conflict);
            }
            let profile = changes.applied_to(&group.profile);
            if profile == group.profile {
                let pending = pending.map_or(Pending::Nothing, Pending::Effects);
                return Ok(Attempt::Done(Unsettled::new(group, pending)));
            }
            let (version, updated_by) = (Version(group.version.0 + 1), Some(actor.clone()));
            let updated = Group { profile, updated_at: now, updated_by, version, ..group.clone() };
            let mut update = update();
            if updated.profile.is_privileged && !group.profile.is_privileged {
                if !may_change_guarded {
                    return Err(refuse(Guarded::WouldBePrivileged));
                }
                let mark = self.mark_with_descendants(id, now).await?;
                update = update.when(Condition::equals(Attribute::Guard, mark));
            }
            self.try_to_rename(granted, &group, pending, updated, update, unique_name).await
        };
        // The transaction also depends on the rows of the name: a busy table is no contradiction.
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, attempt).await
    }

    /// Commits the update of a group that may have another place in lists and searches, if the group is still as read.
    async fn try_to_rename(
        &self,
        granted: &Granted<Administer>,
        group: &Group,
        pending: Option<PendingName>,
        updated: Group,
        update: Update,
        unique_name: Option<&NameReservation>,
    ) -> Result<Attempt<Unsettled<Group, PendingName>>, Error> {
        let mut writes = replace_list_entries(&group.id, &group.profile, &updated.profile);
        let mut rows = replace_search_rows(&group.id, &group.profile, &updated.profile)?;
        let is_renamed = !writes.is_empty() || !rows.is_empty();
        writes.extend(replace_external_id(group, &updated)?);
        if writes.is_empty() && rows.is_empty() {
            let now = updated.updated_at;
            return match self.write_group(granted, &group.id, update, Some(&[group.version]), now).await {
                Err(Error::VersionMismatch) => Ok(Attempt::Conflict),
                updated => updated,
            };
        }
        if let Some(pending) = pending.filter(|_| is_renamed) {
            // A group's row has room for one former name.
            self.complete_name(&pending).await?;
            return Ok(Attempt::Conflict);
        }
        let mut update = only_if_unchanged(update, group);
        let mut pending = Pending::Nothing;
        if let Some(name) = unique_name.filter(|_| updated.profile.name != group.profile.name) {
            writes.push(name.write()?);
        }
        if writes.len() + rows.len() >= MAX_ACTIONS {
            rows.clear();
            let former = &group.profile.name;
            update = update.set(Attribute::NamePending, true).set(Attribute::FormerName, former.as_str());
            pending = Pending::Effects(PendingName { group: updated.clone(), former_name: Some(former.clone()) });
        }
        writes.push(update.into());
        writes.append(&mut rows);
        match self.table.transact(writes).await? {
            Commit::Done => Ok(Attempt::Done(Unsettled::new(updated, pending))),
            Commit::ConditionFailed(found) => {
                require_own_external_id(&found, &group.id)?;
                NameReservation::require_free(&found)?;
                Ok(Attempt::Conflict)
            }
        }
    }

    /// Deletes a group: no caller finds it from the moment this returns. One `GetItem`, or one `Query` for a group in a certain
    /// state, and one transaction, which also creates the job that removes its rows.
    ///
    /// # Errors
    /// [`Missing::Group`], [`Error::Guarded`], [`Error::Exists`], or [`Error::VersionMismatch`] when the group, its members or its
    /// nested groups have changed since all states in the precondition.
    pub async fn delete_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Unsettled<(), DeletedGroup>, Error> {
        self.require_new_only(id, precondition).await?;
        let attempt = || async {
            let Some((group, state)) = self.try_to_find_for_deletion(granted, id, precondition, now).await? else {
                return Ok(Attempt::Conflict);
            };
            let update = changed_by(granted.actor(), id, now).set(Attribute::State, State::Deleting.as_str());
            let update = unless_guarded(update, granted.may_change_guarded());
            let mut writes = vec![put_job(&Job::new(JobKind::DeleteGroup(*id), now, Some(granted.actor())))?];
            if let Some(state) = state {
                writes.push(update.add(Attribute::Version, 1).when(state.group_unchanged()).into());
                writes.extend(state.require_shards(&BTreeSet::new()));
            } else {
                writes.push(only_if_unchanged(update, &group).into());
            }
            let entries = list_entries(id, &group.profile);
            writes.extend(entries.iter().filter_map(Key::from_row).map(Write::delete));
            writes.extend(group.profile.external_id.as_ref().map(|external| Write::delete(Key::external_id(external))));
            Ok(self.table.transact(writes).await?.attempt(()))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, attempt).await?;
        Ok(Unsettled::new((), Pending::Effects(DeletedGroup(*id))))
    }

    /// Requires that [`Store::delete_group`] would delete the group.
    ///
    /// # Errors
    /// Those of that change.
    pub(in crate::store) async fn require_deletable(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.require_new_only(id, precondition).await?;
        let find = || async {
            let found = self.try_to_find_for_deletion(granted, id, precondition, now).await?;
            Ok(Attempt::when(found.is_some(), ()))
        };
        self.table.retry_on_conflict(ConflictLimit::MANY_GROUPS, find).await
    }

    /// Returns the group to delete, and the state that it must still be in where the request names one; `None` where the group must be
    /// read again.
    async fn try_to_find_for_deletion(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<(Group, Option<GroupSnapshot>)>, Error> {
        let state = self.require_state(id, precondition).await?;
        let group = match &state {
            Some(state) => state.group.clone(),
            None => self.find_group(id).await?.ok_or(Missing::Group)?,
        };
        let may_change = self.may_change(granted.may_change_guarded(), &group, now).await?;
        Ok(may_change.then_some((group, state)))
    }

    /// Updates the row of an active group at one of the versions in `only_at`, and raises its version.
    async fn write_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        update: Update,
        only_at: Option<&[Version]>,
        now: Timestamp,
    ) -> Result<Attempt<Unsettled<Group, PendingName>>, Error> {
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
            UpdateResult::Updated(row) => return Ok(Attempt::Done(read_updated(row)?)),
            UpdateResult::ConditionFailed(found) => found.ok_or(Missing::Group)?,
        };
        let (key, item): (_, GroupItem) = from_row(found.clone())?;
        // Not for an earlier attempt whose response was lost.
        if item.change_id != change_id {
            let group = item.active(&key)?.ok_or(Missing::Group)?;
            if !self.may_change(granted.may_change_guarded(), &group, now).await? {
                return Ok(Attempt::Conflict);
            }
            // At one of these versions, all fields have their new values already.
            require_version(group, only_at)?;
        }
        Ok(Attempt::Done(read_updated(found)?))
    }

    /// Refuses to write to a group that exists where the request is for new ones only. No request without that precondition,
    /// else one `GetItem`.
    pub(in crate::store) async fn require_new_only(
        &self,
        id: &GroupId,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        if precondition.only_new {
            self.find_group(id).await?.ok_or(Missing::Group)?;
        }
        precondition.check_new(true)
    }

    /// An active group at one of the versions in `only_at`, and its name if searches do not have it yet.
    async fn group_and_pending_name(
        &self,
        id: &GroupId,
        only_at: Option<&[Version]>,
    ) -> Result<(Group, Option<PendingName>), Error> {
        let row = self.table.get(&Key::group(id)).await?.ok_or(Missing::Group)?;
        let group = read_group(row.clone())?.ok_or(Missing::Group)?;
        Ok((require_version(group, only_at)?, PendingName::read(row)?))
    }
}

/// The group that a creation wrote, or that the first request with the same key wrote.
fn created(commit: Commit, group: Group, idempotency: Option<IdempotencyKey<'_>>) -> Result<Group, Error> {
    let Commit::ConditionFailed(mut found) = commit else { return Ok(group) };
    if let Some(idempotency) = idempotency.filter(|_| found.last().is_some_and(Option::is_some)) {
        let row = found.pop().flatten().ok_or_else(row_not_returned)?;
        return first_response(row, &hex(&idempotency.request_digest), group);
    }
    // A row with this id is from an earlier attempt whose response was lost.
    if !found.iter().flatten().any(|row| Key::from_row(row) == Some(Key::group(&group.id))) {
        require_own_external_id(&found, &group.id)?;
        NameReservation::require_free(&found)?;
    }
    Ok(group)
}

fn require_version(group: Group, only_at: Option<&[Version]>) -> Result<Group, Error> {
    match only_at {
        Some(versions) if !versions.contains(&group.version) => Err(Error::VersionMismatch),
        _ => Ok(group),
    }
}

/// Raises the version of a group that is still active and unchanged.
fn only_if_unchanged(update: Update, group: &Group) -> Update {
    update
        .add(Attribute::Version, 1)
        .when(Condition::equals(Attribute::State, State::Active.as_str()))
        .when(is_at_version(group))
}

/// Decodes an updated group, and its name if searches do not have it yet.
fn read_updated(row: Attributes) -> Result<Unsettled<Group, PendingName>, Error> {
    let group = read_group(row.clone())?.ok_or(Missing::Group)?;
    Ok(Unsettled::new(group, PendingName::read(row)?.map_or(Pending::Nothing, Pending::Effects)))
}

fn changed_by(actor: &Actor, id: &GroupId, now: Timestamp) -> Update {
    Update::of(Key::group(id)).set(Attribute::UpdatedAt, now).set(Attribute::Actor, actor)
}

fn set_fields(update: Update, changes: &GroupChanges) -> Update {
    update
        .set_some(Attribute::Name, changes.name.as_ref().map(GroupName::as_str))
        .set_some(Attribute::Description, changes.description.as_ref().map(Description::as_str))
        .set_some(Attribute::GroupType, changes.group_type.map(GroupType::as_str))
        .set_some(Attribute::IsPrivileged, changes.is_privileged)
        .set_or_remove(
            Attribute::ExternalId,
            changes.external_id.as_ref().map(|id| id.as_ref().map(ExternalId::as_str)),
        )
        .set_or_remove(Attribute::Email, changes.email.as_ref().map(|email| email.as_ref().map(GroupEmail::as_str)))
}

/// The writes that replace a group's external id. None where it stays.
fn replace_external_id(group: &Group, updated: &Group) -> Result<Vec<Write>, Error> {
    let (former, id) = (&group.profile.external_id, &updated.profile.external_id);
    if former == id {
        return Ok(Vec::new());
    }
    let insert = id.as_ref().map(|id| Ok(Write::insert(external_id_row(id, &group.id)?)));
    let delete = former.as_ref().map(|former| Ok(Write::delete(Key::external_id(former))));
    insert.into_iter().chain(delete).collect()
}

/// Requires that the rows that a failed transaction found are not of another group's external id.
fn require_own_external_id(found: &[Option<Attributes>], group: &GroupId) -> Result<(), Error> {
    for row in found.iter().flatten().filter(|row| Key::from_row(row).is_some_and(|key| key.is_external_id())) {
        let (_, ExternalIdItem { group_id }) = from_row(row.clone())?;
        if group_id != *group {
            return Err(Error::ExternalIdTaken(group_id));
        }
    }
    Ok(())
}

/// The changes of description and address change something.
fn some_differ(changes: &GroupChanges) -> Condition {
    let description = changes.description.as_ref().map(|it| Condition::differs(Attribute::Description, it.as_str()));
    let email = match &changes.email {
        None => Vec::new(),
        Some(Some(email)) => {
            vec![Condition::absent(Attribute::Email), Condition::differs(Attribute::Email, email.as_str())]
        }
        Some(None) => vec![Condition::Exists(Attribute::Email.into())],
    };
    Condition::Any(description.into_iter().chain(email).collect())
}

/// Rebuilds the response to the first request with a key.
fn first_response(row: Attributes, request_hash: &str, group: Group) -> Result<Group, Error> {
    let (_, first): (_, IdempotencyItem) = from_row(row)?;
    if first.request_hash != request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    let (created_by, updated_by) = (group.created_by, group.updated_by);
    Ok(Group { created_by, updated_by, ..Group::new(first.response_id, group.profile, first.created_at) })
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
