//! Groups one by one.

use sha2::{Digest, Sha256};

use super::Store;
use super::expression::Expression;
use super::items::{GroupItem, IdempotencyItem, State, from_row, read_group, to_row};
use super::keys::{Attribute, Attributes, Key, ListKey};
use super::search::{PendingName, suffix_rows};
use super::table::Written;
use super::transact::{Action, Commit, MAX_ACTIONS};
use crate::authz::{Administer, Granted, Read};
use crate::domain::{Error, Group, GroupChanges, GroupId, Missing, Timestamp, Version};

/// How long the same key gives the same response.
const IDEMPOTENCY_SECONDS: i64 = 24 * 60 * 60;

/// A caller's promise that requests with this key are one and the same.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey<'a> {
    /// As the caller chose it.
    pub key: &'a str,
    /// What the request asks for: SHA-256.
    pub request_digest: [u8; 32],
}

/// A group as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The group.
    pub group: Group,
    /// Its name, while a search does not find the group by it.
    pub pending: Option<PendingName>,
}

impl Store {
    /// The group, if it exists. One `GetItem`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn get_group(&self, _: &Granted<Read>, id: &GroupId) -> Result<Option<Group>, Error> {
        self.find_group(id).await
    }

    /// The group. One `GetItem`.
    ///
    /// # Errors
    /// [`Missing::Group`].
    pub async fn require_group(&self, granted: &Granted<Read>, id: &GroupId) -> Result<Group, Error> {
        self.get_group(granted, id).await?.ok_or(Error::Missing(Missing::Group))
    }

    pub(super) async fn find_group(&self, id: &GroupId) -> Result<Option<Group>, Error> {
        read_group(self.table.get(&Key::group(id)).await?)
    }

    /// Creates the group, with all that a search finds it by, unless its name is too long for that: one transaction.
    ///
    /// Gives the group as it was created: with an idempotency key used before for the same request, as it was then.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] for a key used before for another request.
    pub async fn create_group(
        &self,
        granted: &Granted<Administer>,
        group: Group,
        idempotency: Option<IdempotencyKey<'_>>,
    ) -> Result<Saved, Error> {
        let mut suffixes = suffix_rows(&group.id, &group.profile.name)?;
        let name_pending = suffixes.len() > MAX_ACTIONS - 2;
        if name_pending {
            suffixes.clear();
        }
        let mut item = GroupItem::new(&group, super::random_text(), granted.actor());
        (item.name_pending, item.name_rows) = (name_pending, suffixes.len());
        let mut row = to_row(&Key::group(&group.id), &item)?;
        row.extend(ListKey::group(&group.profile.name.sort_key(), &group.id).to_attributes());
        let mut actions = vec![Action::put_new(row)];
        actions.extend(suffixes.into_iter().map(Action::put_any));
        if let Some(idempotency) = idempotency {
            actions.push(idempotency.put(granted.actor(), &group)?);
        }
        let group = match (self.table.transact(actions).await?, idempotency) {
            (Commit::Refused(mut found), Some(idempotency)) => {
                let row = found.pop().flatten().ok_or_else(refused_without_row)?;
                first_response(row, &hex(&idempotency.request_digest), group)?
            }
            // A row of this id can only be our own, from an attempt whose answer got lost.
            (Commit::Done | Commit::Refused(_), _) => group,
        };
        let pending = name_pending.then(|| PendingName::first(group.clone()));
        Ok(Saved { group, pending })
    }

    /// Changes the group's profile. One `UpdateItem`; with nothing to change, one `GetItem`.
    ///
    /// # Errors
    /// [`Missing::Group`], or [`Error::VersionMismatch`] when it is at none of the versions in `only_at`.
    pub async fn update_group(
        &self,
        granted: &Granted<Administer>,
        id: &GroupId,
        changes: &GroupChanges,
        only_at: Option<&[Version]>,
        now: Timestamp,
    ) -> Result<Saved, Error> {
        if changes.is_empty() {
            return self.group_at(id, only_at).await.map(|group| Saved { group, pending: None });
        }
        let mut e = Expression::default();
        let mut set = vec![e.set(Attribute::UpdatedAt, now.to_string()), e.set(Attribute::Actor, granted.actor())];
        if let Some(name) = &changes.name {
            set.push(e.set(Attribute::Name, name.as_str()));
            set.push(e.set(Attribute::ListSk, ListKey::group(&name.sort_key(), id).sort()));
            set.push(e.set(Attribute::NamePending, true));
        }
        if let Some(description) = &changes.description {
            set.push(e.set(Attribute::Description, description.as_str()));
        }
        if let Some(group_type) = changes.group_type {
            set.push(e.set(Attribute::GroupType, group_type.as_str()));
        }
        if let Some(is_privileged) = changes.is_privileged {
            set.push(e.set(Attribute::IsPrivileged, is_privileged));
        }
        let row = self.write_group(id, e, set, "", only_at).await?;
        let group = read_group(row.clone())?.ok_or(Missing::Group)?;
        Ok(Saved { group, pending: PendingName::read(row)? })
    }

    /// Deletes the group: from the moment this returns it does not exist for anyone. One `UpdateItem`.
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
        let mut e = Expression::default();
        let set = vec![
            e.set(Attribute::State, State::Deleting.as_str()),
            e.set(Attribute::UpdatedAt, now.to_string()),
            e.set(Attribute::Actor, granted.actor()),
        ];
        let remove = format!("REMOVE {}, {}", e.remove(Attribute::ListPk), e.remove(Attribute::ListSk));
        self.write_group(id, e, set, &remove, only_at).await.map(drop)
    }

    /// Writes to a group's row, which gains a version, if it is active and at one of the versions in `only_at`.
    async fn write_group(
        &self,
        id: &GroupId,
        mut e: Expression,
        mut set: Vec<String>,
        further: &str,
        only_at: Option<&[Version]>,
    ) -> Result<Attributes, Error> {
        if only_at.is_some_and(<[_]>::is_empty) {
            // Only versions that no group has.
            self.find_group(id).await?.ok_or(Missing::Group)?;
            return Err(Error::VersionMismatch);
        }
        let change_id = super::random_text();
        set.push(e.set(Attribute::ChangeId, change_id.clone()));
        let mut condition = format!(
            "{} AND {}",
            e.equal(Attribute::State, State::Active.as_str()),
            e.differs(Attribute::ChangeId, change_id.clone())
        );
        if let Some(versions) = only_at {
            let at = versions.iter().map(|version| e.equal(Attribute::Version, version.0.cast_signed()));
            let at: Vec<_> = at.collect();
            condition = format!("{condition} AND ({})", at.join(" OR "));
        }
        let update = format!("SET {} {further} ADD {}", set.join(", "), e.add(Attribute::Version, 1));
        let found = match self.table.update(&Key::group(id), e, update, condition).await? {
            Written::Done(row) => return row.ok_or_else(refused_without_row),
            Written::Refused(found) => found.ok_or(Missing::Group)?,
        };
        let (_, item): (_, GroupItem) = from_row(found.clone())?;
        match item {
            // Our own write, by an attempt whose answer got lost.
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

/// The response that a key stands for, told again: what the same request made then.
fn first_response(row: Attributes, request_hash: &str, group: Group) -> Result<Group, Error> {
    let (_, first): (_, IdempotencyItem) = from_row(row)?;
    if first.request_hash != request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    Ok(Group::new(first.response_id, group.profile, first.created_at))
}

fn refused_without_row() -> Error {
    Error::Internal { operation: "group row", code: "not given back".into() }
}

impl IdempotencyKey<'_> {
    /// Notes what the key stands for, unless it stands for something already.
    fn put(&self, caller: &str, group: &Group) -> Result<Action, Error> {
        let item = IdempotencyItem {
            request_hash: hex(&self.request_digest),
            response_id: group.id,
            created_at: group.created_at,
            expires_at: group.created_at.unix_seconds() + IDEMPOTENCY_SECONDS,
        };
        let row = to_row(&Key::idempotency(&self.digest(caller)), &item)?;
        let mut e = Expression::default();
        // Rows outlive their time: DynamoDB deletes them when it comes to it.
        let condition = format!("{} OR {}", e.no_row(), e.less(Attribute::ExpiresAt, group.created_at.unix_seconds()));
        Ok(Action::Put { row, e, condition })
    }

    /// Names the key among all callers': none can meet another's.
    fn digest(&self, caller: &str) -> String {
        let digest = Sha256::new_with_prefix((caller.len() as u64).to_be_bytes());
        hex(&digest.chain_update(caller).chain_update(self.key).finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
